/**
 * Moments in the middle of a write, for the acts that must come there: an abort, a kill.
 *
 *     call ┬─ 5 % ───────── the act ───────── 95 % ─┬ settled
 *          └────── what such a write took before ───┘
 *
 * The write is timed first, on this very backend: three of one size, and the median. A batch that is written too quickly
 * to be hit is made larger. Then act after act comes at moments spread over that span.
 *
 * Invariants:
 * - Any first few moments are spread over the whole span, so that a slow backend, which gets fewer, is tried as widely.
 * - Where the span is a few turns of the event loop, or a few microtasks of one turn, moments are counted in those:
 *   they land inside on any machine. Otherwise they are times, by turning the loop until they come, as timers are too
 *   coarse for a write of a millisecond.
 * - A case none of whose acts came before its write had settled has tried nothing, and fails saying so.
 */

import assert from "node:assert/strict";
import { SeededRandom } from "../seeded-random.js";

const SIZE_MIN = 256;
const SIZE_FACTOR = 4;
/** A write as long as this is hit by moments that are told apart by hundredths of milliseconds. */
const SPAN_MS = 4;
const TIMED_WRITES = 3;
/** Up to so many, turns are what a write is made of; beyond, something outside of the event loop is waited for. */
const TURNS_FEW = 100;
const MICROTASKS_MAX = 100;

const ATTEMPTS = 12;
/** Where moments miss, because the backend is quicker at one time than at another. */
const ATTEMPTS_MAX = 40;
/** No attempt begins after this time, once there were three of which one has landed inside. */
const ATTEMPTS_MS = 3_000;
const ATTEMPTS_MIN = 3;
const INSIDE_MIN = 4;
/** The fractional part of its multiples is spread evenly, however many are taken (Weyl's sequence). */
const GOLDEN_RATIO = (1 + Math.sqrt(5)) / 2;

interface Span {
  readonly ms: number;
  /** Of the event loop; 0 where the write settles in the turn of its call. */
  readonly turns: number;
  readonly microtasks: number;
}

export interface MomentsOptions {
  /** Where in the span the first moment lies, and so all of them. */
  readonly seed: number;
  /** The largest batch to try. */
  readonly sizeMax: number;
  /** Begins a write of so many mutations on the backend, and settles with it. */
  readonly write: (size: number) => Promise<unknown>;
}

/** One moment to come. */
export interface Moment {
  /** For messages: `"43 % of 12.1 ms"`. */
  readonly text: string;
  /** Begins the write, and resolves when the moment is there, or the write has settled before it. */
  reach<T>(begin: () => Promise<T>): Promise<Begun<T>>;
}

/** A write that was begun: in an object, as a promise that is returned by itself would be waited for. */
export interface Begun<T> {
  readonly writing: Promise<T>;
}

export class Moments {
  /** How many mutations a batch must have to take the time that was measured. */
  readonly size: number;
  readonly #offset: number;
  #span: Span;
  #inside = 0;

  private constructor(size: number, span: Span, seed: number) {
    this.size = size;
    this.#span = span;
    this.#offset = new SeededRandom(seed).next();
  }

  /** Times writes, and makes them larger until moments fit into them. */
  static async of({ seed, sizeMax, write }: MomentsOptions): Promise<Moments> {
    for (let size = SIZE_MIN; ; size = Math.min(size * SIZE_FACTOR, sizeMax)) {
      const spans: Span[] = [];
      for (let count = 0; count < TIMED_WRITES; count += 1) spans.push(await timed(() => write(size)));
      const span = median(spans);
      const isLong = span.ms >= SPAN_MS || span.turns === 0;
      if (isLong || size === sizeMax) return new Moments(size, span, seed);
    }
  }

  /**
   * Calls `attempt` with moment after moment; each must be reached once, and acted at. `what` names the act.
   *
   * @throws AssertionError when no act came before its write had settled.
   */
  async each(what: string, attempt: (moment: Moment) => Promise<void>): Promise<void> {
    const endMs = performance.now() + ATTEMPTS_MS;
    let count = 0;
    while (count < ATTEMPTS_MAX) {
      await attempt(this.#moment(count));
      count += 1;
      const isLate = performance.now() > endMs && count >= ATTEMPTS_MIN && this.#inside > 0;
      if (isLate || (count >= ATTEMPTS && this.#inside >= INSIDE_MIN)) return;
    }
    if (this.#inside > 0) return;
    const took = `${this.#span.ms.toFixed(2)} ms for ${this.size} mutations`;
    assert.fail(`none of ${count} acts (${what}) came before its write had settled, which takes ${took}:
the case has tried nothing. Run it where less runs beside it, or give the fixture a slower backend`);
  }

  #moment(index: number): Moment {
    const fraction = 0.05 + 0.9 * ((this.#offset + index * GOLDEN_RATIO) % 1);
    const { ms, turns, microtasks } = this.#span;
    const percent = `${Math.round(fraction * 100)} % of`;
    const text =
      turns === 0
        ? `${percent} ${microtasks} microtasks`
        : turns <= TURNS_FEW
          ? `${percent} ${turns} turns`
          : `${percent} ${ms.toFixed(2)} ms`;
    return { text, reach: (begin) => this.#reach(begin, fraction) };
  }

  async #reach<T>(begin: () => Promise<T>, fraction: number): Promise<Begun<T>> {
    const { ms, turns, microtasks } = this.#span;
    const startMs = performance.now();
    const writing = begin();
    const write = watched(writing);
    const hasCome = (count: number): boolean => {
      if (turns === 0) return count >= Math.floor(fraction * microtasks);
      if (turns <= TURNS_FEW) return count >= Math.floor(fraction * turns);
      return performance.now() - startMs >= fraction * ms;
    };
    for (let count = 0; !write.hasSettled && !hasCome(count); count += 1) {
      if (turns === 0) await null;
      else await nextTurn();
    }
    if (!write.hasSettled) this.#inside += 1;
    // It was quicker than before: the moments to come are drawn closer.
    else this.#span = { ms: (ms + performance.now() - startMs) / 2, turns: Math.ceil(turns / 2), microtasks };
    return { writing };
  }
}

interface Watched {
  readonly hasSettled: boolean;
}

function watched(promise: Promise<unknown>): Watched {
  const write = { hasSettled: false };
  const settle = (): void => {
    write.hasSettled = true;
  };
  promise.then(settle, settle);
  return write;
}

async function timed(begin: () => Promise<unknown>): Promise<Span> {
  const startMs = performance.now();
  const writing = begin();
  const write = watched(writing);
  let microtasks = 0;
  for (; !write.hasSettled && microtasks < MICROTASKS_MAX; microtasks += 1) await null;
  let turns = 0;
  for (; !write.hasSettled; turns += 1) await nextTurn();
  await writing;
  return { ms: performance.now() - startMs, turns, microtasks };
}

function median(spans: readonly Span[]): Span {
  return [...spans].sort((a, b) => a.ms - b.ms)[Math.floor(spans.length / 2)] as Span;
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
