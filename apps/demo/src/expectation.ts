/**
 * What the store must hold in the end, kept aside in plain arrays: the source, how often each of its records was
 * updated, and the counters. Nothing in it ever comes from the store.
 */

import type { City } from "./cities.js";

export class Expectation {
  readonly cities: readonly City[];
  /** Written to the store: the first so many of `cities`. */
  loaded = 0;
  readonly #updates: Uint32Array;
  readonly #visits = new Map<string, number>();

  constructor(cities: readonly City[]) {
    this.cities = cities;
    this.#updates = new Uint32Array(cities.length);
  }

  updated(index: number): void {
    this.#updates[index] = (this.#updates[index] ?? 0) + 1;
  }

  visited(country: string): void {
    this.#visits.set(country, (this.#visits.get(country) ?? 0) + 1);
  }

  /** The record as all its updates must have left it. */
  city(index: number): City {
    const city = this.cities[index] as City;
    const updates = this.#updates[index] as number;
    return updates === 0 ? city : { ...city, population: city.population + updates };
  }

  visits(): ReadonlyMap<string, number> {
    return this.#visits;
  }
}
