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
/** Keys that fail alone, one after the other, until the backend rather than the keys is taken to be at fault. */
const SUSPECTS_MAX = 4;

export class WorkInHand {
  readonly #owner: LaneOwner;
  readonly #sink: Sink;
  readonly #options: LaneOptions;
  readonly #onClearEnded: (clear: Item) => void;
  readonly #parking = new Parking();
  #batch: Item[] = [];
  #part = 0;
  /** The batch is no longer in the order of first-dirty versions. */
  #isRotated = false;
  /** The sink has recovered from an ambiguous failure since the last success. */
  #hasRecovered = false;
  /** Failures in a row with no success between them. */
  failures = 0;

  constructor(owner: LaneOwner, sink: Sink, options: LaneOptions, onClearEnded: (clear: Item) => void) {
    this.#owner = owner;
    this.#sink = sink;
    this.#options = options;
    this.#onClearEnded = onClearEnded;
  }

  /** The smallest first-dirty version, `Infinity` for none. */
  get firstUnsettled(): number {
    let first = this.#batch[0]?.firstVersion ?? Infinity;
    if (this.#isRotated) for (const item of this.#batch) first = Math.min(first, item.firstVersion);
    if (this.#parking.size > 0)
      for (const item of this.#parking.items()) first = Math.min(first, item.firstVersion);
    return first;
  }

  get hasBatch(): boolean {
    return this.#batch.length > 0;
  }

  get batchLength(): number {
    return this.#batch.length;
  }

  /** False when so many keys are at fault that no others should be taken on. */
  get hasRoom(): boolean {
    return this.#parking.size < PARKED_MAX;
  }

  /** When the next parked key is due, in milliseconds since 1970; `Infinity` for never. */
  get nextDueAtMs(): number {
    return this.#parking.nextDueAtMs;
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
      const parked = this.#parking.nextDue(this.#options.clock.now());
      if (parked === undefined) return false;
      if (!this.#owner.isCancelled(parked.item)) return this.#take([parked.item], 1);
      this.drop(parked.item);
    }
  }

  /** The batch while it is cut; it is visible to W as it grows. */
  startBatch(): Item[] {
    this.#take([], 0);
    return this.#batch;
  }

  /** The whole batch goes next; false when it is empty. */
  endBatch(): boolean {
    this.#part = this.#batch.length;
    return this.#part > 0;
  }

  /** Takes the suspects as the batch, when nothing else is there to try; false when there are none. */
  takeSuspects(): boolean {
    // A sink that has recovered is up, so a lone suspect is itself at fault.
    if (this.#parking.suspects === 1 && this.#hasRecovered) this.#chargeSuspects();
    return this.#take(this.#recallSuspects(), 1);
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
    this.#hasRecovered = false;
    let retry: Error | undefined;
    for (const [index, item] of part.entries()) {
      const refusal = refusals.get(index);
      const failure = failures.get(index);
      if (refusal !== undefined) this.refuse(item, refusal);
      else if (failure === undefined) this.#settle(item);
      else if (this.#isLastAttempt(item)) this.refuse(item, failure);
      else if (item.type !== "clear") this.#park(item, failure);
      else {
        this.#take([item, ...this.#batch], 1);
        this.failures = item.attempts;
        retry = failure;
      }
    }
    this.#chargeSuspects();
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
    if (kind === "ambiguous") this.#hasRecovered = true;
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
      // A backend that refuses one thing is up.
      this.#chargeSuspects();
      return 0;
    }
    this.failures += 1;
    if (item.type !== "clear") this.#suspect(item, error);
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
    if (item.type === "clear") this.#onClearEnded(item);
    else this.#parking.leave(item.key);
  }

  #take(items: Item[], part: number): boolean {
    this.#batch = items;
    this.#part = part;
    this.#isRotated = false;
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

  /** A key failed alone: it steps aside until something else shows whether the backend is up. */
  #suspect(item: Item, error: Error): void {
    this.#batch.shift();
    this.#parking.park(item, error, Infinity, true);
    if (this.#parking.suspects < SUSPECTS_MAX || this.#batch.length === 0) return;
    // So many, one after the other: it seems to be the backend. None is charged, and others are tried before them.
    this.#take([...this.#batch, ...this.#recallSuspects()], 1);
    this.#isRotated = true;
  }

  /** Suspects out of the parking in the order of their versions; one with followers keeps its place there too. */
  #recallSuspects(): Item[] {
    const items = this.#parking.takeSuspects().map((parked) => parked.item);
    for (const item of items)
      if (this.#parking.get(item.key)?.followers.length === 0) this.#parking.leave(item.key);
    return items.sort((a, b) => a.firstVersion - b.firstVersion);
  }

  /** The backend is up, so each suspect's failure was its own. */
  #chargeSuspects(): void {
    if (this.#parking.size === 0) return;
    for (const { item, error } of this.#parking.takeSuspects()) {
      if (this.#isLastAttempt(item)) this.refuse(item, error);
      else this.#park(item, error);
    }
  }

  /** Counts one failed attempt of the item. */
  #isLastAttempt(item: Item): boolean {
    item.attempts += 1;
    return item.attempts >= this.#options.maxAttempts;
  }

  #park(item: Item, error: Error): void {
    const { clock, backoffMs, backoffMaxMs } = this.#options;
    const delayMs = backoffDelay(item.attempts, backoffMs, backoffMaxMs);
    this.#parking.park(item, error, clock.now() + delayMs, false);
    this.#owner.retrying({ error, items: 1, delayMs });
  }
}
