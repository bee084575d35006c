/**
 * Write-through: the backend first, then memory. Mutations of different keys share batches; the lanes answer each
 * item once, and the operation that waits for it rejects or goes on.
 *
 *     ThroughWriter ─▶ write(item) ─▶ Lane ─▶ adapter ─▶ settled ─▶ the operation commits to memory
 *
 * Nobody waits for ever (I10): an item that could not be sent by its deadline is taken back, one that was sent is
 * answered by the session's deadline. A rejected write changes nothing (I8); whether an ambiguous one did is
 * `LEAKDB_PERHAPS_APPLIED`.
 */

import { type FailureKind, failureKind } from "../adapter.js";
import type { Clock, TimerHandle } from "../clock.js";
import { isLeakDBError, LeakDBError } from "../errors.js";
import { Backpressure } from "../queue/backpressure.js";
import { type BarrierOwner, Barriers } from "../queue/barriers.js";
import type { Item } from "../queue/item.js";
import type { DeadLetter } from "../reports.js";
import { asError } from "../thrown.js";
import { startWait, type WaitOptions } from "../wait.js";
import type { AdapterSession } from "../worker/adapter-session.js";
import type { LaneOwner, Retry } from "../worker/lane-owner.js";
import { Lanes } from "../worker/lanes.js";
import type { Sink, SinkResult } from "../worker/sink.js";
import type { Events } from "./events.js";
import { KeyChains } from "./key-chains.js";
import type { ResolvedQueueOptions } from "./options.js";
import type { Pipeline } from "./pipeline.js";
import type { Versions } from "./versions.js";

export interface WriteThroughParts {
  readonly versions: Versions;
  readonly events: Events;
  readonly clock: Clock;
  readonly sink: Sink;
  readonly session: AdapterSession;
  readonly lanes: number;
  readonly options: ResolvedQueueOptions;
}

interface Pending {
  readonly resolve: () => void;
  readonly reject: (error: LeakDBError) => void;
  readonly timer: TimerHandle;
  /** Tries that failed for no fault of the item's own. */
  tries: number;
  isInFlight: boolean;
  /** Its time is over; what is in flight may still be answered. */
  isOverdue: boolean;
}

export class WriteThrough implements LaneOwner, BarrierOwner, Pipeline {
  readonly #parts: WriteThroughParts;
  readonly #lanes: Lanes;
  readonly #pending = new Map<Item, Pending>();
  readonly #operations = new Set<Promise<unknown>>();
  readonly chains = new KeyChains({
    keyLeft: (key) => this.barriers.keySettled(key, Infinity),
    prefixLeft: (prefix) => this.barriers.prefixSettled(prefix, Infinity),
  });
  readonly backpressure: Backpressure;
  readonly barriers: Barriers;
  readonly coalesced = 0;
  readonly deadLetterCount = 0;
  stored = 0;
  retries = 0;

  constructor(parts: WriteThroughParts) {
    this.#parts = parts;
    const { options, events, clock } = parts;
    this.backpressure = new Backpressure(options, () => events.emit("drain"));
    this.barriers = new Barriers(this);
    const laneOptions = { ...options, clock, coalesce: false, writeDelayMs: 0 };
    this.#lanes = new Lanes(parts.lanes, this.#watched(parts.sink), this, laneOptions);
  }

  get lastVersion(): number {
    return this.#parts.versions.last;
  }

