/**
 * `@leakdb/lmdb`: a LeakDB adapter that keeps its records in an LMDB environment, on a thread of its own.
 *
 * Nothing of LMDB is loaded here: the client lives in the thread, so that neither a batch nor the wait for a disk
 * ever holds up the event loop.
 */

import { basename, resolve } from "node:path";
import { type Capabilities, checkOptionNames } from "@leakdb/core/adapter";
import { type ThreadAdapter, threadAdapter } from "@leakdb/core/adapter-thread";
import type { LmdbSettings } from "./environment.js";

export interface LmdbOptions {
  /**
   * Where the store lives; made when it is missing, in a directory that exists. It holds `data.mdb`, `lock.mdb`, and
   * the owner's lock, whose name begins with `owner-`.
   */
  readonly directory: string;
}

/** LMDB's limit of a key at pages of 4 KiB, less the moment that stands before a key in the index of expiries. */
const MAX_KEY_BYTES = 1978 - 8;
/** Below LMDB's own limit of 4 GiB: a value is copied once on its way. */
const MAX_VALUE_BYTES = 1_000_000_000;

const CAPABILITIES: Capabilities = {
  atomicBatch: true,
  ordered: true,
  lanesMax: 1,
  levels: ["stored", "synced"],
  maxKeyBytes: MAX_KEY_BYTES,
  maxValueBytes: MAX_VALUE_BYTES,
};

/**
 * An adapter over the LMDB environment in `directory`, to be given to one storage.
 * @throws TypeError when an option is unknown or not what it should be.
 */
export function lmdb(options: LmdbOptions): ThreadAdapter {
  checkOptionNames(options, ["directory"], "lmdb");
  const { directory } = options;
  if (typeof directory !== "string") throw new TypeError("lmdb: directory must be a string");
  if (directory === "") throw new TypeError("lmdb: directory must not be empty");
  if (directory.includes("\0")) throw new TypeError("lmdb: directory must not contain NUL");
  const path = resolve(directory);
  return threadAdapter({
    name: basename(path) || path,
    capabilities: CAPABILITIES,
    worker: new URL("./lmdb-thread.js", import.meta.url),
    workerData: { path } satisfies LmdbSettings,
  });
}
