/**
 * The operational errors of LeakDB. Programmer mistakes are plain `TypeError` and `RangeError`, thrown before
 * anything changes; everything that can go wrong with a correct program is a {@link LeakDBError} with a stable code.
 *
 * Tell errors apart by `code`, never by `instanceof`: two copies of this package may be loaded at once.
 */

import type { DeadLetter, Unwritten } from "./reports.js";

/** Every code, stable within a major version. Each has a section in `docs/errors.md`. */
export const ERROR_CODES = [
  // Lifecycle
  "LEAKDB_CLOSED",
  "LEAKDB_OPEN_FAILED",
  "LEAKDB_LOCKED",
  "LEAKDB_FENCED",
  "LEAKDB_CLOSE_INCOMPLETE",
  "LEAKDB_READ_ONLY",
  // Data
  "LEAKDB_CORRUPTION",
  "LEAKDB_ENCODE_FAILED",
  "LEAKDB_DECODE_FAILED",
  // Bounds
  "LEAKDB_QUEUE_FULL",
  "LEAKDB_TABLE_FULL",
  // Durability
  "LEAKDB_FLUSH_FAILED",
  "LEAKDB_TIMEOUT",
  "LEAKDB_PERHAPS_APPLIED",
  "LEAKDB_ADAPTER_UNAVAILABLE",
  "LEAKDB_ADAPTER_REJECTED",
  "LEAKDB_NOT_SUPPORTED",
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** Codes for which the same call may succeed later without anything being changed by the caller. */
const RETRYABLE: ReadonlySet<ErrorCode> = new Set([
  "LEAKDB_OPEN_FAILED",
  "LEAKDB_LOCKED",
  "LEAKDB_QUEUE_FULL",
  "LEAKDB_TIMEOUT",
  "LEAKDB_PERHAPS_APPLIED",
  "LEAKDB_ADAPTER_UNAVAILABLE",
]);

/**
 * An operational failure. `code` says what happened, `retryable` whether the same call may succeed later, `cause`
 * what the layer below said. The message says what to do next and never carries a value.
 */
export interface LeakDBErrorOptions {
  readonly cause?: unknown;
  readonly retryable?: boolean;
  readonly deadLetters?: readonly DeadLetter[];
  readonly unwritten?: readonly Unwritten[];
  readonly applied?: readonly string[];
}

export class LeakDBError extends Error {
  override readonly name = "LeakDBError";
  readonly code: ErrorCode;
  readonly retryable: boolean;
  /** Of `LEAKDB_FLUSH_FAILED`: the dead letters that the wait covers. */
  declare readonly deadLetters?: readonly DeadLetter[];
  /** Of `LEAKDB_CLOSE_INCOMPLETE`: the mutations that were not stored. */
  declare readonly unwritten?: readonly Unwritten[];
  /** Of a `setMulti` of which some entries were refused: the keys, with their prefix, that were stored. */
  declare readonly applied?: readonly string[];

  constructor(code: ErrorCode, message: string, options: LeakDBErrorOptions = {}) {
    const { cause, retryable = RETRYABLE.has(code), ...lists } = options;
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.retryable = retryable;
    Object.assign(this, lists);
  }
}

/** True when `error` is an operational error of LeakDB, whichever copy of the package made it. */
export function isLeakDBError(error: unknown): error is LeakDBError {
  if (!(error instanceof Error)) return false;
  const { code, retryable } = error as { code?: unknown; retryable?: unknown };
  return typeof retryable === "boolean" && (ERROR_CODES as readonly unknown[]).includes(code);
}
