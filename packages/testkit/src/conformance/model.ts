/**
 * The contract of `write` as a dozen lines over a `Map`: what a backend must hold after the same batches. Cases with
 * many random mutations, and those of random histories, compare an adapter with it.
 */

import type { Mutation } from "@leakdb/core/adapter";
import type { SeededRandom } from "../seeded-random.js";
import { clear, FIRST_VERSION, type Put, put, remove } from "./mutations.js";

export class Model {
  readonly #records: Map<string, Put>;
  /** The highest version applied, that of a delete or a clear too. */
  highVersion = 0;

  constructor(records: readonly Put[] = []) {
    this.#records = new Map(records.map((record) => [record.key, record]));
  }

  apply(batch: readonly Mutation[]): void {
    for (const mutation of batch) {
      this.highVersion = Math.max(this.highVersion, mutation.version);
      if (mutation.type === "clear") this.#clear(mutation.prefix, mutation.version);
      else if (mutation.version < (this.#records.get(mutation.key)?.version ?? 0)) continue;
      else if (mutation.type === "put") this.#records.set(mutation.key, mutation);
      else this.#records.delete(mutation.key);
    }
  }

  get records(): Put[] {
    return [...this.#records.values()];
  }

  #clear(prefix: string, version: number): void {
    for (const { key, version: stored } of this.records) {
      if (key.startsWith(prefix) && stored < version) this.#records.delete(key);
    }
  }
}

/** Random batches that keep core's promises: versions rise, and a batch repeats a key only behind a clear. */
export class RandomBatches {
  readonly #random: SeededRandom;
  readonly #keys: readonly string[];
  #version = FIRST_VERSION;

  constructor(random: SeededRandom, keys: readonly string[]) {
    this.#random = random;
    this.#keys = keys;
  }

  /** A batch of at most `size` mutations; one in `clearEvery` is a clear of one of `prefixes`. */
  next(size: number, prefixes: readonly string[], clearEvery = 50): Mutation[] {
    const batch: Mutation[] = [];
    let used = new Set<string>();
    for (let index = 0; index < size; index += 1) {
      this.#version += 1;
      if (prefixes.length > 0 && this.#random.chance(1 / clearEvery)) {
        batch.push(clear(this.#random.pick(prefixes), this.#version));
        used = new Set();
        continue;
      }
      const key = this.#random.pick(this.#keys);
      if (used.has(key)) continue;
      used.add(key);
      const value = `value ${this.#random.integer(0, 999_999)}`;
      const isDelete = this.#random.chance(0.25);
      batch.push(isDelete ? remove(key, this.#version) : put(key, value, this.#version));
    }
    return batch;
  }
}
