/** LeakDB's storages as the rows about the journal's cost need them: with one, synced in one way or another, or without. */

import { join } from "node:path";
import { DefaultStorage, type JournalSync, PersistentQueueStorage } from "@leakdb/core";
import { lmdb } from "@leakdb/lmdb";
import { sqlite } from "@leakdb/sqlite";
import type { BenchValue } from "../records.js";

export type StorageName = "DefaultStorage" | "write-behind SQLite" | "write-behind LMDB";
/** How its journal is synced; `"none"`: it has no journal. */
export type JournalMode = JournalSync | "none";
export type AnyStorage = DefaultStorage<BenchValue> | PersistentQueueStorage<BenchValue>;

/** A storage whose files are in the directory, made unless they are there. */
export function openJournaled(name: StorageName, mode: JournalMode, directory: string): Promise<AnyStorage> {
  const options = mode === "none" ? {} : { journal: { directory: join(directory, "journal"), sync: mode } };
  if (name === "DefaultStorage") return DefaultStorage.open<BenchValue>(options);
  const adapter =
    name === "write-behind SQLite"
      ? sqlite({ filename: join(directory, "records.db") })
      : lmdb({ directory: join(directory, "records") });
  return PersistentQueueStorage.open<BenchValue>({ adapter, ...options });
}
