/** What `copy` is called with and what it answers. Bad input is refused here, before anything is opened. */

import { type Clock, systemClock } from "../clock.js";
import { checkOptionsOf, duration, type RetryOptions, resolveQueueOptions } from "../storage/options.js";

export interface CopyProgress {
  /**
   * - `"checking"`: both are read to find out whether the copy can be made; only where that is in question
   * - `"copying"`: records go from one to the other
   * - `"verifying"`: what was stored is read again and compared
   */
  readonly phase: "checking" | "copying" | "verifying";
  /** Records done in this phase. Starts again where a scan without an order had to. */
  readonly records: number;
  /** Bytes of their values, as stored. */
  readonly bytes: number;
}

export interface CopyOptions {
  /** Reads everything back at the end and compares it. Default true. */
  verify?: boolean | undefined;
  /** Ends the copy: it rejects with `signal.reason` once both are closed. A further call goes on from there. */
  signal?: AbortSignal | undefined;
  /** Called after each batch written or page compared. What it throws ends the copy. */
  onProgress?: ((progress: CopyProgress) => void) | undefined;
  /** Called with every failure that is tried again, and with what an adapter reports of itself. */
  onFault?: ((error: Error) => void) | undefined;
  /** The most records in one batch. Default 10,000. */
  batchMax?: number | undefined;
  /** The most encoded bytes in one batch; a single larger value still goes, alone. Default 8 MiB. */
  batchBytesMax?: number | undefined;
  /** Milliseconds each adapter has to open, and for each page that is read. Default 60,000. */
  openTimeout?: number | undefined;
  /** Milliseconds an adapter has for any other call. Default 30,000. */
  writeTimeout?: number | undefined;
  /** `maxAttempts`: failures of a call in a row, after which the copy ends. */
  retry?: RetryOptions | undefined;
  /** Default: the system's. */
  clock?: Clock | undefined;
}

export interface CopyReport {
  /** Live records of `from`. `to` holds them all, with their versions and expiries. */
  readonly records: number;
  /** Bytes of their values, as stored. */
  readonly bytes: number;
  /** Those of `records` that an interrupted copy had brought already; they were not written again. */
  readonly alreadyThere: number;
  /** Records of `from` left out, because they had expired. */
  readonly skippedExpired: number;
  /** True when everything was read back and compared. */
  readonly verified: boolean;
  readonly durationMs: number;
}

export interface ResolvedCopyOptions {
  readonly verify: boolean;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: CopyProgress) => void) | undefined;
  readonly onFault: ((error: Error) => void) | undefined;
  readonly batchMax: number;
  readonly batchBytesMax: number;
  readonly openTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly maxAttempts: number;
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
  readonly clock: Clock;
}

/** @throws TypeError or RangeError for options that make no sense */
export function resolveCopyOptions(options: CopyOptions): ResolvedCopyOptions {
  checkOptionsOf(options, "copy");
  const { verify = true, signal, onProgress, onFault, clock = systemClock } = options;
  if (typeof verify !== "boolean") throw new TypeError("verify must be true or false");
  if (signal !== undefined && typeof signal?.throwIfAborted !== "function") {
    throw new TypeError("signal must be an AbortSignal");
  }
  for (const [name, callback] of Object.entries({ onProgress, onFault })) {
    if (callback !== undefined && typeof callback !== "function") {
      throw new TypeError(`${name} must be a function`);
    }
  }
  if (typeof clock?.now !== "function") throw new TypeError("clock must have the function now");
  const { batchMax, batchBytesMax, writeTimeout, retry } = options;
  const queue = resolveQueueOptions({ batchMax, batchBytesMax, writeTimeout, retry }, true);
  return {
    verify,
    signal,
    onProgress,
    onFault,
    clock,
    batchMax: queue.batchMax,
    batchBytesMax: queue.batchBytesMax,
    openTimeoutMs: duration("openTimeout", options.openTimeout, 60_000, 1),
    writeTimeoutMs: queue.writeTimeoutMs,
    maxAttempts: queue.maxAttempts,
    backoffMs: queue.backoffMs,
    backoffMaxMs: queue.backoffMaxMs,
  };
}
