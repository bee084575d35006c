/** lru-cache, with room for everything, so that it never evicts. */

import { LRUCache } from "lru-cache";
import type { BenchValue } from "../records.js";
import { ANY_OPERATIONS, type Contestant, type ContestantOptions, TTL_MS } from "./contestant.js";

export async function makeLruCache(options: ContestantOptions): Promise<Contestant> {
  return new LruCacheContestant(options);
}

class LruCacheContestant implements Contestant {
  readonly name = "lru-cache";
  readonly operationsMax = ANY_OPERATIONS;
  readonly #cache: LRUCache<string, BenchValue>;
  readonly #ttlEvery: number;

  constructor({ entries, ttlEvery }: ContestantOptions) {
    this.#cache = new LRUCache({ max: entries });
    this.#ttlEvery = ttlEvery;
  }

  read(keys: readonly string[], from: number, to: number): number {
    const cache = this.#cache;
    let sum = 0;
    for (let index = from; index < to; index += 1) {
      const value = cache.get(keys[index] as string);
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
    const cache = this.#cache;
    const ttlEvery = this.#ttlEvery;
    const { length } = values;
    for (let index = from; index < to; index += 1) {
      const key = keys[index] as string;
      const value = values[(index + shift) % length] as BenchValue;
      if (ttlEvery !== 0 && index % ttlEvery === 0) cache.set(key, value, { ttl: TTL_MS });
      else cache.set(key, value);
    }
  }

  clear(): void {
    this.#cache.clear();
  }

  async settle(): Promise<void> {
    // Nothing goes on in the background.
  }

  async close(): Promise<void> {
    this.#cache.clear();
  }
}
