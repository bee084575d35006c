/**
 * `--tamper`: one record of the closed file is changed, as a faulty disk or an impatient colleague would. A
 * comparison that finds nothing now would prove nothing.
 */

import { citiesOf, openStorage } from "./store.js";

/** Changes the population of one record by one, and returns its key. */
export async function tamper(filename: string): Promise<string> {
  const storage = await openStorage(filename);
  try {
    const cities = citiesOf(storage);
    const [key] = cities.keys({ limit: 1 });
    if (key === undefined) throw new Error("there is no record to tamper with");
    cities.update(key, (city) => city && { ...city, population: city.population + 1 });
    return key;
  } finally {
    await storage.close();
  }
}
