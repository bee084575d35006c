/** What the tests of this package share: a directory, and an open adapter with what it reported. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type AdapterContext,
  type AdapterState,
  type Mutation,
  type StoredRecord,
  systemClock,
} from "@leakdb/core/adapter";
import type { ThreadAdapter } from "@leakdb/core/adapter-thread";
import { type LmdbOptions, lmdb } from "@leakdb/lmdb";
import { afterEach, expect } from "vitest";

export const never: AbortSignal = new AbortController().signal;

const cleanups: (() => Promise<void> | void)[] = [];

/** Runs after the test, last added first, before the directories are removed. */
export function afterThisTest(cleanup: () => Promise<void> | void): void {
  cleanups.push(cleanup);
}

afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup !== undefined; cleanup = cleanups.pop()) await cleanup();
});

export function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "leakdb-lmdb-"));
  afterThisTest(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface OpenedStore {
  readonly adapter: ThreadAdapter;
  readonly state: AdapterState;
  readonly reports: Error[];
  write(...batch: Mutation[]): Promise<void>;
  records(): Promise<StoredRecord[]>;
}

export async function openStore(
  options: LmdbOptions,
  {
    clock = systemClock,
    make = lmdb,
  }: { clock?: AdapterContext["clock"]; make?: (options: LmdbOptions) => ThreadAdapter } = {},
): Promise<OpenedStore> {
  const adapter = make(options);
  const reports: Error[] = [];
  const limits = { batchMax: 10_000, batchBytesMax: 8 * 1024 * 1024 };
  const state = await adapter.open({ clock, signal: never, limits, report: (error) => reports.push(error) });
  afterThisTest(() => adapter.close());
  return {
    adapter,
    state,
    reports,
    async write(...batch) {
      await adapter.write(batch, { signal: never });
    },
    async records() {
      const records: StoredRecord[] = [];
      for await (const page of adapter.scan({})) records.push(...page);
      return records;
    },
  };
}

export function put(key: string, value: string | Uint8Array, version: number, expiresAt = 0): Mutation {
  return { type: "put", key, value: Buffer.from(value), version, expiresAt };
}

export function puts(count: number, firstVersion = 1, bytes = 100): Mutation[] {
  return Array.from({ length: count }, (_, index) =>
    put(`key ${String(index).padStart(6, "0")}`, Buffer.alloc(bytes, index % 251), firstVersion + index),
  );
}

/** Makes a store with records in it, and closes it. */
export async function madeStore(directory: string, count = 2000): Promise<void> {
  const store = await openStore({ directory });
  await store.write(...puts(count));
  await store.adapter.close();
}

/** The file that holds the records. */
export const dataFile = (directory: string): string => join(directory, "data.mdb");

/** The opening fails as told, and changes nothing. */
export async function refuses(
  directory: string,
  error: { kind: string; code: string; message?: unknown },
): Promise<void> {
  const before = bytesOf(directory);
  await expect(openStore({ directory })).rejects.toMatchObject(error);
  // A comparison by `expect` takes seconds for a file of this size.
  expect(bytesOf(directory).equals(before)).toBe(true);
}

/** The bytes of the data file, none when it is missing. */
function bytesOf(directory: string): Buffer {
  try {
    return readFileSync(dataFile(directory));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return Buffer.alloc(0);
    throw error;
  }
}
