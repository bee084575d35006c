/**
 * One ordered writer. It takes what waits in its line, in batches, sends them to the sink, and sees every item
 * through: stored, a dead letter, or given back at the close. One batch is in flight at a time (I1, I2); what follows
 * from an answer is decided in `WorkInHand`, when to send and how long to wait is decided here.
 */

import { failureKind } from "../adapter.js";
import type { TimerHandle } from "../clock.js";
import { nextTurn } from "../next-turn.js";
import type { Item } from "../queue/item.js";
import type { LaneHands, WriteQueue } from "../queue/write-queue.js";
import { asError } from "../thrown.js";
import { backoffDelay } from "./backoff.js";
import { cutBatch } from "./cut-batch.js";
import type { LaneOptions, LaneOwner } from "./lane-owner.js";
import type { Sink, SinkResult } from "./sink.js";
import { WorkInHand } from "./work-in-hand.js";

/** Other work has its turn when batches have been answered at once for this long. */
const SLICE_MS = 1;

/** The longest pause after a failure while there is something to try that has not failed. */
const PATIENCE_MS = 1_000;

export class Lane implements LaneHands {
  readonly #index: number;
  readonly #queue: WriteQueue;
  readonly #sink: Sink;
  readonly #owner: LaneOwner;
  readonly #options: LaneOptions;
  readonly #work: WorkInHand;
  readonly #onUp: () => void;
  /** Taken from the line, but too much for the batch. */
  #carry: Item | undefined;
  /** The next batch, cut while the whole of this one is in flight. */
  #ahead: Item[] = [];
  /** Everything that became dirty up to this version is due. */
  #dueUpTo = -1;
  #delayTimer: TimerHandle;
  #endPause: (() => void) | undefined;
  #isRunning = false;
  #isWoken = false;
  #isHurried = false;
  #isStopped = false;
  /** A parked key has just failed again: what waits in the line has its turn before the next one. */
  #isLineFirst = false;
  #onStopped: (() => void) | undefined;

