/**
 * Versions: microseconds since 1970 made strictly increasing. One number serves compare-and-set, barriers, the order
 * of the journal and fencing; it rises over restarts and clock steps, and is a safe integer until 2255.
 */

import type { Clock } from "../clock.js";

const MICROSECONDS_PER_MILLISECOND = 1_000;

/** The year 2253: what is issued beyond is counted on, and leaves room for two years of a million writes a second. */
const VERSION_OF_CLOCK_MAX = Number.MAX_SAFE_INTEGER - 6e13;

export class Versions {
  readonly #clock: Clock;
  #last = 0;
  /** The time when the clock was last seen to have moved. */
  #nowMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The last version issued or observed. */
  get last(): number {
    return this.#last;
  }

  next(): number {
    const nowMs = this.#clock.now();
    if (nowMs !== this.#nowMs) this.#follow(nowMs);
    this.#last += 1;
    return this.#last;
  }

  /** A version from outside, such as a backend's highest: what is issued from now on is greater. */
  observe(version: number): void {
    if (version > this.#last) this.#last = version;
  }

  /** The next version is the moment itself, unless what has been issued is ahead of the clock. */
  #follow(nowMs: number): void {
    this.#nowMs = nowMs;
    const version = Math.floor(nowMs * MICROSECONDS_PER_MILLISECOND) - 1;
    // A clock that is wrong by centuries for a moment must not use up all versions there are.
    if (version < VERSION_OF_CLOCK_MAX) this.observe(version);
  }
}
