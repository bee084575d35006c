/**
 * The file: whose it is, its schema, its settings. Opens it for `sqlite-database.ts`, or refuses and leaves it as it
 * was.
 *
 * Keeps:
 * - A file that is not a store of LeakDB, or of a later version, is not changed by a byte.
 * - The schema is made in one transaction, in place before the first write-ahead log is.
 * - `synchronous` is set and read back at each open: SQLite does not keep it in the file.
 * - What a log holds is copied into the file at each open, and synced there. A failed sync may have left pages of the
 *   log in the system's cache that never reach the disk, and a sync that is tried again would not tell.
 */

import { randomUUID } from "node:crypto";
import { statSync } from "node:fs";
import { AdapterError, type ErrorCode, type FailureKind } from "@leakdb/core/adapter";
import Database from "better-sqlite3";
import { OwnedTransactions, type OwnerMark } from "./owner-mark.js";
import { primaryCode } from "./sqlite-errors.js";

export interface SqliteSettings {
  /** Absolute. */
  readonly path: string;
  readonly synchronous: "NORMAL" | "FULL";
}

/** "LeaK" in ASCII; SQLite keeps it in the file's head, where `file` and others look for it. */
export const APPLICATION_ID = 0x4c65614b;
export const SCHEMA_VERSION = 1;

/** Before it, a reset of the write-ahead log could damage the file. */
const SQLITE_VERSION_MIN = "3.51.3";

/** How long a write waits for another program's transaction. */
const BUSY_TIMEOUT_MS = 1000;

// Chosen by measurement: docs/decisions/0003-sqlite-settings.md.
const PAGE_BYTES = 4096;
const CACHE_KIB = 16_000;
const CHECKPOINT_PAGES = 16_000;

const SYNCHRONOUS_LEVEL = { NORMAL: 1, FULL: 2 } as const;

const SCHEMA = `
CREATE TABLE records (
  key TEXT NOT NULL PRIMARY KEY,
  value BLOB NOT NULL,
  version INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX records_by_expiry ON records (expires_at) WHERE expires_at > 0;
CREATE VIEW readable AS
  SELECT key,
    CAST(value AS TEXT) AS value,
    datetime(version / 1000000, 'unixepoch') AS changed,
    CASE WHEN expires_at > 0 THEN datetime(expires_at / 1000, 'unixepoch') END AS expires
  FROM records;
CREATE TABLE leakdb (
  store_id TEXT NOT NULL,
  high_version INTEGER NOT NULL,
  syncs INTEGER NOT NULL
);
`;

function refusal(path: string, what: string, kind: FailureKind, code: ErrorCode): AdapterError {
  return new AdapterError(`open ${path}: ${what}`, { kind, code });
}

function isOlder(version: string, than: string): boolean {
  const wanted = than.split(".").map(Number);
  const parts = version.split(".").map(Number);
  const differs = wanted.findIndex((part, index) => part !== parts[index]);
  return differs >= 0 && (parts[differs] ?? 0) < (wanted[differs] ?? 0);
}

/** @throws AdapterError when the SQLite that was built in is too old to be trusted with a write-ahead log. */
export function requireSqliteVersion(version: string): void {
  if (!isOlder(version, SQLITE_VERSION_MIN)) return;
  throw new AdapterError(
    `better-sqlite3 brings SQLite ${version}, and ${SQLITE_VERSION_MIN} is the first without a damaging error of ` +
      "write-ahead logs; install a later better-sqlite3",
    { kind: "permanent", code: "LEAKDB_OPEN_FAILED" },
  );
}

const isNotEmpty = (path: string): boolean => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;

/**
 * Looks at the file through a connection that cannot write, not even a checkpoint at its end.
 * @throws AdapterError when it is somebody else's, or of a later version.
 */
export function inspect(path: string): void {
  if (!isNotEmpty(path)) {
    if (!isNotEmpty(`${path}-wal`)) return;
    throw refusal(
      path,
      "it is empty, but its log is not; restore the file",
      "permanent",
      "LEAKDB_CORRUPTION",
    );
  }
  const reader = new Database(path, { readonly: true, timeout: BUSY_TIMEOUT_MS });
  try {
    classify(reader, path);
  } catch (error) {
    // A journal left by a crash must be played back before anyone can read; the writer looks again after that.
    const code = primaryCode(error);
    if (code !== "SQLITE_READONLY" && code !== "SQLITE_CANTOPEN") throw error;
  } finally {
    reader.close();
  }
}

