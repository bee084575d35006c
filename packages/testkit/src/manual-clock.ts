/**
 * A clock that only tests move. Stands where `systemClock` stands in a service, so that delays, backoff, deadlines
 * and expiry are tested without sleeping.
 *
 * Invariants:
 * - Time moves by `advance`, `advanceToNextTimer` and `set` alone.
 * - Timers fire in the order of their due times, those due together in the order they were made, each once, never
 *   before its delay has passed, and never inside `setTimeout` or `set`.
 * - While a timer's callback runs, `now()` is the moment it was due.
 * - Delays are measured by elapsed time, as Node's timers are: a step of the wall clock (`set`) neither fires nor
 *   delays a timer.
 * - Between two timers the event loop turns, so that what one timer set going has made its own timers in time.
 */

import type { Clock, TimerHandle } from "@leakdb/core/adapter";

interface ManualTimer {
  readonly dueMs: number;
  readonly callback: () => void;
}

const DEFAULT_START_MS = Date.UTC(2026, 0, 1);

/** Turns of the event loop after each timer: enough for an async loop that awaits a few promises and immediates. */
const TURNS_PER_TIMER = 8;

/** Timers fired at one moment after which `advance` reports a loop instead of hanging. */
const TIMERS_PER_MOMENT_MAX = 100_000;

export class ManualClock implements Clock {
  /** Ordered by due time, then by when they were made. */
  readonly #timers: ManualTimer[] = [];
  #elapsedMs = 0;
  #wallOffsetMs: number;
  #isAdvancing = false;

  /** @param startMs what `now()` says first, in milliseconds since 1970. Default: the start of 2026. */
  constructor(startMs: number = DEFAULT_START_MS) {
    this.#wallOffsetMs = startMs;
  }

  now(): number {
    return this.#wallOffsetMs + this.#elapsedMs;
  }

  /** How many timers wait. A test that ends with 0 has leaked none. */
  get pendingTimers(): number {
    return this.#timers.length;
  }

  /** Milliseconds until the next timer is due, or `undefined` when none ever will be. */
  get nextTimerInMs(): number | undefined {
    const dueMs = this.#timers[0]?.dueMs ?? Number.POSITIVE_INFINITY;
    return dueMs === Number.POSITIVE_INFINITY ? undefined : dueMs - this.#elapsedMs;
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    const timer: ManualTimer = { dueMs: this.#elapsedMs + (delayMs > 0 ? delayMs : 0), callback };
    let index = this.#timers.length;
    while (index > 0 && (this.#timers[index - 1] as ManualTimer).dueMs > timer.dueMs) index -= 1;
    this.#timers.splice(index, 0, timer);
    return timer;
  }

  clearTimeout(handle: TimerHandle): void {
    const index = this.#timers.indexOf(handle as ManualTimer);
    if (index >= 0) this.#timers.splice(index, 1);
  }

  /**
   * Steps the wall clock to `nowMs`, back or forward, as an administrator or NTP does. Fires nothing.
   */
  set(nowMs: number): void {
    this.#wallOffsetMs = nowMs - this.#elapsedMs;
  }

  /**
   * Lets `ms` milliseconds pass: fires the timers due by then, those that their callbacks make included, and lets
   * the event loop turn before the first, between them and after the last.
   * @throws Error what a callback threw; the timers after it then still wait
   * @throws Error when another advance is under way, or timers due at once never end
   */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0 && ms < Number.POSITIVE_INFINITY))
      throw new RangeError("ms must be a finite number from 0");
    await this.#alone(async () => {
      const targetMs = this.#elapsedMs + ms;
      let momentMs = this.#elapsedMs;
      let firedAtMoment = 0;
      await this.settle();
      for (let timer = this.#takeDue(targetMs); timer !== undefined; timer = this.#takeDue(targetMs)) {
        firedAtMoment = timer.dueMs === momentMs ? firedAtMoment + 1 : 1;
        momentMs = timer.dueMs;
        if (firedAtMoment > TIMERS_PER_MOMENT_MAX) {
          throw new Error(`timers without delay make each other for ever at ${this.now()}`);
        }
        await this.#fire(timer);
      }
      this.#elapsedMs = targetMs;
      await this.settle();
    });
  }

  /** Lets time pass until the next timer and fires it; false when none ever will be due. */
  async advanceToNextTimer(): Promise<boolean> {
    return this.#alone(async () => {
      await this.settle();
      const timer = this.#takeDue(Number.MAX_VALUE);
      if (timer !== undefined) await this.#fire(timer);
      return timer !== undefined;
    });
  }

  /** Lets the event loop turn while time stands still: what waits for promises and immediates goes on. */
  async settle(turns: number = TURNS_PER_TIMER): Promise<void> {
    for (let turn = 0; turn < turns; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
  }

  async #alone<T>(run: () => Promise<T>): Promise<T> {
    if (this.#isAdvancing) throw new Error("the clock is being advanced: await that first");
    this.#isAdvancing = true;
    try {
      return await run();
    } finally {
      this.#isAdvancing = false;
    }
  }

  #takeDue(byMs: number): ManualTimer | undefined {
    const timer = this.#timers[0];
    if (timer === undefined || timer.dueMs > byMs) return undefined;
    return this.#timers.shift();
  }

  async #fire(timer: ManualTimer): Promise<void> {
    this.#elapsedMs = timer.dueMs;
    timer.callback();
    await this.settle();
  }
}
