/**
 * Step 1: every record is set. A call returns once memory has it; SQLite follows behind. Where more keys wait than
 * the high-water mark, loading waits too: that is what keeps memory bounded however large the source is.
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import { cityKey } from "./cities.js";
import type { Expectation } from "./expectation.js";
import { count } from "./figures.js";
import type { LoopDelay, LoopDelayMeter } from "./loop-delay.js";
import type { Screen } from "./screen.js";
import { citiesOf, type DemoStorage } from "./store.js";

export interface LoadResult {
  readonly accepted: number;
  readonly ms: number;
  /** How much of the time the queue was full and loading waited. */
  readonly waitedMs: number;
  readonly delay: LoopDelay;
}

/** Records set before the event loop has its turn: short enough that nothing else notices. */
const RECORDS_PER_TURN = 250;

export interface StepContext {
  readonly storage: DemoStorage;
  readonly expectation: Expectation;
  readonly screen: Screen;
  readonly meter: LoopDelayMeter;
  readonly signal: AbortSignal;
}

export async function load({
  storage,
  expectation,
  screen,
  meter,
  signal,
}: StepContext): Promise<LoadResult> {
  const { cities } = expectation;
  const store = citiesOf(storage);
  const progress = screen.progress();
  const stopMeter = meter.start();
  const startMs = performance.now();
  let waitedMs = 0;
  try {
    for (const city of cities) {
      store.set(cityKey(city), city);
      expectation.loaded += 1;
      if (expectation.loaded % RECORDS_PER_TURN !== 0) continue;
      await nextTurn();
      signal.throwIfAborted();
      if (storage.needDrain) {
        const fullMs = performance.now();
        await storage.drained({ signal });
        waitedMs += performance.now() - fullMs;
      }
      const { loaded } = expectation;
      progress.update(loaded / cities.length, () => `${count(loaded)} records accepted, ${waiting(storage)}`);
    }
  } finally {
    progress.end();
  }
  return { accepted: cities.length, ms: performance.now() - startMs, waitedMs, delay: stopMeter() };
}

function waiting(storage: DemoStorage): string {
  return `${count(storage.stats().queue?.waiting ?? 0)} wait for SQLite`;
}