  /**
   * Resolves when the item is stored. Its version must be the last one issued.
   * @throws LEAKDB_ADAPTER_REJECTED, LEAKDB_ADAPTER_UNAVAILABLE, LEAKDB_TIMEOUT (nothing was applied),
   *   LEAKDB_ENCODE_FAILED, LEAKDB_PERHAPS_APPLIED
   */
  write(item: Item): Promise<void> {
    const { clock, options } = this.#parts;
    return new Promise((resolve, reject) => {
      const timer = clock.setTimeout(() => this.#expire(item), options.writeTimeoutMs);
      this.#pending.set(item, { resolve, reject, timer, tries: 0, isInFlight: false, isOverdue: false });
      if (item.type === "clear") this.#lanes.queue.pushClear(item);
      else this.#lanes.queue.pushItem(item);
      this.#lanes.makeAllDue(item.version);
    });
  }

  /** Whatever has been asked for and not answered yet is waited for by `flush` and by `close`. */
  track(operation: Promise<unknown>): void {
    const end = (): void => {
      this.#operations.delete(ended);
    };
    const ended: Promise<void> = operation.then(end, end);
    this.#operations.add(ended);
  }

  /** Resolves when every operation asked for before the call has been answered. */
  async flush(barrier: { version: number; synced: boolean }, options: WaitOptions): Promise<void> {
    this.#lanes.hurry();
    // One deadline for both, counted from the call.
    const wait = startWait(options);
    const { timeoutError, clock } = options;
    void Promise.all(this.#operations)
      .then(() => this.barriers.wait(barrier, { clock, timeoutMs: Infinity, timeoutError }))
      .then(wait.resolve, wait.reject);
    await wait.promise;
  }

  storedUpTo(): number {
    const first = this.#lanes.firstUnsettled;
    return first === Infinity ? this.#parts.versions.last : first - 1;
  }

  /** Any outcome of the key's next operation ends the wait: what has a version and an answer is stored. */
  unsettledVersion(key: string): number | undefined {
    return this.chains.has(key) ? 0 : undefined;
  }

  failure(): undefined {
    return undefined;
  }

  sync(): Promise<void> {
    return this.#parts.session.sync();
  }

  settled(item: Item): void {
    this.stored += 1;
    this.#take(item)?.resolve();
  }

  dropped(item: Item): void {
    this.#take(item);
  }

  refused(item: Item, error: Error): void {
    this.#take(item)?.reject(rejection(error));
  }

  superseded(): void {
    throw new Error("write-through does not coalesce: no item supersedes another");
  }

  isCancelled(item: Item): boolean {
    return !this.#pending.has(item);
  }

  keeps(item: Item, error: Error, kind: FailureKind): boolean {
    const pending = this.#pending.get(item);
    if (kind === "permanent") return true;
    if (pending !== undefined) pending.tries += 1;
    const isOver = (pending?.tries ?? 0) >= this.#parts.options.maxAttempts || pending?.isOverdue !== false;
    if (kind === "transient" && !isOver) return true;
    // After an ambiguous failure it has been answered already.
    this.#take(item)?.reject(unavailable(error));
    return false;
  }

  answered(): void {
    this.barriers.advance();
  }

  retrying(retry: Retry): void {
    this.retries += 1;
    this.#parts.events.emit("retry", retry);
  }

  /** None: a mutation that is refused is a rejection of the operation that asked for it. */
  deadLetters(): DeadLetter[] {
    return [];
  }

  /** Operations that have not been answered, for whoever has to say so at the close. */
  unwritten(): Item[] {
    return [...this.#pending.keys()];
  }

  /** Nothing more is sent: what has not been is taken back, and its operation rejects. */
  async stop(): Promise<void> {
    for (const [item, pending] of this.#pending) {
      if (pending.isInFlight) continue;
      const message = "the storage was closed before this write could be sent: nothing was applied";
      this.#take(item)?.reject(new LeakDBError("LEAKDB_CLOSED", message));
    }
    await this.#lanes.stop();
  }

  /** The sink, with a note on each item while it is being written. */
  #watched(sink: Sink): Sink {
    const mark = (batch: readonly Item[], isInFlight: boolean): void => {
      for (const item of batch) {
        const pending = this.#pending.get(item);
        if (pending !== undefined) pending.isInFlight = isInFlight;
      }
    };
    return {
      prepare: (item) => sink.prepare(item),
      ready: () => sink.ready(),
      recover: (error) => sink.recover(error),
      isUp: (batch) => sink.isUp(batch),
      write: async (batch): Promise<SinkResult> => {
        mark(batch, true);
        try {
          const result = await sink.write(batch);
          mark(batch, false);
          return result;
        } catch (error) {
          if (failureKind(error) === "ambiguous") this.#perhapsApplied(batch, asError(error), sink);
          else mark(batch, false);
          throw error;
        }
      },
    };
  }

  /** Nobody waits for the reopening, which may take for ever; but it has begun, so that whoever asks now waits for it. */
  #perhapsApplied(batch: readonly Item[], error: Error, sink: Sink): void {
    // The lane asks for the same one, and sees to its failure.
    sink.recover(error).catch(() => undefined);
    for (const item of batch) this.#take(item)?.reject(perhapsApplied(error));
  }

  #take(item: Item): Pending | undefined {
    const pending = this.#pending.get(item);
    if (pending === undefined) return undefined;
    this.#pending.delete(item);
    this.#parts.clock.clearTimeout(pending.timer);
    return pending;
  }

  #expire(item: Item): void {
    // What is in flight has a deadline of its own, and an answer that says more than this could.
    const pending = this.#pending.get(item);
    if (pending?.isInFlight) pending.isOverdue = true;
    else this.#take(item)?.reject(timedOut(this.#parts.options.writeTimeoutMs));
  }
}

/** Nothing was applied: the write never left. */
export function timedOut(timeoutMs: number): LeakDBError {
  return new LeakDBError(
    "LEAKDB_TIMEOUT",
    `the write could not be sent within ${timeoutMs} ms, and was taken back: nothing was applied. Try again later`,
  );
}

function rejection(error: Error): LeakDBError {
  if (isLeakDBError(error)) return error;
  const message = `the backend refused the write, and nothing changed: ${error.message}`;
  return new LeakDBError("LEAKDB_ADAPTER_REJECTED", message, { cause: error });
}

function unavailable(error: Error): LeakDBError {
  const message = `the backend does not take writes, and nothing changed: ${error.message}. Try again later`;
  return new LeakDBError("LEAKDB_ADAPTER_UNAVAILABLE", message, { cause: error });
}

function perhapsApplied(error: Error): LeakDBError {
  const message =
    `whether the write was applied is not known: ${error.message}. ` +
    "Memory shows the last value known to be stored; the next operation on the key asks the backend first";
  return new LeakDBError("LEAKDB_PERHAPS_APPLIED", message, { cause: error });
}
