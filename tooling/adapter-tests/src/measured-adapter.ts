/** The adapter's side of the measurements: the records written through it, and read by an opening. */

import { type Adapter, type AdapterContext, type Mutation, systemClock } from "@leakdb/core/adapter";
import { ADAPTER_BATCH, type BenchRecords, FIRST_VERSION, perSecond } from "./bench-records.js";

export function benchContext(): AdapterContext {
  return {
    clock: systemClock,
    signal: new AbortController().signal,
    limits: { batchMax: ADAPTER_BATCH, batchBytesMax: 8 << 20 },
    report: (error) => console.error("report:", error),
  };
}

/** Writes all records through the adapter, which is open. @returns thousands a second */
export async function writeByAdapter(
  adapter: Adapter,
  records: BenchRecords,
  keys: readonly string[],
): Promise<number> {
  const { signal } = benchContext();
  const start = performance.now();
  for (let at = 0; at < keys.length; at += ADAPTER_BATCH) {
    const batch = keys.slice(at, at + ADAPTER_BATCH).map((key, offset): Mutation => {
      const index = at + offset;
      const version = FIRST_VERSION + index;
      return { type: "put", key, value: records.valueAt(index), version, expiresAt: 0 };
    });
    await adapter.write(batch, { signal });
  }
  return perSecond(keys.length, start);
}

/** Opens the adapter, reads and decodes every record into a `Map`, and closes it. @returns milliseconds of the reading */
export async function measureAdapterOpen(adapter: Adapter, records: BenchRecords): Promise<number> {
  const map = new Map<string, unknown>();
  const start = performance.now();
  await adapter.open(benchContext());
  for await (const page of adapter.scan({})) {
    for (const record of page) map.set(record.key, records.decode(record.value));
  }
  const elapsedMs = performance.now() - start;
  await adapter.close();
  if (map.size !== records.count) throw new Error(`${map.size} records instead of ${records.count}`);
  return elapsedMs;
}
