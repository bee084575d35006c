/**
 * Step 4: the file is opened again and every entry of it compared with the expectation, both ways: nothing is
 * missing, nothing differs, nothing is there that nobody wrote.
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { cityKey } from "./cities.js";
import type { Expectation } from "./expectation.js";
import { count } from "./figures.js";
import type { Screen } from "./screen.js";
import { CITY_PREFIX, citiesOf, type DemoStorage, VISITS_PREFIX, visitsOf } from "./store.js";

export interface Difference {
  readonly key: string;
  readonly what: "missing" | "differs" | "unexpected";
}

export interface Comparison {
  readonly records: number;
  readonly counters: number;
  readonly differences: readonly Difference[];
}

const ENTRIES_PER_TURN = 1_000;

export interface CompareContext {
  readonly storage: DemoStorage;
  readonly expectation: Expectation;
  readonly screen: Screen;
  readonly signal: AbortSignal;
}

export async function compare({ storage, expectation, screen, signal }: CompareContext): Promise<Comparison> {
  const { loaded } = expectation;
  const cities = citiesOf(storage);
  const progress = screen.progress();
  const differences: Difference[] = [];
  try {
    for (let index = 0; index < loaded; index += 1) {
      const expected = expectation.city(index);
      const key = cityKey(expected);
      addDifference(differences, CITY_PREFIX + key, cities.get(key), expected);
      if (index % ENTRIES_PER_TURN !== 0) continue;
      await nextTurn();
      signal.throwIfAborted();
      progress.update(index / loaded, () => `${count(index)} records compared`);
    }
  } finally {
    progress.end();
  }
  const visits = visitsOf(storage);
  for (const [country, expected] of expectation.visits()) {
    addDifference(differences, VISITS_PREFIX + country, visits.get(country), expected);
  }
  differences.push(...unexpected(storage, expectation));
  return { records: loaded, counters: expectation.visits().size, differences };
}

function addDifference(differences: Difference[], key: string, found: unknown, expected: unknown): void {
  if (found === undefined) differences.push({ key, what: "missing" });
  else if (!isDeepStrictEqual(found, expected)) differences.push({ key, what: "differs" });
}

function* unexpected(storage: DemoStorage, expectation: Expectation): Generator<Difference, void, undefined> {
  const known = new Set<string>();
  for (const city of expectation.cities.slice(0, expectation.loaded)) known.add(CITY_PREFIX + cityKey(city));
  for (const country of expectation.visits().keys()) known.add(VISITS_PREFIX + country);
  for (const key of storage.keys()) if (!known.has(key)) yield { key, what: "unexpected" };
}
