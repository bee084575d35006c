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
import { type SqliteOptions, sqlite } from "@leakdb/sqlite";
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
  const directory = mkdtempSync(join(tmpdir(), "leakdb-sqlite-"));
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
  options: SqliteOptions,
  {
    clock = systemClock,
    make = sqlite,
  }: { clock?: AdapterContext["clock"]; make?: (options: SqliteOptions) => ThreadAdapter } = {},
): Promise<OpenedStore> {
  const adapter = make(options);
  const reports: Error[] = [];
  const limits = { batchMax: 10_000, batchBytesMax: 8 * 1024 * 1024 };
  const state = await adapter.open({ clock, signal: never, limits, report: (error) => reports.push(error) });
  afterThisTest(() =>
    adapter.close().catch((error) => {
      // A close that has rejected does so again.
      if (error.code !== "LEAKDB_FENCED") throw error;
    }),
  );
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
export async function madeStore(filename: string, count = 2000): Promise<void> {
  const store = await openStore({ filename });
  await store.write(...puts(count));
  await store.adapter.close();
}

/** The opening fails as told, and changes nothing. */
export async function refuses(
  filename: string,
  error: { kind: string; code: string; message?: unknown },
): Promise<void> {
  const before = bytesOf(filename);
  await expect(openStore({ filename })).rejects.toMatchObject(error);
  // A comparison by `expect` takes seconds for a file of this size.
  expect(bytesOf(filename).equals(before)).toBe(true);
}

/** The bytes of the main file, none when it is missing. */
function bytesOf(filename: string): Buffer {
  try {
    return readFileSync(filename);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return Buffer.alloc(0);
    throw error;
  }
}
