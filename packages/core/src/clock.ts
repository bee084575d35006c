/**
 * Time, injected. Everything in LeakDB that reads the time or waits takes a {@link Clock}, so that tests move time
 * by hand and never sleep.
 */

/** A pending timer of a {@link Clock}; opaque to everyone but the clock that made it. */
export type TimerHandle = unknown;

export interface Clock {
  /** Milliseconds since 1970. May step back or forward, as a wall clock does. */
  now(): number;
  /**
   * Calls `callback` once, after `delayMs` milliseconds at the earliest. While such a timer waits the process lives;
   * an `idle` one (housekeeping) does not keep it alive.
   */
  setTimeout(callback: () => void, delayMs: number, idle?: boolean): TimerHandle;
  clearTimeout(handle: TimerHandle): void;
}

/** How many reads of the clock share one `Date.now()` at most; a long synchronous loop still sees time pass. */
const READS_PER_REFRESH = 64;

/** The largest delay Node's timers take; longer ones fire at once there. */
const TIMER_DELAY_MAX_MS = 2_147_483_647;

let cachedNowMs = 0;
let readsLeft = 0;
let turnEndScheduled = false;

function endTurn(): void {
  turnEndScheduled = false;
  readsLeft = 0;
}

/**
 * The wall clock, read once a turn of the event loop: `Date.now()` costs about 40 ns, as much as a whole `get`.
 */
export const systemClock: Clock = {
  now(): number {
    if (readsLeft > 0) {
      readsLeft -= 1;
      return cachedNowMs;
    }
    readsLeft = READS_PER_REFRESH;
    cachedNowMs = Date.now();
    if (!turnEndScheduled) {
      turnEndScheduled = true;
      setImmediate(endTurn);
    }
    return cachedNowMs;
  },
  setTimeout(callback, delayMs, idle = false) {
    const timer = setTimeout(callback, Math.min(delayMs, TIMER_DELAY_MAX_MS));
    return idle ? timer.unref() : timer;
  },
  clearTimeout(handle) {
    clearTimeout(handle as NodeJS.Timeout | undefined);
  },
};
