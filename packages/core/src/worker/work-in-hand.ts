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
 *              └──── the next success ── suspect: the key or the backend?
 *
 * A suspect that failed within a few tries of a success, with another success after it, was itself at fault: that
 * counts as one of its attempts, and it is parked with a backoff of its own. One that failed later in a row of
 * failures met a backend that was down: it is not charged, and goes back into the batch
 * (docs/decisions/0004-lanes-and-suspects.md).
 *
 * A clear never steps aside: what is newer must not overtake it (I1). Everything here is bounded (I5): one batch, and
 * the parking, which the lane takes nothing further for once it is full.
 */

import type { FailureKind } from "../adapter.js";
import type { Item } from "../queue/item.js";
import { asError } from "../thrown.js";
import { backoffDelay } from "./backoff.js";
import { partWithin, prepareOnce } from "./cut-batch.js";
import type { LaneOptions, LaneOwner, WorkEvents } from "./lane-owner.js";
import { type Parked, Parking } from "./parking.js";
import type { Sink, SinkResult } from "./sink.js";

/** Tries after a success in which the backend still counts as up; a row of failures longer than this is its own. */
const PROVISIONAL_TRIES = 3;
/** Failed tries in a row from which on nothing is tried sooner than the backoff says. */
const LONG_DOWN_TRIES = 60;
/** Keys parked at once; with more than these at fault, the lane waits for them instead of taking on others. */
const PARKED_MAX = 1_000;
export class WorkInHand {
  readonly #owner: LaneOwner;
  readonly #sink: Sink;
  readonly #options: LaneOptions;
  readonly #events: WorkEvents;
  readonly #parking = new Parking();
  #batch: Item[] = [];
  #part = 0;
  #isParkedBatch = false;
  /** The batch holds what came back from the parking, out of the order of first-dirty versions. */
  #isMixed = false;
  /** A batch is being cut: nothing is recalled into it, for a newer item of the same key may still come. */
  #isCutting = false;
  /** Items that have left so far. */
  left = 0;
  /** Single items that failed in a row, with no success between them. */
  failures = 0;
  /** Tries of any size that failed in a row. */
  #failedTries = 0;

  constructor(owner: LaneOwner, sink: Sink, options: LaneOptions, events: WorkEvents) {
    this.#owner = owner;
    this.#sink = sink;
    this.#options = options;
    this.#events = events;
  }

