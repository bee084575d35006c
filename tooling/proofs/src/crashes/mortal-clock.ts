/**
 * The clock of one life: the run's own, whose timers the dead have no more. Without it a killed storage would go on
 * trying again for ever.
 */

import type { Clock, TimerHandle } from "@leakdb/core/adapter";
import type { ManualClock } from "@leakdb/testkit";

export class MortalClock implements Clock {
  readonly #clock: ManualClock;
  readonly #timers = new Set<TimerHandle>();
  #isOver = false;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    if (this.#isOver) return undefined;
    const timer = this.#clock.setTimeout(() => {
      this.#timers.delete(timer);
      callback();
    }, delayMs);
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(handle: TimerHandle): void {
    this.#timers.delete(handle);
    this.#clock.clearTimeout(handle);
  }

  end(): void {
    this.#isOver = true;
    for (const timer of this.#timers) this.#clock.clearTimeout(timer);
    this.#timers.clear();
  }
}
