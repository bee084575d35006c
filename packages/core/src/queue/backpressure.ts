/**
 * How much waits, and who must slow down for it (I5). Counts mutations that have been made and are not settled: in
 * a line, in a batch, or retrying; dead letters count towards the capacity alone, since they wait for a person.
 */

import { LeakDBError } from "../errors.js";
import { startWait, type WaitOptions } from "../wait.js";

export class Backpressure {
  readonly #highWaterMark: number;
  readonly #capacity: number;
  readonly #onDrain: () => void;
  readonly #lowWaterMark: number;
  readonly #drainWaiters = new Set<() => void>();
  readonly #idleWaiters = new Set<() => void>();
  /** Mutations not settled. */
  depth = 0;
  /** Standing dead letters. */
  deadLetters = 0;
  /** The depth has passed the high-water mark, and is not down to half of it yet: no stop and go at the mark. */
  #isHigh = false;
  /** Something beside the depth asks for a pause, such as a journal that fills. */
  #isPressed = false;

  constructor(options: { highWaterMark: number; capacity: number }, onDrain: () => void) {
    this.#highWaterMark = options.highWaterMark;
    this.#lowWaterMark = Math.floor(options.highWaterMark / 2);
    this.#capacity = options.capacity;
    this.#onDrain = onDrain;
  }

  get needDrain(): boolean {
    return this.#isHigh || this.#isPressed;
  }

  /** Says whether something beside the depth asks for a pause. */
  press(isPressed: boolean): void {
    if (isPressed === this.#isPressed) return;
    this.#isPressed = isPressed;
    if (!isPressed && !this.#isHigh) this.#release();
  }

  get isFull(): boolean {
    return this.depth + this.deadLetters >= this.#capacity;
  }

  /** @throws LEAKDB_QUEUE_FULL when `count` further mutations do not fit; nothing has changed then. */
  admit(count: number): void {
    if (count === 0 || this.depth + this.deadLetters + count <= this.#capacity) return;
    throw new LeakDBError(
      "LEAKDB_QUEUE_FULL",
      `${this.depth} mutations wait and ${this.deadLetters} are dead letters: that is the capacity of ` +
        `${this.#capacity}. Await drained() before writing further keys, or see why the backend does not take them`,
    );
  }

  add(): void {
    this.depth += 1;
    if (this.depth > this.#highWaterMark) this.#isHigh = true;
  }

  remove(): void {
    this.depth -= 1;
    if (this.#isHigh && this.depth <= this.#lowWaterMark) {
      this.#isHigh = false;
      if (!this.#isPressed) this.#release();
    }
    // What a listener has just added is waited for too.
    if (this.depth === 0) release(this.#idleWaiters);
  }

  #release(): void {
    this.#onDrain();
    release(this.#drainWaiters);
  }

  /** Resolves once `needDrain` is false. */
  drained(options: WaitOptions): Promise<void> {
    return this.needDrain ? join(this.#drainWaiters, options) : Promise.resolve();
  }

  /** Resolves once nothing is unsettled. */
  idle(options: WaitOptions): Promise<void> {
    return this.depth > 0 ? join(this.#idleWaiters, options) : Promise.resolve();
  }
}

function join(waiters: Set<() => void>, options: WaitOptions): Promise<void> {
  const wait = startWait(options, () => waiters.delete(wait.resolve));
  waiters.add(wait.resolve);
  return wait.promise;
}

function release(waiters: Set<() => void>): void {
  for (const resolve of [...waiters]) resolve();
}
