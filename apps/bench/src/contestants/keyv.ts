/** keyv on its own `Map`, each call awaited, as its users do. */

import Keyv from "keyv";
import type { BenchValue } from "../records.js";
import { type Contestant, type ContestantOptions, TTL_MS } from "./contestant.js";

const OPERATIONS_MAX = 20_000;

export async function makeKeyv({ ttlEvery }: ContestantOptions): Promise<Contestant> {
  return new KeyvContestant(ttlEvery);
}

class KeyvContestant implements Contestant {
  readonly name = "keyv";
  readonly operationsMax = OPERATIONS_MAX;
  readonly #keyv = new Keyv<BenchValue>();
  readonly #ttlEvery: number;

  constructor(ttlEvery: number) {
    this.#ttlEvery = ttlEvery;
  }

  async read(keys: readonly string[], from: number, to: number): Promise<number> {
    const keyv = this.#keyv;
    let sum = 0;
    for (let index = from; index < to; index += 1) {
      const value = await keyv.get(keys[index] as string);
      if (value !== undefined) sum += value.id;
    }
    return sum;
  }

  async write(
    keys: readonly string[],
    values: readonly BenchValue[],
    from: number,
    to: number,
    shift: number,
  ): Promise<void> {
    const keyv = this.#keyv;
    const ttlEvery = this.#ttlEvery;
    const { length } = values;
    for (let index = from; index < to; index += 1) {
      const value = values[(index + shift) % length] as BenchValue;
      const ttl = ttlEvery !== 0 && index % ttlEvery === 0 ? TTL_MS : undefined;
      await keyv.set(keys[index] as string, value, ttl);
    }
  }

  async clear(): Promise<void> {
    await this.#keyv.clear();
  }

  async settle(): Promise<void> {
    // Nothing goes on in the background.
  }

  async close(): Promise<void> {
    await this.#keyv.clear();
    await this.#keyv.disconnect();
  }
}
