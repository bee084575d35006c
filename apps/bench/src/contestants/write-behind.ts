/** LeakDB's `PersistentQueueStorage` over SQLite, all options at their defaults, its queue and thread running. */

import { join } from "node:path";
import { PersistentQueueStorage } from "@leakdb/core";
import { sqlite } from "@leakdb/sqlite";
import type { BenchValue } from "../records.js";
import { ANY_OPERATIONS, type Contestant, type ContestantOptions, TTL_MS } from "./contestant.js";

let filesMade = 0;

/** A new file's name in the directory. */
export function newFilename(directory: string): string {
  filesMade += 1;
  return join(directory, `bench-${filesMade}.db`);
}

export function openWriteBehind(filename: string): Promise<PersistentQueueStorage<BenchValue>> {
  return PersistentQueueStorage.open<BenchValue>({ adapter: sqlite({ filename }) });
}

export async function makeWriteBehind({ ttlEvery, directory }: ContestantOptions): Promise<Contestant> {
  return new WriteBehindContestant(await openWriteBehind(newFilename(directory)), ttlEvery);
}

class WriteBehindContestant implements Contestant {
  readonly name = "write-behind";
  readonly operationsMax = ANY_OPERATIONS;
  readonly #storage: PersistentQueueStorage<BenchValue>;
  readonly #ttlEvery: number;

  constructor(storage: PersistentQueueStorage<BenchValue>, ttlEvery: number) {
    this.#storage = storage;
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
    await this.#storage.flush();
  }

  async close(): Promise<void> {
    await this.#storage.close();
  }
}
