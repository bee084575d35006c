/**
 * The LMDB environment of a store: its directory, its databases, its settings. Opens it for `lmdb-store.ts`.
 *
 * Keeps:
 * - Every commit is synced before it is acknowledged. LMDB has no log: without a sync a power cut may leave a head
 *   that points to pages which never reached the disk, and then all is lost, not only what came last.
 * - All writes are synchronous transactions on this thread. Asynchronous ones would overlap their syncs, but a disk
 *   that is full or fails rejects promises inside of the client that nobody can catch.
 * - An opening commits: a disk that takes no writes, or does not sync them, is found out there.
 */

import { randomUUID } from "node:crypto";
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  realpathSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { AdapterError } from "@leakdb/core/adapter";
import { type Database, open, type RootDatabase } from "lmdb";
import { EXPIRIES, MARK, RECORDS } from "./data-file.js";
import { encodeMark, MARK_KEY, SCHEMA_VERSION, type StoreMark } from "./store-mark.js";

export interface LmdbSettings {
  /** Absolute. */
  readonly path: string;
}

/** A UTF-16 unit never takes more bytes of UTF-8. */
const UTF8_BYTES_PER_UNIT_MAX = 3;

/** Keys as their UTF-8 bytes: the client's own encoding of strings ends them at a NUL, and has another order. */
const utf8Keys = {
  writeKey(key: string, target: Buffer, start: number): number {
    if (start + key.length * UTF8_BYTES_PER_UNIT_MAX > target.byteLength) {
      throw new RangeError("no room for the key");
    }
    return start + target.write(key, start, "utf8");
  },
  readKey: (source: Buffer, start: number, end: number): string => source.toString("utf8", start, end),
};

type Root = RootDatabase<Uint8Array, Uint8Array>;

export interface Environment {
  readonly root: Root;
  /** By key: a record each. */
  readonly records: Database<Uint8Array, string>;
  /** By moment and key, for records that expire: nothing. */
  readonly expiries: Database<Uint8Array, Uint8Array>;
  readonly marks: Database<Uint8Array, Uint8Array>;
}

/** LMDB's table of readers, for the 126 that it has room for by default. */
const LOCK_FILE_BYTES = 8272;
const BLOCK_BYTES = 512;

const lockPath = (directory: string): string => join(directory, "lock.mdb");
export const dataPath = (directory: string): string => join(directory, "data.mdb");

const markKey = Buffer.from(MARK_KEY);

function openFailed(path: string, what: string, cause: unknown): AdapterError {
  return new AdapterError(`open ${path}: ${what}`, { kind: "transient", code: "LEAKDB_OPEN_FAILED", cause });
}

/** The one name of the directory, whatever path leads to it. Makes it when it is missing. */
export function claimDirectory(path: string): string {
  try {
    mkdirSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST") {
      const isMissing = code === "ENOENT" || code === "ENOTDIR";
      const what = isMissing
        ? "the directory to make it in is missing; make that first"
        : "it cannot be made";
      throw openFailed(path, what, error);
    }
  }
  const own = realpathSync(path);
  if (!statSync(own).isDirectory()) {
    throw openFailed(path, "a file stands where the directory should be; name another one", undefined);
  }
  for (const each of [own, dataPath(own), lockPath(own)]) {
    try {
      accessSync(each, constants.R_OK | constants.W_OK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") continue;
      throw openFailed(each, "it is read-only, or another user's; make it writable", error);
    }
  }
  return own;
}

/**
 * Sees to it that the disk has all of the lock file. LMDB only sets its length, maps it and writes there: on a full
 * disk that ends the process by a signal.
 */
function allocateLockFile(directory: string): void {
  const descriptor = openSync(lockPath(directory), constants.O_RDWR | constants.O_CREAT, 0o664);
  try {
    const { size, blocks } = fstatSync(descriptor);
    if (size >= LOCK_FILE_BYTES && blocks * BLOCK_BYTES >= size) return;
    const bytes = Buffer.alloc(Math.max(size, LOCK_FILE_BYTES));
    readSync(descriptor, bytes, 0, size, 0);
    writeSync(descriptor, bytes, 0, bytes.byteLength, 0);
  } finally {
    // Before LMDB opens it: to close it later would drop the locks that this process then holds on it.
    closeSync(descriptor);
  }
}

/** Opens the environment, with the databases of a store in it, and commits once. @returns both, and its mark. */
export function openEnvironment(
  directory: string,
  found: StoreMark | undefined,
): { environment: Environment; mark: StoreMark } {
  allocateLockFile(directory);
  const root = open<Uint8Array, Uint8Array>({
    path: directory,
    noSubdir: false,
    maxDbs: 3,
    encoding: "binary",
    keyEncoding: "binary",
    // Off, a synchronous commit is synced as LMDB itself does it; its one gain is for asynchronous commits.
    overlappingSync: false,
  });
  try {
    const mark: StoreMark = {
      schema: SCHEMA_VERSION,
      storeId: found?.storeId ?? randomUUID(),
      highVersion: found?.highVersion ?? 0,
      openings: (found?.openings ?? 0) + 1,
    };
    const environment = transact(root, () => {
      const opened = openDatabases(root);
      putMark(opened, mark);
      return opened;
    });
    return { environment, mark };
  } catch (error) {
    closeEnvironment(root);
    throw error;
  }
}

/** All of `work` or nothing, and on the disk when it returns. */
export function transact<Result>(root: Root, work: () => Result): Result {
  // A thread that ends in the middle of a transaction would wait for ever for the lock that it holds itself.
  const abort = (): void => (root as unknown as { env: { abortTxn(): void } }).env.abortTxn();
  return root.transactionSync(() => {
    process.once("exit", abort);
    try {
      return work();
    } finally {
      process.removeListener("exit", abort);
    }
  });
}

function openDatabases(root: Root): Environment {
  return {
    root,
    marks: root.openDB(MARK, { encoding: "binary", keyEncoding: "binary" }),
    records: root.openDB(RECORDS, { encoding: "binary", ...{ keyEncoder: utf8Keys } }),
    expiries: root.openDB(EXPIRIES, { encoding: "binary", keyEncoding: "binary" }),
  };
}

/** Within a transaction. */
export function putMark(environment: Environment, mark: StoreMark): void {
  environment.marks.putSync(markKey, encodeMark(mark));
}

/** With no asynchronous write under way it is closed when this returns. */
export function closeEnvironment(root: Root): void {
  void root.close();
}
