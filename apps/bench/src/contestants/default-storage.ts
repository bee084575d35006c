/** LeakDB's `DefaultStorage`: memory alone. */

import { DefaultStorage } from "@leakdb/core";
import type { BenchValue } from "../records.js";
import { ANY_OPERATIONS, type Contestant, type ContestantOptions, TTL_MS } from "./contestant.js";

export async function makeDefaultStorage({ ttlEvery }: ContestantOptions): Promise<Contestant> {
  return new DefaultStorageContestant(ttlEvery);
}

class DefaultStorageContestant implements Contestant {
  readonly name = "DefaultStorage";
  readonly operationsMax = ANY_OPERATIONS;
  readonly #storage = new DefaultStorage<BenchValue>();
  readonly #ttlEvery: number;

  constructor(ttlEvery: number) {
    this.#ttlEvery = ttlEvery;
  }

  read(keys: readonly string[], from: number, to: number): number {
    const storage = this.#storage;
    let sum = 0;
    for (let index = from; index < to; index += 1) {
      const value = storage.get(keys[index] as string);
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
    const storage = this.#storage;
    const ttlEvery = this.#ttlEvery;
    const { length } = values;
    for (let index = from; index < to; index += 1) {
      const key = keys[index] as string;
      const value = values[(index + shift) % length] as BenchValue;
      if (ttlEvery !== 0 && index % ttlEvery === 0) storage.set(key, value, { ttl: TTL_MS });
      else storage.set(key, value);
    }
  }

  clear(): void {
    this.#storage.clear();
  }

  async settle(): Promise<void> {
    // Nothing goes on in the background.
  }

  async close(): Promise<void> {
    await this.#storage.close();
  }
}
