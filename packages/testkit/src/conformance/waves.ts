/**
 * Batches that come one after another over the same keys, and what a store holds before and after each, for the cases
 * that interrupt a write: half of one shows, whichever half.
 *
 *     wave 1   put kept-0 ... kept-n    put 1:0 ... 1:m
 *     wave 2   put kept-0 ... kept-n    put 2:0 ... 2:m    delete 1:0 ... 1:m
 *     wave 3   put kept-0 ... kept-n    put 3:0 ... 3:m    delete 2:0 ... 2:m
 */

import assert from "node:assert/strict";
import type { Mutation } from "@leakdb/core/adapter";
import { Model } from "./model.js";
import { FIRST_VERSION, type Put, put, remove } from "./mutations.js";
import type { OpenStore } from "./open-store.js";
import { assertLines, describeRecord } from "./records.js";

export interface Wave {
  readonly batch: readonly Mutation[];
  readonly before: readonly Put[];
  readonly after: readonly Put[];
}

export class Waves {
  #count = 0;
  #valueBytes = 0;
  #version = FIRST_VERSION;
  #before: readonly Put[] = [];
  #passing: readonly Put[] = [];

  /**
   * The next batch, of `size` mutations when the last was as large; all before must have been applied whole. Values are
   * filled up to `valueBytes`.
   */
  next(size: number, valueBytes = 0): Wave {
    this.#count += 1;
    this.#valueBytes = valueBytes;
    const quarter = Math.ceil(size / 4);
    const kept = this.#puts("kept-", size - 2 * quarter);
    const passing = this.#puts(`${this.#count}:`, quarter);
    const removals = this.#passing.map(({ key }) => remove(key, this.#nextVersion()));
    const batch = [...kept, ...passing, ...removals];
    const before = this.#before;
    const model = new Model(before);
    model.apply(batch);
    this.#passing = passing;
    this.#before = model.records;
    return { batch, before, after: model.records };
  }

  /** With values of this wave: a record that is half of one wave and half of another shows too. */
  #puts(prefix: string, count: number): Put[] {
    return Array.from({ length: count }, (_, index) =>
      put(
        `${prefix}${index}`,
        `wave ${this.#count} of ${prefix}${index}`.padEnd(this.#valueBytes, "."),
        this.#nextVersion(),
      ),
    );
  }

  #nextVersion(): number {
    this.#version += 1;
    return this.#version;
  }
}

/** Asserts that the store holds what was before the wave or what is after it, and nothing between. */
export async function mustBeWhole(store: OpenStore, wave: Wave, what: string): Promise<void> {
  const found = (await store.scan()).map(describeRecord).sort();
  const before = wave.before.map(describeRecord).sort();
  const after = wave.after.map(describeRecord).sort();
  if (isSame(found, before) || isSame(found, after)) return;
  const ofBefore = new Set(before);
  const ofAfter = new Set(after);
  const news = found.filter((line) => ofAfter.has(line) && !ofBefore.has(line)).length;
  const left = found.filter((line) => ofBefore.has(line) && !ofAfter.has(line)).length;
  assert.fail(`${what}: all of a batch of ${wave.batch.length} or nothing was expected. There are ${news} records of it,
and ${left} that it replaces or removes`);
}

/** Asserts that each key is as it was before the wave or as it is after it. */
export async function mustBeBetween(store: OpenStore, wave: Wave, what: string): Promise<void> {
  const lines = new Map<string, string>();
  for (const record of await store.scan()) lines.set(record.key, describeRecord(record));
  const before = linesByKey(wave.before);
  const after = linesByKey(wave.after);
  const odd: string[] = [];
  for (const key of new Set([...lines.keys(), ...before.keys(), ...after.keys()])) {
    const line = lines.get(key);
    if (line === before.get(key) || line === after.get(key)) continue;
    odd.push(line ?? `${before.get(key)}: gone`);
  }
  assertLines(odd, [], `${what}: keys that are neither as before the batch nor as after it`);
}

function linesByKey(records: readonly Put[]): Map<string, string> {
  return new Map(records.map((record) => [record.key, describeRecord(record)]));
}

function isSame(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((line, index) => line === right[index]);
}
