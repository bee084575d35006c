/** An open file with its statements, and the two ways to close it. */

import { renameSync } from "node:fs";
import type { StoredRecord } from "@leakdb/core/adapter";
import type Database from "better-sqlite3";
import { BatchWriter } from "./batch-writer.js";
import { OwnedTransactions, type OwnerMark } from "./owner-mark.js";

const PAGE_ROWS_MAX = 1000;
/** A page ends with the record that reaches this. */
const PAGE_BYTES_MAX = 512 * 1024;

type Row = [key: string, value: Uint8Array, version: number, expiresAt: number];

export interface Connection {
  readonly database: Database.Database;
  readonly transactions: OwnedTransactions;
  readonly writer: BatchWriter;
  readonly load: Database.Statement<[string], Row>;
  readonly scan: Database.Statement<[string, string], Row>;
  readonly scanToEnd: Database.Statement<[string], Row>;
}

const COLUMNS = "key, value, version, expires_at";

export function connect(database: Database.Database, mark: OwnerMark): Connection {
  const transactions = new OwnedTransactions(database, mark);
  return {
    database,
    transactions,
    writer: new BatchWriter(database, transactions),
    load: database.prepare<[string], Row>(`SELECT ${COLUMNS} FROM records WHERE key = ?`).raw(),
    scan: database
      .prepare<[string, string], Row>(
        `SELECT ${COLUMNS} FROM records WHERE key >= ? AND key < ? ORDER BY key`,
      )
      .raw(),
    scanToEnd: database
      .prepare<[string], Row>(`SELECT ${COLUMNS} FROM records WHERE key >= ? ORDER BY key`)
      .raw(),
  };
}

export function loadRecord({ load }: Connection, key: string): StoredRecord | undefined {
  const row = load.get(key);
  return row === undefined ? undefined : recordOf(row);
}

/** The records from `from` on and below `end`, as many as a page holds. */
export function readPage(
  { scan, scanToEnd }: Connection,
  from: string,
  end: string | undefined,
): StoredRecord[] {
  const page: StoredRecord[] = [];
  let bytes = 0;
  for (const row of end === undefined ? scanToEnd.iterate(from) : scan.iterate(from, end)) {
    page.push(recordOf(row));
    bytes += row[1].byteLength;
    if (page.length >= PAGE_ROWS_MAX || bytes >= PAGE_BYTES_MAX) break;
  }
  return page;
}

function recordOf([key, value, version, expiresAt]: Row): StoredRecord {
  return { key, value, version, expiresAt };
}

/**
 * Copies all that the log holds into the file, and syncs it there; it makes no difference whether the log still has
 * its name. @returns false when a reader's transaction is in the way.
 */
export function emptyLog({ database }: Connection): boolean {
  const [outcome] = database.pragma("wal_checkpoint(TRUNCATE)") as { busy: number }[];
  return outcome?.busy === 0;
}

/**
 * Closes without copying the log into the file, which SQLite does otherwise when it is the last to close. It leaves
 * alone a file that is not at its path. To be called by the holder of the lock: the file is away for a moment.
 */
export function closeBesideFile({ database }: Connection, path: string): void {
  const aside = `${path}-aside`;
  renameSync(path, aside);
  try {
    database.close();
  } finally {
    renameSync(aside, path);
  }
}
