/** A bare `Map`: what nothing can be faster than. */

import type { BenchValue } from "../records.js";
import { ANY_OPERATIONS, type Contestant } from "./contestant.js";

export async function makeMap(): Promise<Contestant> {
  return new MapContestant();
}

class MapContestant implements Contestant {
  readonly name = "Map";
  readonly operationsMax = ANY_OPERATIONS;
  readonly #map = new Map<string, BenchValue>();

  read(keys: readonly string[], from: number, to: number): number {
    const map = this.#map;
    let sum = 0;
    for (let index = from; index < to; index += 1) {
      const value = map.get(keys[index] as string);
      if (value !== undefined) sum += value.id;
    }
    return sum;
  }

  write(
    keys: readonly string[],
    values: readonly BenchValue[],
    from: number,
    to: number,
    shift: number,
  ): void {
    const map = this.#map;
    const { length } = values;
    for (let index = from; index < to; index += 1) {
      map.set(keys[index] as string, values[(index + shift) % length] as BenchValue);
    }
  }

  clear(): void {
    this.#map.clear();
  }

  async settle(): Promise<void> {
    // Nothing goes on in the background.
  }

  async close(): Promise<void> {
    this.#map.clear();
  }
}
