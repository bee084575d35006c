/**
 * Step 2: a mixed load, as a service has it, while the queue drains. Three callers take turns on the event loop:
 *
 *     reads     get a record, and look whether it is the right one
 *     counters  incr the visits of its country
 *     updates   replace the record by one with a larger population
 *
 * Writers wait where the queue is full; readers never do. Some records are asked for far more often than others, as
 * everywhere.
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Namespace } from "@leakdb/core";
import { type City, cityKey } from "./cities.js";
import type { Expectation } from "./expectation.js";
import { count, rate } from "./figures.js";
import type { StepContext } from "./load-step.js";
import type { LoopDelay } from "./loop-delay.js";
import { citiesOf, visitsOf } from "./store.js";

export interface ServeResult {
  readonly reads: number;
  /** Reads that found no record, or another one. */
  readonly wrongReads: number;
  readonly counters: number;
  readonly updates: number;
  readonly ms: number;
  readonly delay: LoopDelay;
}

const READS_PER_TURN = 400;
const COUNTERS_PER_TURN = 50;
const UPDATES_PER_TURN = 50;

export async function serve(context: StepContext, durationMs: number): Promise<ServeResult> {
  const { storage, screen, meter, signal } = context;
  const work = new MixedLoad(context);
  const progress = screen.progress();
  const stopMeter = meter.start();
  const startMs = performance.now();
  const passedMs = (): number => performance.now() - startMs;

  const call = async (onTurn: () => void, isWriter: boolean): Promise<void> => {
    while (passedMs() < durationMs) {
      if (isWriter && storage.needDrain) await storage.drained({ signal });
      onTurn();
      await nextTurn();
      signal.throwIfAborted();
    }
  };
  const show = (): void =>
    progress.update(passedMs() / durationMs, () => {
      const waiting = count(storage.stats().queue?.waiting ?? 0);
      return `${rate(work.reads, passedMs())} reads a second, ${waiting} writes wait for SQLite`;
    });

  const callers = [
    call(() => {
      work.read();
      show();
    }, false),
    call(() => work.count(), true),
    call(() => work.update(), true),
  ];
  try {
    await Promise.all(callers);
  } finally {
    await Promise.allSettled(callers);
    progress.end();
  }
  const { reads, wrongReads, counters, updates } = work;
  return { reads, wrongReads, counters, updates, ms: passedMs(), delay: stopMeter() };
}

/** The three kinds of requests, a turn's worth at a time. */
class MixedLoad {
  readonly #expectation: Expectation;
  readonly #cities: Namespace<City>;
  readonly #visits: Namespace<number>;
  reads = 0;
  wrongReads = 0;
  counters = 0;
  updates = 0;

  constructor({ storage, expectation }: StepContext) {
    this.#expectation = expectation;
    this.#cities = citiesOf(storage);
    this.#visits = visitsOf(storage);
  }

  read(): void {
    for (let left = READS_PER_TURN; left > 0; left -= 1) {
      const asked = this.#source(this.#popularIndex());
      const found = this.#cities.get(cityKey(asked));
      this.reads += 1;
      if (found?.cityId !== asked.cityId) this.wrongReads += 1;
    }
  }

  count(): void {
    for (let left = COUNTERS_PER_TURN; left > 0; left -= 1) {
      const { country } = this.#source(this.#popularIndex());
      this.#visits.incr(country);
      this.#expectation.visited(country);
      this.counters += 1;
    }
  }

  update(): void {
    for (let left = UPDATES_PER_TURN; left > 0; left -= 1) {
      const index = this.#popularIndex();
      this.#cities.update(cityKey(this.#source(index)), grow);
      this.#expectation.updated(index);
      this.updates += 1;
    }
  }

  #source(index: number): City {
    return this.#expectation.cities[index] as City;
  }

  /** A tenth of the records gets nearly half of the requests. */
  #popularIndex(): number {
    return Math.floor(this.#expectation.cities.length * Math.random() ** 3);
  }
}

/** A new object: the one in memory is the source's own, and must stay as it is for the comparison. */
function grow(city: City | undefined): City | undefined {
  return city === undefined ? undefined : { ...city, population: city.population + 1 };
}
