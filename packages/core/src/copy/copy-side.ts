/**
 * One side of a copy: an adapter that nobody else has open, and patience with it. What fails in passing is tried again
 * after a pause; what may have happened is preceded by a close and an opening; what fails for good, or too often in a
 * row, is an error of the user's.
 *
 *     call ──ok──▶ answer
 *       ▲ └─transient─▶ back off ──┐
 *       │ └─ambiguous─▶ back off ─▶ close, open
 *       └──────────────────────────┘
 *
 * Keeps:
 * - One call at a time, beside a scan that is being read: a restart takes nobody else's connection down.
 * - No call outlives an abort (I10): each rejects with the signal's reason.
 */

import {
  type Adapter,
  type AdapterState,
  failureKind,
  type Mutation,
  type StoredRecord,
} from "../adapter.js";
import { LeakDBError } from "../errors.js";
import { nextTurn } from "../next-turn.js";
import { Events } from "../storage/events.js";
import { asError } from "../thrown.js";
import { startWait } from "../wait.js";
import { AdapterSession, openError, tellingError } from "../worker/adapter-session.js";
import { backoffDelay } from "../worker/backoff.js";
import type { ResolvedCopyOptions } from "./copy-options.js";

/** Stands between the pages of a scan without an order that had to begin anew: what it yielded comes again. */
export const AGAIN = "again";

export type Page = readonly StoredRecord[];

/** What a backend will not take: one mutation of the batch, or the batch as a whole. */
interface Refusal {
  readonly index: number | undefined;
  readonly error: unknown;
}

export class CopySide {
  readonly adapter: Adapter;
  readonly #session: AdapterSession;
  readonly #options: ResolvedCopyOptions;
  readonly #events = new Events();
  /** A call may have been applied, or may still be: the adapter is closed and opened before the next. */
  #isSuspect = false;
  /** What the last restart answered. */
  #state: AdapterState | undefined;
  #lastFault: Error | undefined;

  constructor(adapter: Adapter, options: ResolvedCopyOptions) {
    this.adapter = adapter;
    this.#options = options;
    this.#session = new AdapterSession(adapter, { ...options, onFault: (error) => this.report(error) });
    if (options.onFault !== undefined) this.#events.on("fault", options.onFault);
  }

  get name(): string {
    return this.adapter.name;
  }

  /** @throws TypeError when a storage has the adapter open */
  claim(): void {
    this.#session.claim();
  }

  /** Tried once, as the storages do. @throws LEAKDB_OPEN_FAILED, LEAKDB_LOCKED, LEAKDB_CORRUPTION, … */
  async open(): Promise<AdapterState> {
    try {
      return await this.#session.open();
    } catch (cause) {
      this.#options.signal?.throwIfAborted();
      throw openError(cause, this.name);
    }
  }

  /** Closes and opens, so that what is read from now on is what was stored. */
  async reopen(): Promise<AdapterState> {
    this.#isSuspect = true;
    return this.#patiently(async () => this.#state as AdapterState);
  }

  async load(keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
    return this.#patiently(() => this.#session.load(keys));
  }

  async sync(): Promise<void> {
    return this.#patiently(() => this.#session.sync());
  }

  /**
   * Resolves when everything in the batch is stored. One that is refused as a whole is halved to find out why.
   * @throws LEAKDB_ADAPTER_REJECTED, naming the key
   */
  async write(batch: readonly Exclude<Mutation, { type: "clear" }>[]): Promise<void> {
    const refusal = await this.#patiently(() => this.#send(batch));
    if (refusal === undefined) return;
    if (refusal.index === undefined && batch.length > 1) {
      const middle = batch.length >>> 1;
      await this.write(batch.slice(0, middle));
      return this.write(batch.slice(middle));
    }
    const key = JSON.stringify(batch[refusal.index ?? 0]?.key);
    throw new LeakDBError(
      "LEAKDB_ADAPTER_REJECTED",
      `${this.name} refuses ${key} for good: ${asError(refusal.error).message}; change or delete it in the source, ` +
        "then copy to a new store, or copy to another adapter",
      { cause: refusal.error },
    );
  }

  /**
   * Every record. A scan that fails goes on behind the last key, or, where keys have no order, from the beginning,
   * and yields {@link AGAIN} first.
   */
  async *pages(): AsyncGenerator<Page | typeof AGAIN, void, undefined> {
    const { ordered } = this.adapter.capabilities;
    let after: string | undefined;
    for (let failures = 0; ; ) {
      try {
        if (this.#isSuspect) await this.#restart();
        for await (const page of this.#session.scan(after === undefined ? {} : { after })) {
          if (page.length > 0) yield page;
          // Without an order there is nothing to go on from, so that a page read is no progress.
          if (ordered) failures = 0;
          if (ordered) after = page.at(-1)?.key ?? after;
          await nextTurn();
        }
        return;
      } catch (error) {
        failures += 1;
        await this.#recover(error, failures);
        if (!ordered) yield AGAIN;
      }
    }
  }

  /** Tells of a fault, once: the session tells of a failed sync by itself, and the caller meets the same error again. */
  report(error: Error): void {
    if (error === this.#lastFault) return;
    this.#lastFault = error;
    this.#events.emit("fault", error);
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  /** A permanent failure is an answer here: it says something of the batch. */
  async #send(batch: readonly Mutation[]): Promise<Refusal | undefined> {
    try {
      const { rejected = [] } = await this.#session.write(batch);
      return rejected[0];
    } catch (error) {
      if (failureKind(error) !== "permanent" || tellingError(error) !== undefined) throw error;
      return { index: undefined, error };
    }
  }

  async #patiently<T>(call: () => Promise<T>): Promise<T> {
    for (let failures = 1; ; failures += 1) {
      try {
        if (this.#isSuspect) await this.#restart();
        return await call();
      } catch (error) {
        await this.#recover(error, failures);
      }
    }
  }

  async #restart(): Promise<void> {
    this.#state = await this.#session.restart();
    this.#isSuspect = false;
  }

  /** Returns when the call may be tried again. @throws what the copy ends with, else */
  async #recover(thrown: unknown, failures: number): Promise<void> {
    const { signal, maxAttempts, backoffMs, backoffMaxMs } = this.#options;
    signal?.throwIfAborted();
    const kind = failureKind(thrown);
    if (kind === "permanent" || failures >= maxAttempts) throw this.#failure(thrown, kind !== "permanent");
    this.report(asError(thrown));
    if (kind === "ambiguous") this.#isSuspect = true;
    await this.#pause(backoffDelay(failures, backoffMs, backoffMaxMs));
  }

  #failure(cause: unknown, retryable: boolean): LeakDBError {
    const telling = tellingError(cause);
    if (telling !== undefined) return telling;
    const message = `${this.name}: ${asError(cause).message}; copy again, and it goes on from here`;
    return new LeakDBError("LEAKDB_ADAPTER_UNAVAILABLE", message, { cause, retryable });
  }

  async #pause(delayMs: number): Promise<void> {
    const { clock, signal } = this.#options;
    // Whoever was told of the fault may have given up at that.
    signal?.throwIfAborted();
    const timeoutError = (): Error => new Error("a pause has no deadline");
    const wait = startWait({ clock, timeoutMs: Number.POSITIVE_INFINITY, signal, timeoutError }, () =>
      clock.clearTimeout(timer),
    );
    const timer = clock.setTimeout(wait.resolve, delayMs);
    return wait.promise;
  }
}
