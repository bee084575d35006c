/**
 * The one connection to the adapter that all lanes share: opening, deadlines, and after an ambiguous failure the
 * closing and reopening that proves the old connection dead before anything is written again.
 *
 *     open ──ambiguous failure──▶ reopening: lanes wait ─▶ writes under way end ─▶ close ─▶ open ──▶ open
 *                                     ▲                                        │  │
 *                                     └──────────── back off, report ◀─failure─┘  └─another's─▶ fenced, for good
 *
 * An opening after the first must find the backend as this owner left it, as far as versions tell: `BackendMark`. While
 * it is another one, or an older state of it, that is a failure like others, which ends when the right one is back.
 * Once somebody else has written, memory is no longer what is stored, and nothing is written any more.
 *
 * Answers that come after their deadline are ignored: the batch has failed by then, and is written again after the
 * reopening (I2, I10).
 */

import {
  type Adapter,
  AdapterError,
  type AdapterState,
  failureKind,
  type Mutation,
  type StoredRecord,
  type WriteResult,
} from "../adapter.js";
import { BackendMark } from "../backend-mark.js";
import type { Clock } from "../clock.js";
import { type ErrorCode, isLeakDBError, LeakDBError } from "../errors.js";
import { asError, shown } from "../thrown.js";
import { withDeadline } from "../wait.js";
import { backoffDelay } from "./backoff.js";

export interface SessionOptions {
  readonly clock: Clock;
  readonly writeTimeoutMs: number;
  readonly openTimeoutMs: number;
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
  readonly batchMax: number;
  readonly batchBytesMax: number;
  /** Told of every background failure (I10). */
  readonly onFault: (error: Error) => void;
  /** Ends every call but `close`, which then rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Adapters that a storage has open: a second storage over the same object would close the first one's connection. */
const inUse = new WeakSet<Adapter>();

export class AdapterSession {
  readonly adapter: Adapter;
  readonly #options: SessionOptions;
  readonly #writing = new Set<Promise<unknown>>();
  #reopening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #endPause: (() => void) | undefined;
  #isGivenUp = false;
  /** What is known of the backend since the first opening. */
  #mark: BackendMark | undefined;
  /** Another owner has the backend: what every call rejects with from then on. */
  #fenced: Error | undefined;
  /** Bytes the backend occupies, as it last said. */
  bytes = 0;

  constructor(adapter: Adapter, options: SessionOptions) {
    this.adapter = adapter;
    this.#options = options;
  }

  /** @throws TypeError when another storage has the adapter object open */
  claim(): void {
    if (inUse.has(this.adapter)) {
      throw new TypeError(
        "this adapter object is in use by another storage: make an adapter for each storage",
      );
    }
    inUse.add(this.adapter);
  }

  async open(): Promise<AdapterState> {
    try {
      return await this.#open();
    } catch (error) {
      // What is not ours is not held on to: its lock would keep its owner out, or whoever puts the right one back.
      if (this.#mark !== undefined && isNotOurs(error)) await this.#release();
      throw error;
    }
  }

  /** Resolves when the adapter may be written to; `undefined` when it may right now. */
  ready(): Promise<void> | undefined {
    return this.#reopening;
  }

  async write(batch: readonly Mutation[]): Promise<WriteResult> {
    if (this.#closing) throw new AdapterError("the adapter is closed", { kind: "transient" });
    this.#requireOwn();
    this.#mark?.sending(batch);
    const work = this.#deadline("write", (signal) => this.adapter.write(batch, { signal })).then((result) => {
      this.#mark?.hasStored(batch, result.rejected);
      return result;
    });
    const ended = work.then(
      () => undefined,
      () => undefined,
    );
    this.#writing.add(ended);
    try {
      const result = await work;
      this.bytes = result.bytes;
      return result;
    } finally {
      this.#writing.delete(ended);
    }
  }

  async load(keys: readonly string[]): ReturnType<Adapter["load"]> {
    this.#requireOwn();
    return this.#deadline("load", () => this.adapter.load(keys));
  }

  /** Every record, or those after a key, in pages, each with the deadline of a call. */
  async *scan(
    range: { readonly after?: string } = {},
  ): AsyncGenerator<readonly StoredRecord[], void, undefined> {
    const pages = this.adapter.scan(range)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#deadline("scan", () => pages.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      // What ends early tells the adapter; what is stuck is left to its close.
      void Promise.resolve(pages.return?.()).catch(this.#options.onFault);
    }
  }

  async sync(): Promise<void> {
    await this.#reopening;
    try {
      this.#requireOwn();
      await this.#deadline("sync", () => this.adapter.sync());
    } catch (error) {
      // Whoever asked for it may have given up waiting.
      this.#options.onFault(asError(error));
      throw error;
    }
  }

  /**
   * Closes and opens until both succeed, or another owner has come; one reopening serves all who ask meanwhile. Ends
   * early on `close`.
   */
  reopen(cause: unknown): Promise<void> {
    if (this.#fenced !== undefined) return Promise.resolve();
    this.#reopening ??= this.#reopen(cause).finally(() => {
      this.#reopening = undefined;
    });
    return this.#reopening;
  }

