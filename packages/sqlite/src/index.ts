/**
 * `@leakdb/sqlite`: a LeakDB adapter that keeps its records in one SQLite file, on a thread of its own.
 *
 * Nothing of SQLite is loaded here: the client lives in the thread, so that neither a batch nor a checkpoint ever
 * holds up the event loop.
 */

import { basename, resolve } from "node:path";
import { type Capabilities, checkOptionNames } from "@leakdb/core/adapter";
import { type ThreadAdapter, threadAdapter } from "@leakdb/core/adapter-thread";
import type { SqliteSettings } from "./database-file.js";

export interface SqliteOptions {
  /**
   * The database file; made when it is missing, in a directory that exists. Two more files stand beside it while a
   * store is open (`-wal`, `-shm`), and `-lock`, which stays.
   */
  readonly filename: string;
  /**
   * What `stored` means when the machine, and not only the process, crashes.
   * - `"NORMAL"` (default): the last acknowledged batches may be gone; `flush({ level: "synced" })` waits for the disk.
   * - `"FULL"`: every batch is synced before it is acknowledged; costs one disk sync a batch.
   */
  readonly synchronous?: "NORMAL" | "FULL" | undefined;
}

/** SQLite's limit of a row, less room for the key and the other columns. */
const MAX_VALUE_BYTES = 1_000_000_000 - 4096;

const CAPABILITIES: Capabilities = {
  atomicBatch: true,
  ordered: true,
  lanesMax: 1,
  levels: ["stored", "synced"],
  maxKeyBytes: Number.POSITIVE_INFINITY,
  maxValueBytes: MAX_VALUE_BYTES,
};

/**
 * An adapter over the SQLite file `filename`, to be given to one storage.
 * @throws TypeError when an option is unknown or not what it should be.
 */
export function sqlite(options: SqliteOptions): ThreadAdapter {
  checkOptionNames(options, ["filename", "synchronous"], "sqlite");
  const { filename, synchronous = "NORMAL" } = options;
  if (typeof filename !== "string")
    throw new TypeError('sqlite: filename must be a string, as in sqlite({ filename: "app.db" })');
  if (filename === "" || filename === ":memory:") {
    throw new TypeError(
      "sqlite: a database in memory would outlive nothing; use DefaultStorage, or name a file",
    );
  }
  if (filename.includes("\0")) throw new TypeError("sqlite: filename must not contain NUL");
  if (synchronous !== "NORMAL" && synchronous !== "FULL") {
    throw new TypeError('sqlite: synchronous must be "NORMAL" or "FULL"');
  }
  return threadAdapter({
    name: basename(filename),
    capabilities: CAPABILITIES,
    worker: new URL("./sqlite-thread.js", import.meta.url),
    workerData: { path: resolve(filename), synchronous } satisfies SqliteSettings,
  });
}
