/**
 * An adapter that a conformance case has opened, with the checks that hold for every answer: it comes by the deadline,
 * sizes are whole numbers, a load answers each key in its place, a scan yields each key once.
 */

import assert from "node:assert/strict";
import type { Adapter, AdapterState, Mutation, StoredRecord, WriteResult } from "@leakdb/core/adapter";
import type { Put } from "./mutations.js";
import { assertLines, describeKey, describeRecord } from "./records.js";

export interface ScanRange {
  readonly prefix?: string;
  readonly after?: string;
}

/** Beyond this a scan counts as endless: no case stores as many records. */
const PAGES_MAX = 100_000;

/** Gives a call the deadline of the run. */
export type Settles = <T>(promise: Promise<T>, what: string) => Promise<T>;

export class OpenStore {
  readonly adapter: Adapter;
  readonly state: AdapterState;
  readonly #settles: Settles;

  constructor(adapter: Adapter, state: AdapterState, settles: Settles) {
    this.adapter = adapter;
    this.state = state;
    this.#settles = settles;
  }

  /** Sends a batch that must be stored whole. */
  async write(...batch: readonly Mutation[]): Promise<WriteResult> {
    const result = await this.send(batch);
    const rejected = (result.rejected ?? []).map(({ index }) => index);
    assert.deepEqual(rejected, [], "the adapter rejected mutations of a batch that keeps all limits");
    return result;
  }

  /** Sends a batch and leaves the judgement to the case. */
  async send(
    batch: readonly Mutation[],
    signal: AbortSignal = new AbortController().signal,
  ): Promise<WriteResult> {
    const result = await this.#settles(this.adapter.write(batch, { signal }), "a write");
    assertBytes(result?.bytes, "what write answers");
    assertRejected(result.rejected ?? [], batch.length);
    return result;
  }

  async load(...keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
    const records = await this.#settles(this.adapter.load(keys), "a load");
    assert.equal(records.length, keys.length, "load must answer every key it was asked for, in its place");
    for (const [index, record] of records.entries()) {
      if (record === undefined) continue;
      assert.equal(typeof record?.key, "string", `record ${index} of a load must have its key`);
      assert.equal(describeKey(record.key), describeKey(keys[index] as string), `record ${index} of a load`);
    }
    return records;
  }

  /** All records of a scan, in its order. Fails at the first key that comes again, so that it ends in any case. */
  async scan(range: ScanRange = {}): Promise<StoredRecord[]> {
    const records: StoredRecord[] = [];
    const seen = new Set<string>();
    const pages = this.adapter.scan(range)[Symbol.asyncIterator]();
    for (let count = 0; ; count += 1) {
      const page = await this.#settles(pages.next(), "the next page of a scan");
      if (page.done === true) return records;
      assert.ok(Array.isArray(page.value), "a page of a scan must be an array of records");
      assert.ok(count < PAGES_MAX, `the scan has yielded ${count} pages with ${records.length} records`);
      for (const record of page.value) {
        assert.ok(!seen.has(record.key), `the scan yielded ${describeKey(record.key)} twice`);
        seen.add(record.key);
        records.push(record);
      }
    }
  }

  async scanKeys(range: ScanRange = {}): Promise<string[]> {
    return (await this.scan(range)).map(({ key }) => key);
  }

  /** Asserts that the store holds these records and no others, by a scan and by loads. */
  async mustHold(expected: readonly Put[], what: string): Promise<void> {
    await this.mustScan({}, expected, what);
    await this.mustLoad(expected, what);
  }

  /** Asserts that a scan yields these records and no others, in any order. */
  async mustScan(range: ScanRange, expected: readonly Put[], what: string): Promise<void> {
    const actual = (await this.scan(range)).map(describeRecord).sort();
    assertLines(actual, expected.map(describeRecord).sort(), `${what} (by scan ${JSON.stringify(range)})`);
  }

  /** As `mustHold`, but records that have expired by `nowMs` may be missing: a backend is free to drop them. */
  async mustAgree(expected: readonly Put[], nowMs: number, what: string): Promise<void> {
    const live = expected.filter(({ expiresAt }) => expiresAt === 0 || expiresAt > nowMs);
    const dropped = new Set(expected.filter((one) => !live.includes(one)).map(describeRecord));
    const actual = (await this.scan()).map(describeRecord).filter((line) => !dropped.has(line));
    assertLines(actual.sort(), live.map(describeRecord).sort(), `${what} (by scan)`);
    await this.mustLoad(live, what);
  }

  /** True where `mustAgree` would pass. */
  async agrees(expected: readonly Put[], nowMs: number): Promise<boolean> {
    try {
      await this.mustAgree(expected, nowMs, "either way");
      return true;
    } catch (error) {
      if (error instanceof assert.AssertionError) return false;
      throw error;
    }
  }

  /** Asserts that the opening answered a high version of at least `version`. */
  mustHaveSeen(version: number): void {
    const { highVersion } = this.state;
    assert.ok(Number.isSafeInteger(highVersion), `highVersion must be a safe integer, and is ${highVersion}`);
    const message = `highVersion must be at least ${version}, which was acknowledged, and is ${highVersion}`;
    assert.ok(highVersion >= version, message);
  }

  /** Asserts that these records load, whatever else the store holds. */
  async mustLoad(expected: readonly Put[], what: string): Promise<void> {
    const records = await this.load(...expected.map(({ key }) => key));
    assertLines(records.map(describeLoaded), expected.map(describeRecord), `${what} (by load)`);
  }

  /** Asserts that none of the keys loads. */
  async mustMiss(keys: readonly string[], what: string): Promise<void> {
    const records = await this.load(...keys);
    assertLines(
      records.map(describeLoaded),
      keys.map(() => MISS),
      `${what} (by load of ${keys.map(describeKey).join(", ")})`,
    );
  }

  close(): Promise<void> {
    return this.adapter.close();
  }
}

const MISS = "a miss";

function describeLoaded(record: StoredRecord | undefined): string {
  return record === undefined ? MISS : describeRecord(record);
}

export function assertBytes(bytes: unknown, where: string): void {
  const isSize = Number.isSafeInteger(bytes) && (bytes as number) >= 0;
  assert.ok(isSize, `bytes in ${where} must be an integer from 0, and is ${String(bytes)}`);
}

function assertRejected(rejected: NonNullable<WriteResult["rejected"]>, length: number): void {
  const indexes = rejected.map(({ index }) => index);
  const areOfBatch = indexes.every((index) => Number.isSafeInteger(index) && index >= 0 && index < length);
  const message = `rejected must name each mutation once, by its index in a batch of ${length}: ${indexes}`;
  assert.ok(areOfBatch && new Set(indexes).size === indexes.length, message);
  for (const { index, error } of rejected)
    assert.ok(error instanceof Error, `the error of rejected mutation ${index} must be an Error`);
}
