/**
 * One ordered writer. It takes what waits in its line, in batches, and sees every item through: stored, a dead
 * letter, or given back at the close. One batch is in flight at a time (I1, I2).
 *
 *              ┌───────── success ─────────┐
 *              ▼                           │
 *     idle ─▶ flowing ──failure──▶ probing: halve the batch, back off, try its first part
 *              ▲                           │ a part of one fails alone
 *              │                           ▼
 *              └── park the key, go on ◀── suspect: the next success says it was the key, not the backend
 *
 * What the lane holds is in `#batch` (in order; its first part may be in flight), in `#carry` (taken, but too much
 * for the batch), or in the parking, where a key that is tried again keeps its place. All are bounded (I5). A clear
 * never steps aside: what is newer must not overtake it.
 */

import { type FailureKind, failureKind } from "../adapter.js";
import type { Clock, TimerHandle } from "../clock.js";
import type { Item } from "../queue/item.js";
import type { LaneHands, WriteQueue } from "../queue/write-queue.js";
import { asError } from "./adapter-session.js";
import { backoffDelay } from "./backoff.js";
import { cutBatch, nextTurn, prepareOnce } from "./cut-batch.js";
import { type Parked, Parking } from "./parking.js";
import type { Sink, SinkResult } from "./sink.js";

export interface LaneOptions {
  readonly clock: Clock;
  readonly writeDelayMs: number;
  readonly batchMax: number;
  readonly batchBytesMax: number;
  readonly coalesce: boolean;
  readonly maxAttempts: number;
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
}

/** What the lane asks and tells whoever runs it. */
export interface LaneOwner {
  /** The last version issued: a batch never reaches past it. */
  readonly lastVersion: number;
  /** Stored. */
  settled(item: Item): void;
  /** Cancelled, and therefore not sent. */
  dropped(item: Item): void;
  /** Refused for good, or failed too often: a dead letter. */
  refused(item: Item, error: Error): void;
  /** `newer` has taken the place of `item`, which nobody will write. */
  superseded(item: Item, newer: Item): void;
  /** True when nobody wants the item written any more. */
  isCancelled(item: Item): boolean;
  /** After a failure that was not the item's own: false when the owner has answered it and it must leave the lane. */
  keeps(item: Item, error: Error, kind: FailureKind): boolean;
  /** A batch was answered, settled or not: waiters may be let go. */
  answered(): void;
  retrying(retry: { error: Error; items: number; delayMs: number }): void;
}

/** Keys parked at once; with more than these at fault, the lane waits for them instead of taking on others. */
const PARKED_MAX = 1_000;
/** Keys that fail alone, one after the other, until the backend rather than the keys is taken to be at fault. */
const SUSPECTS_MAX = 4;

export class Lane implements LaneHands {
  readonly #index: number;
  readonly #queue: WriteQueue;
  readonly #sink: Sink;
  readonly #owner: LaneOwner;
  readonly #options: LaneOptions;
  readonly #parking = new Parking();
  #batch: Item[] = [];
  /** How much of the batch goes next; less than all of it while probing. */
  #part = 0;
  #carry: Item | undefined;
  /** The batch is no longer in the order of first-dirty versions. */
  #isRotated = false;
  /** The adapter has been opened again since the last success. */
  #hasRecovered = false;
  /** Failures in a row with no success between them. */
  #failures = 0;
  /** Everything that became dirty up to this version is due. */
  #dueUpTo = -1;
  #delayTimer: TimerHandle;
  #parkingTimer: TimerHandle;
  #endPause: (() => void) | undefined;
  #isRunning = false;
  #isWoken = false;
  #isStopped = false;
  #onStopped: (() => void) | undefined;

  constructor(index: number, queue: WriteQueue, sink: Sink, owner: LaneOwner, options: LaneOptions) {
    this.#index = index;
    this.#queue = queue;
    this.#sink = sink;
    this.#owner = owner;
    this.#options = options;
    queue.register(this);
  }

