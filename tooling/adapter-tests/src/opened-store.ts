/** An adapter that is open, as core would have it open, with what it reported; and mutations to write to it. */

import {
  type Adapter,
  type AdapterContext,
  type AdapterState,
  type Mutation,
  type StoredRecord,
  systemClock,
} from "@leakdb/core/adapter";

/** A signal that is never aborted. */
export const never: AbortSignal = new AbortController().signal;

export interface OpenedStore<A extends Adapter = Adapter> {
  readonly adapter: A;
  readonly state: AdapterState;
  readonly reports: Error[];
  write(...batch: Mutation[]): Promise<void>;
  records(): Promise<StoredRecord[]>;
}

/** What core opens an adapter with, its limits at their defaults. */
export function openContext(report: AdapterContext["report"], clock = systemClock): AdapterContext {
  return { clock, signal: never, limits: { batchMax: 10_000, batchBytesMax: 8 * 1024 * 1024 }, report };
}

export async function openAdapter<A extends Adapter>(
  adapter: A,
  clock?: AdapterContext["clock"],
): Promise<OpenedStore<A>> {
  const reports: Error[] = [];
  const state = await adapter.open(openContext((error) => reports.push(error), clock));
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

/** Puts of `key 000000` and so on, each of its own version. */
export function puts(count: number, firstVersion = 1, bytes = 100): Mutation[] {
  return Array.from({ length: count }, (_, index) =>
    put(`key ${String(index).padStart(6, "0")}`, Buffer.alloc(bytes, index % 251), firstVersion + index),
  );
}
