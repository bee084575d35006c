/** The store of the demo: one SQLite file with two namespaces, records and counters. */

import { type Namespace, type OpenProgress, PersistentQueueStorage } from "@leakdb/core";
import { sqlite } from "@leakdb/sqlite";
import type { City } from "./cities.js";

export type DemoStorage = PersistentQueueStorage<City | number>;

export async function openStorage(
  filename: string,
  onProgress?: (progress: OpenProgress) => void,
): Promise<DemoStorage> {
  return PersistentQueueStorage.open({ adapter: sqlite({ filename }), onProgress });
}

export const CITY_PREFIX = "city:";
export const VISITS_PREFIX = "visits:";

/** The records, each under its id. */
export function citiesOf(storage: DemoStorage): Namespace<City> {
  return storage.namespace<City>(CITY_PREFIX);
}

/** A counter a country. */
export function visitsOf(storage: DemoStorage): Namespace<number> {
  return storage.namespace<number>(VISITS_PREFIX);
}