  /** The smallest first-dirty version in the lane's hands, `Infinity` for none. */
  get firstUnsettled(): number {
    let first = Math.min(this.#carry?.firstVersion ?? Infinity, this.#batch[0]?.firstVersion ?? Infinity);
    if (this.#isRotated) for (const item of this.#batch) first = Math.min(first, item.firstVersion);
    if (this.#parking.size > 0) for (const item of this.#parking.items()) first = Math.min(first, item.firstVersion);
    return first;
  }

  get isBusy(): boolean {
    return this.#batch.length > 0;
  }

  /** True from a failure to the next success. */
  get isProbing(): boolean {
    return this.#failures > 0;
  }

  parksBefore(clear: Item): boolean {
    if (this.#parking.size === 0) return false;
    for (const item of this.#parking.items()) {
      const isCovered = item.firstVersion < clear.version && item.key.startsWith(clear.key);
      if (isCovered && !this.#owner.isCancelled(item)) return true;
    }
    return false;
  }

  /** Everything in the lane's hands, for whoever has to answer for it at the close. */
  *heldItems(): Generator<Item, void, undefined> {
    for (const item of this.#batch) if (this.#parking.get(item.key)?.item !== item) yield item;
    if (this.#carry !== undefined) yield this.#carry;
    yield* this.#parking.items();
  }

  /** Something became dirty: it goes after `writeDelay`, and is not put off by what follows it. */
  enqueued(): void {
    if (this.#delayTimer === undefined) this.#armDelay();
  }

  /** Everything that is dirty up to `version` goes as soon as the lane is free. */
  makeDue(version: number): void {
    if (version > this.#dueUpTo) this.#dueUpTo = version;
    this.wake();
  }

  wake(): void {
    this.#isWoken = true;
    if (!this.#isRunning && !this.#isStopped) void this.#run();
  }

  /** Ends a pause between two tries. */
  hurry(): void {
    this.#endPause?.();
  }

  /** Nothing more is sent from now on; resolves once a batch in flight has been answered. */
  stop(): Promise<void> {
    this.#isStopped = true;
    this.#options.clock.clearTimeout(this.#delayTimer);
    this.#options.clock.clearTimeout(this.#parkingTimer);
    this.hurry();
    if (!this.#isRunning) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onStopped = resolve;
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    let hasWritten = false;
    // The turn in which something became dirty ends first, so that what it wrote goes in one batch.
    await nextTurn();
    while (!this.#isStopped) {
      await this.#sink.ready();
      if (this.#isStopped) break;
      this.#isWoken = false;
      const hasWork = this.#batch.length > 0 || (await this.#fill());
      if (hasWork && !this.#isStopped) {
        await this.#send();
        hasWritten = true;
      } else if (!this.#isWoken) {
        break;
      }
    }
    this.#isRunning = false;
    this.#onStopped?.();
    if (this.#isStopped) return;
    if (this.#queue.waiting(this.#index) > 0) this.enqueued();
    this.#armParking();
    if (hasWritten) this.#queue.laneRested();
  }

  /** Puts the next work into `#batch`: a parked key that is due, else what waits, else the suspects. */
  async #fill(): Promise<boolean> {
    for (;;) {
      const parked = this.#parking.nextDue(this.#options.clock.now());
      if (parked === undefined) break;
      if (!this.#owner.isCancelled(parked.item)) return this.#take([parked.item], 1);
      this.#drop(parked.item);
    }
    const mayTake = this.#parking.size < PARKED_MAX;
    if (mayTake && (this.#carry !== undefined || this.#queue.firstVersion(this.#index) <= this.#dueUpTo)) {
      const upTo = this.#owner.lastVersion;
      const source = {
        next: (taken: number) => this.#next(taken, upTo),
        refuse: (item: Item, error: Error) => this.#refuse(item, error),
      };
      this.#carry = await cutBatch(this.#batch, source, this.#sink, this.#options);
      // What could not be encoded is settled, as a dead letter.
      this.#owner.answered();
      if (this.#batch.length > 0) return this.#take(this.#batch, this.#batch.length);
    }
    // Nothing else is there to try. An adapter that has opened again is up, so a lone suspect is itself at fault.
    if (this.#parking.suspects === 1 && this.#hasRecovered) this.#chargeSuspects();
    return this.#take(this.#recallSuspects(), 1);
  }

  #take(items: Item[], part: number): boolean {
    this.#batch = items;
    this.#part = part;
    this.#isRotated = false;
    return items.length > 0;
  }

  /** The next item for the batch being cut; newer items of parked keys step aside to them. */
  #next(taken: number, upTo: number): Item | undefined {
    for (;;) {
      const item = this.#carry ?? this.#queue.take(this.#index, upTo, taken);
      this.#carry = undefined;
      if (item === undefined) return undefined;
      if (this.#owner.isCancelled(item)) {
        this.#drop(item);
        continue;
      }
      const parked = item.type === "clear" ? undefined : this.#parking.get(item.key);
      if (parked === undefined) return item;
      this.#join(parked, item);
    }
  }

  #join(parked: Parked, item: Item): void {
    if (!this.#options.coalesce) {
      this.#parking.follow(parked, item);
      return;
    }
    item.attempts = parked.item.attempts;
    item.firstVersion = Math.min(item.firstVersion, parked.item.firstVersion);
    this.#owner.superseded(parked.item, item);
    parked.item = item;
  }

  async #send(): Promise<void> {
    this.#dropUnsendable();
    if (this.#batch.length === 0) return this.#owner.answered();
    const part = this.#part >= this.#batch.length ? this.#batch : this.#batch.slice(0, this.#part);
    let result: SinkResult;
    try {
      result = await this.#sink.write(part);
    } catch (error) {
      await this.#failed(part, asError(error));
      this.#owner.answered();
      return;
    }
    this.#batch = part === this.#batch ? [] : this.#batch.slice(part.length);
    this.#part = Math.min(this.#part * 2, this.#batch.length);
    const retry = this.#succeeded(part, result);
    this.#owner.answered();
    if (retry !== undefined) await this.#backOff(retry, this.#failures);
  }

  /** Before a retry: what was cancelled meanwhile goes, and what joined a parked key unprepared is prepared. */
  #dropUnsendable(): void {
    if (this.#failures === 0 && this.#batch.every((item) => item.bytes >= 0)) return;
    const isSendable = (item: Item): boolean => {
      if (this.#owner.isCancelled(item)) {
        this.#drop(item);
        return false;
      }
      try {
        prepareOnce(item, this.#sink);
        return true;
      } catch (error) {
        this.#refuse(item, asError(error));
        return false;
      }
    };
    const sendable = this.#batch.filter(isSendable);
    if (sendable.length < this.#batch.length) this.#batch = sendable;
  }

  /** Settles what the sink has answered; an error when a clear has to be tried again before anything else. */
  #succeeded(part: readonly Item[], { rejected = [], failed = [] }: SinkResult): Error | undefined {
    const refusals = new Map(rejected.map(({ index, error }) => [index, error]));
    const failures = new Map(failed.map(({ index, error }) => [index, error]));
    let retry: Error | undefined;
    this.#failures = 0;
    this.#hasRecovered = false;
    for (const [index, item] of part.entries()) {
      const refusal = refusals.get(index);
      const failure = failures.get(index);
      if (refusal !== undefined) this.#refuse(item, refusal);
      else if (failure === undefined) this.#settle(item);
      else if (this.#isLastAttempt(item)) this.#refuse(item, failure);
      else if (item.type !== "clear") this.#park(item, failure);
      else {
        this.#take([item, ...this.#batch], 1);
        this.#failures = item.attempts;
        retry = failure;
      }
    }
    this.#chargeSuspects();
    return retry;
  }

  /** The part as a whole failed: nothing of it is settled, but what its owner gives up. */
  async #failed(part: readonly Item[], error: Error): Promise<void> {
    const kind = failureKind(error);
    const given = new Set(part.filter((item) => !this.#owner.keeps(item, error, kind)));
    if (given.size > 0) this.#batch = this.#batch.filter((item) => !given.has(item));
    for (const item of given) this.#letGo(item);
    if (kind === "ambiguous") {
      await this.#sink.recover(error);
      this.#hasRecovered = true;
    }
    const left = part.length - given.size;
    this.#part = Math.max(1, Math.ceil(left / 2));
    if (left === 0) return;
    if (part.length > 1) {
      if (kind === "permanent") return;
      this.#failures = Math.max(this.#failures, 1);
      await this.#backOff(error, 1);
      return;
    }
    const item = part[0] as Item;
    if (kind === "permanent") {
      this.#batch.shift();
      this.#refuse(item, error);
      // A backend that refuses one thing is up.
      this.#chargeSuspects();
      return;
    }
    this.#failures += 1;
    if (item.type !== "clear") this.#suspect(item, error);
    await this.#backOff(error, this.#failures);
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
    for (const item of items) if (this.#parking.get(item.key)?.followers.length === 0) this.#parking.leave(item.key);
    return items.sort((a, b) => a.firstVersion - b.firstVersion);
  }

  /** The backend is up, so each suspect's failure was its own. */
  #chargeSuspects(): void {
    if (this.#parking.size === 0) return;
    for (const { item, error } of this.#parking.takeSuspects()) {
      if (this.#isLastAttempt(item)) this.#refuse(item, error);
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

  #settle(item: Item): void {
    this.#letGo(item);
    this.#owner.settled(item);
  }

  #drop(item: Item): void {
    this.#letGo(item);
    this.#owner.dropped(item);
  }

  #refuse(item: Item, error: Error): void {
    this.#letGo(item);
    this.#owner.refused(item, error);
  }

  #letGo(item: Item): void {
    if (item.type === "clear") this.#queue.clearSettled(item);
    else this.#parking.leave(item.key);
  }

  async #backOff(error: Error, failures: number): Promise<void> {
    const { clock, backoffMs, backoffMaxMs } = this.#options;
    const delayMs = backoffDelay(failures, backoffMs, backoffMaxMs);
    this.#owner.retrying({ error, items: this.#batch.length, delayMs });
    if (this.#isStopped) return;
    await new Promise<void>((resolve) => {
      const timer = clock.setTimeout(resolve, delayMs);
      this.#endPause = () => {
        clock.clearTimeout(timer);
        resolve();
      };
    });
    this.#endPause = undefined;
  }

  #armDelay(): void {
    if (this.#isStopped) return;
    this.#delayTimer = this.#options.clock.setTimeout(() => {
      this.#delayTimer = undefined;
      this.makeDue(this.#owner.lastVersion);
    }, this.#options.writeDelayMs);
  }

  #armParking(): void {
    const { clock } = this.#options;
    clock.clearTimeout(this.#parkingTimer);
    const dueAtMs = this.#parking.nextDueAtMs;
    if (dueAtMs === Infinity) return;
    this.#parkingTimer = clock.setTimeout(() => this.wake(), Math.max(0, dueAtMs - clock.now()));
  }
}
