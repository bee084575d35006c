/** Backends for the tests of copy, filled and read below the storages: what is stored, to the byte. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Adapter,
  type AdapterState,
  type Mutation,
  type StoredRecord,
  systemClock,
} from "@leakdb/core/adapter";
import { sqlite } from "@leakdb/sqlite";
import { ReferenceBackend, referenceAdapter } from "@leakdb/testkit";
import { onTestFinished } from "vitest";

/** A backend that outlives its adapters: each call makes a further adapter over it. */
export type Backend = () => Adapter;

export type Put = Extract<Mutation, { type: "put" }>;

const BATCH_RECORDS = 10_000;

/** A version as storages issue them. */
export const FIRST_VERSION = Date.UTC(2026, 0, 1) * 1_000;

export function inMemory(name = "reference"): Backend {
  const backend = new ReferenceBackend();
  return () => referenceAdapter({ name, backend });
}

export function inFile(): Backend {
  const filename = temporaryFile();
  return () => sqlite({ filename });
}

export function temporaryFile(): string {
  const directory = mkdtempSync(join(tmpdir(), "leakdb-copy-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, "store.db");
}

export function put(key: string, text: string, version: number, expiresAt = 0): Put {
  return { type: "put", key, value: Buffer.from(text), version: FIRST_VERSION + version, expiresAt };
}

export function numbered(count: number): Put[] {
  return Array.from({ length: count }, (_, index) =>
    put(`key ${String(index).padStart(7, "0")}`, `value ${index}`, index + 1),
  );
}

export async function opened<T>(
  adapter: Adapter,
  use: (state: AdapterState, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { signal } = new AbortController();
  const limits = { batchMax: BATCH_RECORDS, batchBytesMax: Number.POSITIVE_INFINITY };
  const state = await adapter.open({ clock: systemClock, signal, limits, report: () => undefined });
  try {
    return await use(state, signal);
  } finally {
    await adapter.close();
  }
}

export async function fill(backend: Backend, mutations: readonly Mutation[]): Promise<void> {
  const adapter = backend();
  await opened(adapter, async (_, signal) => {
    for (let start = 0; start < mutations.length; start += BATCH_RECORDS) {
      await adapter.write(mutations.slice(start, start + BATCH_RECORDS), { signal });
    }
  });
}

/** Everything a backend holds, in the order of its keys, as text; and its high version. */
export async function contents(backend: Backend): Promise<{ records: string[]; highVersion: number }> {
  const adapter = backend();
  return opened(adapter, async ({ highVersion }) => {
    const records: string[] = [];
    for await (const page of adapter.scan({})) records.push(...page.map(textOf));
    return { records: records.sort(), highVersion };
  });
}

export function textOf({ key, value, version, expiresAt }: StoredRecord): string {
  return `${JSON.stringify(key)}@${version} until ${expiresAt}: ${Buffer.from(value).toString("latin1")}`;
}
