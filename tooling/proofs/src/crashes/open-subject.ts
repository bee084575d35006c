/** Opens the storage that a setup asks for, on the disk and the backend of one life. */

import {
  type DefaultStorage as Default,
  DefaultStorage,
  type JournalFiles,
  PersistentQueueStorage,
  QueueStorage,
  type WorkerProcess,
  type WorkerProcessBatch,
} from "@leakdb/core";
import type { Adapter, Clock } from "@leakdb/core/adapter";
import { ALL_KEYS, type Setup } from "./crash-plan.js";
import type { Found } from "./history.js";

export type Value = string | number;
export type Subject = Default<Value> | QueueStorage<Value> | PersistentQueueStorage<Value>;

export interface World {
  readonly clock: Clock;
  readonly files: JournalFiles;
  readonly adapter: Adapter;
  readonly workerProcess: WorkerProcess<Value>;
  readonly workerProcessBatch: WorkerProcessBatch<Value>;
}

const MIB = 1024 * 1024;
const INTERVAL_MS = 15;
/** A write that hangs is given up after this. */
export const WRITE_TIMEOUT_MS = 150;

export function openSubject(setup: Setup, world: World): Promise<Subject> {
  const { kind, sync, maxMib, values, coalesce, workers, maxSize, batchMax, writeDelay, maxAttempts } = setup;
  const { clock, files, adapter, workerProcess, workerProcessBatch } = world;
  const journal = { directory: "/journal", files, sync, interval: INTERVAL_MS, maxBytes: maxMib * MIB };
  if (kind === "default") return DefaultStorage.open<Value>({ journal, clock, values });
  const queue = {
    ...{
      journal,
      clock,
      values,
      coalesce,
      workers,
      maxSize,
      batchMax,
      writeDelay,
      writeTimeout: WRITE_TIMEOUT_MS,
    },
    retry: { maxAttempts, backoff: 5, maxBackoff: 40 },
  };
  if (kind === "behind") return PersistentQueueStorage.open<Value>({ ...queue, adapter });
  return QueueStorage.open<Value>(
    setup.takesBatches ? { ...queue, workerProcessBatch } : { ...queue, workerProcess },
  );
}

export function contentOf(storage: Subject): Map<string, Found> {
  const content = new Map<string, Found>();
  for (const key of new Set([...ALL_KEYS, ...storage.keys()])) {
    const entry = storage.getEntry(key);
    if (entry === undefined) continue;
    content.set(key, { value: entry.value, version: entry.version, expiresAt: entry.expiresAt ?? 0 });
  }
  return content;
}