/** @throws AdapterError when the database is somebody else's, or of a later version. */
function classify(database: Database.Database, path: string): "new" | "ours" {
  const applicationId = database.pragma("application_id", { simple: true });
  const schemaVersion = database.pragma("user_version", { simple: true }) as number;
  const tables = database.prepare("SELECT count(*) FROM sqlite_schema").pluck().get();
  if (applicationId === 0 && tables === 0) return "new";
  if (applicationId !== APPLICATION_ID) {
    const what = "it is the database of another program; name another file";
    throw refusal(path, what, "permanent", "LEAKDB_OPEN_FAILED");
  }
  if (schemaVersion > SCHEMA_VERSION) {
    const what = `a later LeakDB made it (schema ${schemaVersion}, here ${SCHEMA_VERSION}); install that version`;
    throw refusal(path, what, "permanent", "LEAKDB_OPEN_FAILED");
  }
  return "ours";
}

/** Opens the file for the owner of `mark`, with its settings, making the schema in a new one. */
export function openDatabase(settings: SqliteSettings, mark: OwnerMark): Database.Database {
  const { path, synchronous } = settings;
  const database = new Database(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    database.pragma(`page_size = ${PAGE_BYTES}`);
    database.pragma(`cache_size = -${CACHE_KIB}`);
    // A first read, so that a journal left by a crash is played back before anything is decided.
    if (classify(database, path) === "new") makeSchema(database);
    if (database.pragma("journal_mode = WAL", { simple: true }) !== "wal") {
      throw refusal(
        path,
        "its file system has no shared memory; use a local disk",
        "permanent",
        "LEAKDB_OPEN_FAILED",
      );
    }
    database.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    setSynchronous(database, synchronous);
    requireSchema(database, path);
    database.pragma("wal_checkpoint(TRUNCATE)");
    // SQLite opens a file on a read-only or failing disk without a word; only a commit tells.
    commitSynced(database, synchronous, mark);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Brings a commit to the disk, and with it every commit before; after it they are synced as `level` says. */
export function commitSynced(
  database: Database.Database,
  level: SqliteSettings["synchronous"],
  mark: OwnerMark,
): void {
  setSynchronous(database, "FULL");
  try {
    new OwnedTransactions(database, mark).run((row) => {
      // A commit that changes nothing is not written, and so would not be synced.
      database.exec("UPDATE leakdb SET syncs = syncs + 1");
      return { ...row, syncs: row.syncs + 1 };
    });
  } finally {
    setSynchronous(database, level);
  }
}

/** Sets and verifies how commits are synced from now on. */
function setSynchronous(database: Database.Database, level: SqliteSettings["synchronous"]): void {
  database.pragma(`synchronous = ${level}`);
  const actual = database.pragma("synchronous", { simple: true });
  if (actual === SYNCHRONOUS_LEVEL[level]) return;
  throw new AdapterError(`SQLite runs with synchronous ${String(actual)} instead of ${level}`, {
    kind: "transient",
  });
}

function makeSchema(database: Database.Database): void {
  const make = database.transaction(() => {
    database.pragma(`application_id = ${APPLICATION_ID}`);
    database.pragma(`user_version = ${SCHEMA_VERSION}`);
    database.exec(SCHEMA);
    database.prepare("INSERT INTO leakdb VALUES (?, 0, 0)").run(randomUUID());
  });
  make.immediate();
}

function requireSchema(database: Database.Database, path: string): void {
  const tables = database
    .prepare("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('records', 'leakdb')")
    .pluck()
    .get();
  const stores = tables === 2 ? database.prepare("SELECT count(*) FROM leakdb").pluck().get() : 0;
  if (stores === 1) return;
  throw refusal(
    path,
    "its tables are not those of LeakDB; restore a backup",
    "permanent",
    "LEAKDB_CORRUPTION",
  );
}