  /** The smallest first-dirty version, `Infinity` for none. */
  get firstUnsettled(): number {
    let first = this.#batch[0]?.firstVersion ?? Infinity;
    if (!this.#isMixed && this.#parking.size === 0) return first;
    for (const item of this.items()) first = Math.min(first, item.firstVersion);
    return first;
  }

  get hasBatch(): boolean {
    return this.#batch.length > 0;
  }

  /** True when the part is the whole batch, and nothing has failed. */
  isFlowing(part: readonly Item[]): boolean {
    return this.#failedTries === 0 && this.#parking.size === 0 && part.length === this.#batch.length;
  }

  /** False when so many keys are at fault that no others should be taken on. */
  get hasRoom(): boolean {
    return this.#parking.size < PARKED_MAX;
  }

  get size(): number {
    return this.#parking.size + (this.#isParkedBatch ? 0 : this.#batch.length);
  }

  get isLongDown(): boolean {
    return this.#failedTries > LONG_DOWN_TRIES;
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
    for (const item of this.#parking.items()) {
      // By its place in the queue, which is later than its version when it is tried again by hand.
      const isEarlier = item.firstVersion <= Math.max(clear.version, clear.firstVersion);
      const isCovered = isEarlier && item.key.startsWith(clear.key);
      if (isCovered && !this.#owner.isCancelled(item)) return true;
    }
    return false;
  }

  /** Takes a parked key that is due as the batch; false when there is none. */
  takeParked(): boolean {
    return this.#takeFrom(() => this.#parking.nextDue());
  }

  /** Takes the suspect that has not been tried for longest as the batch; false when there is none. */
  takeSuspect(): boolean {
    return this.#takeFrom(() => this.#parking.nextSuspect());
  }

  /** The batch while it is cut; it is visible to W as it grows. */
  startBatch(): Item[] {
    this.#take([], 0);
    this.#isCutting = true;
    return this.#batch;
  }

  /** The whole batch goes next, or while nothing succeeds its first item; false when it is empty. */
  endBatch(): boolean {
    this.#isCutting = false;
    this.#part = this.failures > 0 ? 1 : this.#batch.length;
    return this.#batch.length > 0;
  }

  /** A newer item of a parked key joins it there; false when its key is not parked. */
  join(item: Item): boolean {
    const parked = item.type === "clear" ? undefined : this.#parking.get(item.key);
    if (parked === undefined) return false;
    if (this.#options.coalesce) this.#owner.superseded(this.#parking.replace(parked, item), item);
    else this.#parking.follow(parked, item);
    return true;
  }

  /** What goes next; empty when nothing of the batch can be sent. */
  nextPart(): readonly Item[] {
    this.#dropUnsendable();
    // A copy: what is recalled while the part is in flight joins the batch, not the part.
    return partWithin(this.#batch, this.#part, this.#options);
  }

  /** Settles what the sink has answered; an error when a clear has to be tried again before anything else. */
  succeeded(part: readonly Item[], { rejected = [], failed = [] }: SinkResult): Error | undefined {
    const refusals = new Map(rejected.map(({ index, error }) => [index, error]));
    const failures = new Map(failed.map(({ index, error }) => [index, error]));
    this.#batch = this.#batch.slice(part.length);
    this.#part *= 2;
    let retry: Error | undefined;
    for (const [index, item] of part.entries()) {
      const refusal = refusals.get(index);
      const failure = failures.get(index);
      if (refusal !== undefined) this.refuse(item, refusal);
      else if (failure === undefined) {
        this.#letGo(item);
        this.#owner.settled(item);
      } else if (this.#isLastAttempt(item)) this.refuse(item, failure);
      else if (item.type !== "clear") this.#park(item, failure);
      else {
        this.#batch = [item, ...this.#batch];
        this.#part = 1;
        retry = failure;
      }
    }
    this.failures = retry === undefined ? 0 : (part[0] as Item).attempts;
    return retry;
  }

  /** The sink took or refused something, here or in another lane: it is up, and what that says of suspects is done. */
  sinkIsUp(): void {
    this.#failedTries = 0;
    if (this.#parking.size === 0) return;
    const isFirstOfBatch = this.#batch.length === 0;
    for (const parked of this.#parking.suspects()) {
      const { item, error, isProvisional } = parked;
      // One that is being tried right now answers for itself.
      if (this.#batch.includes(item)) continue;
      if (this.#owner.isCancelled(item)) this.drop(item);
      else if (isProvisional) this.#charge(item, error);
      else if (!this.#isCutting) this.#recall(parked);
    }
    // They start with one, so that a key at fault fails right after this success; a growing part is soon done.
    if (isFirstOfBatch) this.#part = 1;
  }

  /**
   * The part as a whole failed, and after an ambiguous failure the sink has recovered: nothing of it is settled but
   * what its owner gives up. The count of failures to back off for, 0 to go on at once.
   */
  failed(part: readonly Item[], error: Error, kind: FailureKind): number {
    this.#failedTries += 1;
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
    if (item.type === "clear") return this.failures;
    this.#batch.shift();
    const parked = this.#parking.park(item, error);
    parked.isSuspect = true;
    parked.isProvisional ||= this.#failedTries <= PROVISIONAL_TRIES;
    this.dropCancelled();
    return this.failures;
  }

  /** The backend answers for the part, which failed alone, and so is up: the failure was the item's own. */
  chargeAlone(part: readonly Item[]): void {
    const parked = part.length === 1 ? this.#parking.get((part[0] as Item).key) : undefined;
    if (parked?.isSuspect) this.#charge(parked.item, parked.error);
  }

  drop(item: Item): void {
    this.#letGo(item);
    this.#owner.dropped(item);
  }

  /** What a clear has cancelled leaves the parking before the clear goes; what is being tried answers for itself. */
  dropCancelled(): void {
    for (const item of [...this.#parking.items()])
      if (this.#owner.isCancelled(item) && !this.#batch.includes(item)) this.drop(item);
  }

  refuse(item: Item, error: Error): void {
    this.#letGo(item);
    this.#owner.refused(item, error);
  }

  #letGo(item: Item): void {
    this.left += 1;
    if (item.type === "clear") this.#events.clearEnded(item);
    else this.#parking.leave(item.key);
  }

  #take(items: Item[], part: number): boolean {
    this.#batch = items;
    this.#part = part;
    this.#isParkedBatch = false;
    this.#isMixed = false;
    return items.length > 0;
  }

  /** What was cancelled since it was taken is never sent; what joined a parked key unprepared is prepared. */
  #dropUnsendable(): void {
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
    this.#batch = this.#batch.filter(isSendable);
  }

  #takeFrom(next: () => Parked | undefined): boolean {
    for (;;) {
      const parked = next();
      if (parked === undefined) return false;
      if (!this.#owner.isCancelled(parked.item)) {
        this.#take([parked.item], 1);
        this.#isParkedBatch = true;
        return true;
      }
      this.drop(parked.item);
    }
  }

  /** Back into the batch, uncharged; a key with followers keeps its place in the parking too, to hold them back. */
  #recall(parked: Parked): void {
    Object.assign(parked, { isSuspect: false, isProvisional: false });
    if (parked.followers.length === 0) this.#parking.leave(parked.item.key);
    this.#batch.push(parked.item);
    this.#isMixed = true;
  }

  #charge(item: Item, error: Error): void {
    if (this.#isLastAttempt(item)) this.refuse(item, error);
    else this.#park(item, error);
  }

  #isLastAttempt(item: Item): boolean {
    item.attempts += 1;
    return item.attempts >= this.#options.maxAttempts;
  }

  #park(item: Item, error: Error): void {
    const { backoffMs, backoffMaxMs } = this.#options;
    const parked = this.#parking.park(item, error);
    const delayMs = backoffDelay(item.attempts, backoffMs, backoffMaxMs);
    Object.assign(parked, { isSuspect: false, isProvisional: false });
    parked.cancelTimer = this.#events.after(delayMs, () => {
      parked.isDue = true;
    });
    this.#owner.retrying({ error, items: 1, delayMs });
    this.dropCancelled();
  }
}
