/** Opens the storage that a schedule asks for, and reads what one holds. */

import { isLeakDBError, PersistentQueueStorage, PersistentStorage } from "@leakdb/core";
import {
  type ManualClock,
  type ReferenceBackend,
  type referenceAdapter,
  SeededRandom,
} from "@leakdb/testkit";
import type { FinalEntry, Happening } from "./happening.js";
import type { HeldAdapter } from "./held-adapter.js";
import { BATCH_BYTES_MAX, type Shape, WRITE_TIMEOUT_MS } from "./schedule.js";

export type Storage = PersistentQueueStorage<number> | PersistentStorage<number>;

export function openStorage(
  shape: Shape,
  adapter: HeldAdapter | ReturnType<typeof referenceAdapter>,
  clock: ManualClock,
): Promise<Storage> {
  const { isThrough, workers, capacity, batchMax, maxAttempts, ...behind } = shape;
  const shared = {
    ...{ adapter, clock, workers, capacity, batchMax, batchBytesMax: BATCH_BYTES_MAX },
    ...{ writeTimeout: WRITE_TIMEOUT_MS, retry: { maxAttempts, backoff: 10, maxBackoff: 40 } },
  };
  if (isThrough) return PersistentStorage.open<number>({ ...shared, batchMax: Math.max(batchMax, 3) });
  return PersistentQueueStorage.open<number>({ ...shared, ...behind });
}

export function repeatable(seed: number): () => number {
  const random = new SeededRandom(seed);
  return () => random.next();
}

export function entriesOf(storage: Storage): FinalEntry[] {
  return [...storage.entries()].map(([key, value]) => ({
    key,
    value,
    version: storage.getEntry(key)?.version ?? 0,
  }));
}

export function valuesOf(storage: Storage): Map<string, unknown> {
  return new Map(storage.entries());
}

export function contentOf(storage: Storage): string {
  return JSON.stringify([storage.version, ...entriesOf(storage)]);
}

export function codeOf(error: unknown): string {
  return isLeakDBError(error) ? error.code : String(error);
}

/** What the storage tells of failures goes into the record. */
export function recordEvents(storage: Storage, record: Happening[]): void {
  storage.on("retry", () => record.push({ type: "reported", what: "retry" }));
  storage.on("fault", () => record.push({ type: "reported", what: "fault" }));
  storage.on("deadLetter", ({ operation, key, version }) => {
    record.push({ type: "dead", operation, key, version });
    record.push({ type: "reported", what: "deadLetter" });
  });
}

/** The backend's own keys and versions, with the values that a storage opened on it has decoded. */
export function recordsOf(backend: ReferenceBackend, reopened: readonly FinalEntry[]): FinalEntry[] {
  const values = new Map(reopened.map(({ key, value }) => [key, value]));
  return [...backend.records.values()].map(({ key, version }) => ({ key, version, value: values.get(key) }));
}
