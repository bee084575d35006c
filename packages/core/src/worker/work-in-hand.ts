/**
 * What one lane has taken and not settled, and what follows from each answer of the sink. No I/O and no timers: the
 * lane sends and waits, this decides.
 *
 *     batch    in order; its first part is what goes next, all of it while the lane flows
 *     parking  keys that failed by themselves; a key that is tried again keeps its place there
 *
 *              ┌───────── success ─────────┐
 *              ▼                           │
 *     idle ─▶ flowing ──failure──▶ probing: halve the part, back off, try it
 *              ▲                           │ a part of one fails alone
 *              │                           ▼
 *              └── park the key, go on ◀── suspect: the next success says it was the key, not the backend
 *
 * A clear never steps aside: what is newer must not overtake it (I1). Everything here is bounded (I5): one batch, and
 * the parking, which the lane takes nothing further for once it is full.
 */

import type { FailureKind } from "../adapter.js";
import type { Item } from "../queue/item.js";
import { asError } from "./adapter-session.js";
import { backoffDelay } from "./backoff.js";
import { prepareOnce } from "./cut-batch.js";
import type { LaneOptions, LaneOwner } from "./lane-owner.js";
import { Parking } from "./parking.js";
import type { Sink, SinkResult } from "./sink.js";

/** Keys parked at once; with more than these at fault, the lane waits for them instead of taking on others. */
const PARKED_MAX = 1_000;
export interface WorkEvents {
  /** A clear is settled, dropped or refused: what is newer may go. */
  clearEnded(clear: Item): void;
  /** To be called back after `delayMs`; returns what takes that back. */
  after(delayMs: number, callback: () => void): () => void;
}

export class WorkInHand {
  readonly #owner: LaneOwner;
  readonly #sink: Sink;
  readonly #options: LaneOptions;
  readonly #events: WorkEvents;
  readonly #parking = new Parking();
  #batch: Item[] = [];
  #part = 0;
  /** The batch is a parked key that is tried again. */
  #isParkedBatch = false;
  /** Failures in a row with no success between them. */
  failures = 0;

  constructor(owner: LaneOwner, sink: Sink, options: LaneOptions, events: WorkEvents) {
    this.#owner = owner;
    this.#sink = sink;
    this.#options = options;
    this.#events = events;
  }