  /** `onUp` is called whenever the sink has taken or refused something, and so is up. */
  constructor(
    index: number,
    queue: WriteQueue,
    sink: Sink,
    owner: LaneOwner,
    options: LaneOptions,
    onUp: () => void,
  ) {
    this.#index = index;
    this.#queue = queue;
    this.#sink = sink;
    this.#owner = owner;
    this.#options = options;
    this.#work = new WorkInHand(owner, sink, options, {
      clearEnded: (clear) => queue.clearSettled(clear),
      after: (delayMs, callback) => this.#after(delayMs, callback),
    });
    this.#onUp = onUp;
    queue.register(this);
  }

  /** The smallest first-dirty version in the lane's hands, `Infinity` for none. */
  get firstUnsettled(): number {
    const taken = this.#ahead[0]?.firstVersion ?? this.#carry?.firstVersion ?? Infinity;
    return Math.min(taken, this.#work.firstUnsettled);
  }

  get isBusy(): boolean {
    return this.#work.hasBatch || this.#ahead.length > 0 || this.#carry !== undefined;
  }

  parksBefore(clear: Item): boolean {
    return this.#work.parksBefore(clear);
  }

  /** Everything in the lane's hands, for whoever has to answer for it at the close. */
  *heldItems(): Generator<Item, void, undefined> {
    yield* this.#work.items();
    yield* this.#ahead;
    if (this.#carry !== undefined) yield this.#carry;
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

  /** Ends a pause between two tries. What is known to be at fault keeps its backoff. */
  hurry(): void {
    this.#isHurried = true;
    this.#endPause?.();
  }

  /** A clear has cancelled some of what is dirty. */
  dropCancelled(): void {
    this.#work.dropCancelled();
  }

  /** The sink has taken something, here or in another lane. */
  sinkIsUp(): void {
    const leftBefore = this.#work.left;
    this.#work.sinkIsUp();
    // What left may have had followers, which are due now.
    if (this.#work.hasBatch || this.#work.left > leftBefore) this.wake();
  }

  /** Nothing more is sent from now on; resolves once a batch in flight has been answered. */
  stop(): Promise<void> {
    this.#isStopped = true;
    this.#options.clock.clearTimeout(this.#delayTimer);
    this.#work.stop();
    this.#endPause?.();
    if (!this.#isRunning) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onStopped = resolve;
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    const leftBefore = this.#work.left;
    // The turn in which something became dirty ends first, so that what it wrote goes in one batch.
    await nextTurn();
    let sliceStart = performance.now();
    while (!this.#isStopped) {
      // A sink that answers at once must not keep everyone else from the event loop.
      if (performance.now() - sliceStart > SLICE_MS) {
        await nextTurn();
        sliceStart = performance.now();
      }
      await this.#sink.ready();
      if (this.#isStopped) break;
      this.#isWoken = false;
      const hasWork = this.#work.hasBatch || (await this.#fill());
      if (hasWork && !this.#isStopped) {
        await this.#send();
      } else if (!this.#isWoken) {
        break;
      }
    }
    this.#isRunning = false;
    this.#onStopped?.();
    if (this.#isStopped) return;
    // What is due and could not be taken, such as a clear behind a parked key, is waited for, not asked about.
    if (this.#queue.firstVersion(this.#index) > this.#dueUpTo && this.#queue.waiting(this.#index) > 0)
      this.enqueued();
    if (this.#work.left > leftBefore) this.#queue.laneRested();
  }

  /** Finds the next work: a parked key that is due or what waits, in turns; suspects when there is nothing else. */
  async #fill(): Promise<boolean> {
    const isLineFirst = this.#isLineFirst;
    this.#isLineFirst = false;
    if (!isLineFirst && this.#work.takeParked()) {
      this.#isLineFirst = true;
      return true;
    }
    // Before anything newer, as it was taken first; what it finds parked joins there.
    if (this.#ahead.length > 0 && this.#takeAhead()) return true;
    if (this.#hasDue() && this.#work.hasRoom) {
      await this.#cut(this.#work.startBatch(), 0);
      if (this.#work.endBatch()) return true;
    }
    // Of a suspect that was cancelled the follower is due.
    const hasFound = this.#work.takeParked() || this.#work.takeSuspect() || this.#work.takeParked();
    // What was found cancelled on the way no longer counts.
    if (!hasFound) this.#owner.answered();
    return hasFound;
  }

  /** Cuts a batch. `held` counts what goes before it, which a clear that needs a batch of its own must wait for. */
  async #cut(batch: Item[], held: number): Promise<void> {
    const upTo = this.#owner.lastVersion;
    const source = {
      next: (taken: number) => this.#next(held + taken, upTo),
      refuse: (item: Item, error: Error) => this.#work.refuse(item, error),
    };
    this.#carry = await cutBatch(batch, source, this.#sink, this.#options);
    // What could not be encoded is settled, as a dead letter; what was cancelled no longer counts.
    this.#owner.answered();
  }

  /** Cuts the next batch while this one is in flight, where a whole batch is due: less still gathers. */
  async #cutAhead(part: readonly Item[]): Promise<void> {
    const { batchMax } = this.#options;
    const isFull = batchMax > 1 && this.#queue.waiting(this.#index) >= batchMax;
    if (!isFull || this.#ahead.length > 0 || !this.#hasDue() || !this.#work.isFlowing(part)) return;
    await this.#cut(this.#ahead, part.length);
  }

  /** What was cut ahead is the batch now, as if it were just cut: keys may have been cancelled or parked since. */
  #takeAhead(): boolean {
    const ahead = this.#ahead;
    this.#ahead = [];
    const batch = this.#work.startBatch();
    for (const item of ahead) {
      if (this.#owner.isCancelled(item)) this.#work.drop(item);
      else if (!this.#work.join(item)) batch.push(item);
    }
    return this.#work.endBatch();
  }

  #hasDue(): boolean {
    return this.#carry !== undefined || this.#queue.firstVersion(this.#index) <= this.#dueUpTo;
  }

  /** The next item for the batch being cut; newer items of parked keys step aside to them. */
  #next(taken: number, upTo: number): Item | undefined {
    for (;;) {
      const item = this.#carry ?? this.#queue.take(this.#index, upTo, taken);
      this.#carry = undefined;
      if (item === undefined) return undefined;
      if (this.#owner.isCancelled(item)) this.#work.drop(item);
      else if (!this.#work.join(item)) return item;
    }
  }

  async #send(): Promise<void> {
    const part = this.#work.nextPart();
    if (part.length === 0) return this.#owner.answered();
    let result: SinkResult;
    try {
      const writing = this.#sink.write(part);
      // Its rejection is met below, when the cutting is done.
      writing.catch(() => undefined);
      await this.#cutAhead(part);
      result = await writing;
    } catch (thrown) {
      const error = asError(thrown);
      const kind = failureKind(thrown);
      if (kind === "ambiguous") await this.#sink.recover(error);
      const failures = this.#work.failed(part, error, kind);
      const isItsOwn = failures > 0 && kind === "ambiguous" && !isTimeout(error);
      if (isItsOwn && (await this.#sink.isUp(part))) this.#work.chargeAlone(part);
      // A backend that refuses one thing is up.
      if (kind === "permanent" && part.length === 1) this.#onUp();
      this.#owner.answered();
      if (failures > 0) await this.#backOff(error, failures);
      else if (part.length > 1) this.#owner.retrying({ error, items: part.length, delayMs: 0 });
      return;
    }
    const retry = this.#work.succeeded(part, result);
    this.#onUp();
    this.#owner.answered();
    if (retry !== undefined) await this.#backOff(retry, this.#work.failures);
  }

  async #backOff(error: Error, failures: number): Promise<void> {
    const { backoffMs, backoffMaxMs } = this.#options;
    const delayMs = backoffDelay(failures, backoffMs, backoffMaxMs);
    this.#owner.retrying({ error, items: this.#work.size, delayMs });
    this.#isHurried = false;
    for (let leftMs = delayMs; leftMs > 0 && !this.#isStopped && !this.#isHurried; leftMs -= PATIENCE_MS) {
      await this.#pause(Math.min(leftMs, PATIENCE_MS));
      // Keys that have not failed do not wait long for those that have.
      const isAnythingElse = this.#work.hasBatch || (this.#hasDue() && this.#work.hasRoom);
      if (isAnythingElse && !this.#work.isLongDown) return;
    }
  }

  async #pause(delayMs: number): Promise<void> {
    const { clock } = this.#options;
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

  #after(delayMs: number, callback: () => void): () => void {
    const { clock } = this.#options;
    const timer = clock.setTimeout(() => {
      callback();
      this.wake();
    }, delayMs);
    return () => clock.clearTimeout(timer);
  }
}

/** Silence says nothing of whose fault it is. */
function isTimeout(error: Error): boolean {
  return (error as { code?: unknown }).code === "LEAKDB_TIMEOUT";
}
