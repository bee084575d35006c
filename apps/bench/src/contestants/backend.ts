/** A backend as the rows about storing need it: our storage over it, and the hand-written loop on its bare client. */

import { PersistentQueueStorage } from "@leakdb/core";
import { lmdb } from "@leakdb/lmdb";
import type { BenchValue } from "../records.js";
import { BareLmdb } from "./bare-lmdb.js";
import { BareSqlite } from "./bare-sqlite.js";
import { openWriteBehind } from "./write-behind.js";

/** The bare client on a store of its own, or on one that ours has written. */
export interface BareStore {
  makeSchema(): void;
  /** All are in the store when it resolves, a commit each `batch` of them. */
  write(keys: readonly string[], values: readonly BenchValue[], batch: number): Promise<void> | void;
  /** All records, scanned and decoded into a `Map`. */
  readAll(): Map<string, BenchValue>;
  close(): Promise<void> | void;
}

export interface Backend {
  /** `path` names nothing yet, or what `open` or `openBare` has made. */
  open(path: string): Promise<PersistentQueueStorage<BenchValue>>;
  openBare(path: string): BareStore;
}

export type BackendName = "SQLite" | "LMDB";

export const BACKENDS: Readonly<Record<BackendName, Backend>> = {
  SQLite: { open: openWriteBehind, openBare: (path) => new BareSqlite(path) },
  LMDB: {
    open: (path) => PersistentQueueStorage.open<BenchValue>({ adapter: lmdb({ directory: path }) }),
    openBare: (path) => new BareLmdb(path),
  },
};