  /** Closes and opens, once: after it nothing sent earlier may take effect. Answers nothing when it is closed meanwhile. */
  async restart(): Promise<AdapterState | undefined> {
    await Promise.all(this.#writing);
    await this.#deadline("close", () => this.adapter.close());
    return this.#closing ? undefined : this.open();
  }

  /** Nothing is written any more: a reopening ends with the attempt that is under way, for better or worse. */
  giveUp(): void {
    this.#isGivenUp = true;
    this.#endPause?.();
  }

  /** Ends a reopening, then closes the adapter. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.giveUp();
    await this.#reopening;
    try {
      await this.#deadline("close", () => this.adapter.close());
    } finally {
      inUse.delete(this.adapter);
    }
  }

  async #open(): Promise<AdapterState> {
    this.#requireOwn();
    const { clock, batchMax, batchBytesMax, onFault } = this.#options;
    const state = await this.#deadline("open", (signal) =>
      this.adapter.open({ clock, signal, limits: { batchMax, batchBytesMax }, report: onFault }),
    );
    checkState(state);
    this.#mark?.check(state, this.adapter.name);
    this.#mark ??= new BackendMark(state);
    this.bytes = state.bytes;
    return state;
  }

  /** @throws AdapterError LEAKDB_FENCED */
  #requireOwn(): void {
    if (this.#fenced !== undefined) throw this.#fenced;
  }

  async #release(): Promise<void> {
    await this.#deadline("close", () => this.adapter.close()).catch(this.#options.onFault);
  }

  async #reopen(cause: unknown): Promise<void> {
    this.#options.onFault(asError(cause));
    for (let failures = 1; !this.#isGivenUp; failures += 1) {
      try {
        await this.restart();
        return;
      } catch (error) {
        this.#options.onFault(asError(error));
        if (codeOf(error) === "LEAKDB_FENCED") {
          this.#fenced = permanently(error);
          return;
        }
        await this.#pause(backoffDelay(failures, this.#options.backoffMs, this.#options.backoffMaxMs));
      }
    }
  }

  #pause(delayMs: number): Promise<void> {
    if (this.#isGivenUp) return Promise.resolve();
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const timer = clock.setTimeout(resolve, delayMs);
      this.#endPause = () => {
        clock.clearTimeout(timer);
        resolve();
      };
    });
  }

  #deadline<T>(call: keyof Adapter, start: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, writeTimeoutMs, openTimeoutMs } = this.#options;
    const timeoutMs = call === "open" || call === "scan" ? openTimeoutMs : writeTimeoutMs;
    const signal = call === "close" ? undefined : this.#options.signal;
    signal?.throwIfAborted();
    const timeoutError = (): Error =>
      new AdapterError(`${this.adapter.name}: no answer to ${call} within ${timeoutMs} ms`, {
        kind: "ambiguous",
        code: "LEAKDB_TIMEOUT",
      });
    return withDeadline({ clock, timeoutMs, signal, timeoutError }, start);
  }
}

/** An adapter that answers nonsense, or a backend whose highest version no other could follow. @throws AdapterError */
function checkState({ storeId, highVersion }: AdapterState): void {
  const isVersion =
    Number.isSafeInteger(highVersion) && highVersion >= 0 && highVersion < Number.MAX_SAFE_INTEGER;
  if (typeof storeId === "string" && isVersion) return;
  const what = isVersion
    ? "a store id that is no string"
    : `the version ${shown(highVersion)} as its highest`;
  throw new AdapterError(`the backend answers ${what}: restore a backup, or mend the adapter`, {
    kind: "permanent",
    code: "LEAKDB_CORRUPTION",
  });
}

/** Whoever has come stays, however the adapter calls it: nothing is tried again. */
function permanently(error: unknown): Error {
  if (failureKind(error) === "permanent") return asError(error);
  const { message } = asError(error);
  return new AdapterError(message, { kind: "permanent", code: "LEAKDB_FENCED", cause: error });
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null | undefined)?.code;
}

/** The backend that was opened again is another one, or somebody else's by now. */
function isNotOurs(error: unknown): boolean {
  const code = codeOf(error);
  return code === "LEAKDB_CORRUPTION" || code === "LEAKDB_FENCED";
}

/** The user's error for a failed opening, with the adapter's own code where it has a more telling one. */
export function openError(cause: unknown, name: string): LeakDBError {
  const message = `${name} could not be opened: ${asError(cause).message}`;
  return tellingError(cause) ?? new LeakDBError("LEAKDB_OPEN_FAILED", message, { cause });
}

/** Codes of an adapter's error that say more to the user than that the call failed. */
const TELLING_CODES: ReadonlySet<ErrorCode> = new Set([
  "LEAKDB_LOCKED",
  "LEAKDB_FENCED",
  "LEAKDB_CORRUPTION",
  "LEAKDB_NOT_SUPPORTED",
]);

/** The user's error where what an adapter threw says it all; `undefined` where core has to. */
export function tellingError(cause: unknown): LeakDBError | undefined {
  const error = asError(cause);
  if (isLeakDBError(error)) return error;
  const { code } = error as Partial<AdapterError>;
  if (code === undefined || !TELLING_CODES.has(code)) return undefined;
  return new LeakDBError(code, error.message, { cause });
}
