/** What the tests of this package share: a directory, and an open adapter with what it reported. */

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
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
import { afterEach } from "vitest";

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

/** The bytes of the main file, `undefined` when it is missing. */
export function bytesOf(filename: string): Buffer | undefined {
  return existsSync(filename) ? readFileSync(filename) : undefined;
}