  /** The smallest first-dirty version, `Infinity` for none. */
  get firstUnsettled(): number {
    let first = this.#batch[0]?.firstVersion ?? Infinity;
    if (this.#parking.size > 0)
      for (const item of this.#parking.items()) first = Math.min(first, item.firstVersion);
    return first;
  }

  get hasBatch(): boolean {
    return this.#batch.length > 0;
  }

  /** How many items are in hand. */
  get size(): number {
    return this.#parking.size + (this.#isParkedBatch ? 0 : this.#batch.length);
  }

  /** False when so many keys are at fault that no others should be taken on. */
  get hasRoom(): boolean {
    return this.#parking.size < PARKED_MAX;
  }

  /** Whatever is parked without being known to be at fault is tried at once; true when there is any. */
  hurry(): boolean {
    return this.#parking.hurrySuspects();
  }

  stop(): void {
    this.#parking.cancelTimers();
  }

  *items(): Generator<Item, void, undefined> {
    for (const item of this.#batch) if (this.#parking.get(item.key)?.item !== item) yield item;
    yield* this.#parking.items();
  }

  /** True while an older mutation that the clear covers is parked. */
  parksBefore(clear: Item): boolean {
    if (this.#parking.size === 0) return false;
    for (const item of this.#parking.items()) {
      const isCovered = item.firstVersion < clear.version && item.key.startsWith(clear.key);
      if (isCovered && !this.#owner.isCancelled(item)) return true;
    }
    return false;
  }

  /** Takes a parked key that is due as the batch; false when there is none. */
  takeParked(): boolean {
    for (;;) {
      const parked = this.#parking.nextDue();
      if (parked === undefined) return false;
      if (this.#owner.isCancelled(parked.item)) {
        this.drop(parked.item);
        continue;
      }
      this.#take([parked.item], 1);
      this.#isParkedBatch = true;
      return true;
    }
  }

  /** The batch while it is cut; it is visible to W as it grows. */
  startBatch(): Item[] {
    this.#take([], 0);
    return this.#batch;
  }

  /** The whole batch goes next, or while nothing succeeds its first item; false when it is empty. */
  endBatch(): boolean {
    this.#part = this.failures > 0 ? 1 : this.#batch.length;
    return this.#batch.length > 0;
  }

  /** A newer item of a parked key joins it there; false when its key is not parked. */
  join(item: Item): boolean {
    const parked = item.type === "clear" ? undefined : this.#parking.get(item.key);
    if (parked === undefined) return false;
    if (!this.#options.coalesce) {
      this.#parking.follow(parked, item);
      return true;
    }
    item.attempts = parked.item.attempts;
    item.firstVersion = Math.min(item.firstVersion, parked.item.firstVersion);
    this.#owner.superseded(parked.item, item);
    parked.item = item;
    return true;
  }

  /** What goes next; empty when nothing of the batch can be sent. */
  nextPart(): readonly Item[] {
    this.#dropUnsendable();
    return this.#part >= this.#batch.length ? this.#batch : this.#batch.slice(0, this.#part);
  }

  /** Settles what the sink has answered; an error when a clear has to be tried again before anything else. */
  succeeded(part: readonly Item[], { rejected = [], failed = [] }: SinkResult): Error | undefined {
    const refusals = new Map(rejected.map(({ index, error }) => [index, error]));
    const failures = new Map(failed.map(({ index, error }) => [index, error]));
    this.#batch = part.length === this.#batch.length ? [] : this.#batch.slice(part.length);
    this.#part = Math.min(this.#part * 2, this.#batch.length);
    this.failures = 0;
    let retry: Error | undefined;
    for (const [index, item] of part.entries()) {
      const refusal = refusals.get(index);
      const failure = failures.get(index);
      if (refusal !== undefined) this.refuse(item, refusal);
      else if (failure === undefined) this.#settle(item);
      else if (this.#isLastAttempt(item)) this.refuse(item, failure);
      else if (item.type !== "clear") this.#park(item, failure, false);
      else {
        this.#take([item, ...this.#batch], 1);
        this.failures = item.attempts;
        retry = failure;
      }
    }
    return retry;
  }

  /**
   * The part as a whole failed, and after an ambiguous failure the sink has recovered: nothing of it is settled but
   * what its owner gives up. The count of failures to back off for, 0 to go on at once.
   */
  failed(part: readonly Item[], error: Error, kind: FailureKind): number {
    const given = new Set(part.filter((item) => !this.#owner.keeps(item, error, kind)));
    if (given.size > 0) this.#batch = this.#batch.filter((item) => !given.has(item));
    for (const item of given) this.#letGo(item);
    const left = part.length - given.size;
    this.#part = Math.max(1, Math.ceil(left / 2));
    if (left === 0) return 0;
    if (part.length > 1) {
      if (kind === "permanent") return 0;
      // Halving goes on at the pace of a first failure; the pace slows down once a single item fails.
      this.failures = Math.max(this.failures, 1);
      return 1;
    }
    const item = part[0] as Item;
    if (kind === "permanent") {
      this.#batch.shift();
      this.refuse(item, error);
      return 0;
    }
    this.failures += 1;
    if (item.type !== "clear") {
      this.#batch.shift();
      this.#park(item, error, true);
      // The sink answered, and has recovered since: it is up. Silence says nothing of the kind.
      if (kind === "ambiguous" && !isTimeout(error)) this.chargeSuspects();
    }
    return this.failures;
  }

  drop(item: Item): void {
    this.#letGo(item);
    this.#owner.dropped(item);
  }

  refuse(item: Item, error: Error): void {
    this.#letGo(item);
    this.#owner.refused(item, error);
  }

  #settle(item: Item): void {
    this.#letGo(item);
    this.#owner.settled(item);
  }

  #letGo(item: Item): void {
    if (item.type === "clear") this.#events.clearEnded(item);
    else this.#parking.leave(item.key);
  }

  #take(items: Item[], part: number): boolean {
    this.#batch = items;
    this.#part = part;
    this.#isParkedBatch = false;
    return items.length > 0;
  }

  /** Before a retry: what was cancelled meanwhile goes, and what joined a parked key unprepared is prepared. */
  #dropUnsendable(): void {
    if (this.failures === 0 && this.#batch.every((item) => item.bytes >= 0)) return;
    const isSendable = (item: Item): boolean => {
      if (this.#owner.isCancelled(item)) {
        this.drop(item);
        return false;
      }
      try {
        prepareOnce(item, this.#sink);
        return true;
      } catch (error) {
        this.refuse(item, asError(error));
        return false;
      }
    };
    const sendable = this.#batch.filter(isSendable);
    if (sendable.length < this.#batch.length) this.#batch = sendable;
  }

  /** The backend is up, so each suspect's failure was its own. */
  chargeSuspects(): void {
    if (this.#parking.size === 0) return;
    for (const { item, error } of this.#parking.takeSuspects()) {
      if (this.#isLastAttempt(item)) this.refuse(item, error);
    }
  }

  /** Counts one failed attempt of the item. */
  #isLastAttempt(item: Item): boolean {
    item.attempts += 1;
    return item.attempts >= this.#options.maxAttempts;
  }

  #park(item: Item, error: Error, isSuspect: boolean): void {
    const { backoffMs, backoffMaxMs } = this.#options;
    const parked = this.#parking.park(item, error);
    const delayMs = backoffDelay(parked.failures, backoffMs, backoffMaxMs);
    parked.isSuspect = isSuspect;
    parked.cancelTimer = this.#events.after(delayMs, () => {
      parked.isDue = true;
    });
    // Of a suspect the lane tells, which pauses for it.
    if (!isSuspect) this.#owner.retrying({ error, items: 1, delayMs });
  }
}

function isTimeout(error: Error): boolean {
  return (error as { code?: unknown }).code === "LEAKDB_TIMEOUT";
}
