/**
 * The adapter itself, as it runs in the thread: plain synchronous SQLite behind the contract of core.
 *
 * Keeps:
 * - A batch is one transaction, with the highest version it carries: all or none, whatever dies.
 * - Between two clears a batch is applied in the order of its keys, for locality; a clear stays where it stands. So
 *   one key's mutations stay in version order (I1), and no older version replaces a newer one.
 * - After an error that makes the connection suspect, nothing is served before the file was closed, opened, written
 *   from its log in full, and checked.
 * - Expired records are removed in small slices between calls; that is housekeeping, and no one waits for it.
 */

import { statSync } from "node:fs";
import {
  type Adapter,
  type AdapterContext,
  AdapterError,
  type AdapterState,
  type Capabilities,
  type Mutation,
  type StoredRecord,
  type WriteResult,
} from "@leakdb/core/adapter";
import type Database from "better-sqlite3";
import { BatchWriter } from "./batch-writer.js";
import { claimPath } from "./claim-path.js";
import {
  commitSynced,
  inspect,
  openDatabase,
  requireSqliteVersion,
  type SqliteSettings,
} from "./database-file.js";
import { endOfPrefix } from "./key-range.js";
import { OwnerLock } from "./owner-lock.js";
import { isSuspect, openError, runningError } from "./sqlite-errors.js";

const PAGE_ROWS_MAX = 1000;
/** A page ends with the record that reaches this. */
const PAGE_BYTES_MAX = 512 * 1024;

const SWEEP_ROWS = 1000;
/** Between two looks for expired records, and between two slices while there are more. */
const SWEEP_INTERVAL_MS = 30_000;
const SWEEP_PAUSE_MS = 50;

type Row = [key: string, value: Uint8Array, version: number, expiresAt: number];

/** An open file, with its statements. */
interface Connection {
  readonly database: Database.Database;
  readonly writer: BatchWriter;
  readonly load: Database.Statement<[string], Row>;
  readonly scan: Database.Statement<[string, string], Row>;
  readonly scanToEnd: Database.Statement<[string], Row>;
  readonly sweep: Database.Statement<[number]>;
}

const COLUMNS = "key, value, version, expires_at";

function connect(database: Database.Database): Connection {
  return {
    database,
    writer: new BatchWriter(database),
    load: database.prepare<[string], Row>(`SELECT ${COLUMNS} FROM records WHERE key = ?`).raw(),
    scan: database
      .prepare<[string, string], Row>(
        `SELECT ${COLUMNS} FROM records WHERE key >= ? AND key < ? ORDER BY key`,
      )
      .raw(),
    scanToEnd: database
      .prepare<[string], Row>(`SELECT ${COLUMNS} FROM records WHERE key >= ? ORDER BY key`)
      .raw(),
    sweep: database.prepare(
      "DELETE FROM records WHERE rowid IN " +
        `(SELECT rowid FROM records WHERE expires_at > 0 AND expires_at <= ? LIMIT ${SWEEP_ROWS})`,
    ),
  };
}

export class SqliteDatabase implements Adapter {
  readonly name: string;
  /** Those that `sqlite()` declares count; the thread is asked for none. */
  readonly capabilities: Capabilities = {
    atomicBatch: true,
    ordered: true,
    lanesMax: 1,
    levels: ["stored", "synced"],
    maxKeyBytes: Number.POSITIVE_INFINITY,
    maxValueBytes: Number.POSITIVE_INFINITY,
  };
  readonly #settings: SqliteSettings;
  /** The file's own path, all links followed. */
  #path = "";
  /** Tells the file from another one that was put in its place. */
  #inode = 0;
  #storeId = "";
  #context: AdapterContext | undefined;
  #lock: OwnerLock | undefined;
  #connection: Connection | undefined;
  #sweepTimer: unknown;

  constructor(settings: SqliteSettings) {
    this.#settings = settings;
    this.name = settings.path;
  }

  async open(context: AdapterContext): Promise<AdapterState> {
    try {
      this.#path = claimPath(this.#settings.path);
      this.#lock = new OwnerLock(this.#path);
      requireSqliteVersion(this.#lock.sqliteVersion);
      inspect(this.#path);
      this.#connection = connect(openDatabase({ ...this.#settings, path: this.#path }));
      this.#inode = statSync(this.#path).ino;
      const { storeId, highVersion } = this.#connection.writer.state();
      this.#storeId = storeId;
      this.#context = context;
      this.#sweepLater(SWEEP_INTERVAL_MS);
      return { storeId, highVersion, bytes: this.#bytes() };
    } catch (error) {
      this.#release();
      throw openError(this.name, error);
    }
  }

  async write(batch: readonly Mutation[]): Promise<WriteResult> {
    return this.#use("write", ({ writer }) => {
      this.#requireSameFile();
      const rejected = writer.write(batch);
      const bytes = this.#bytes();
      return rejected.length === 0 ? { bytes } : { bytes, rejected };
    });
  }

  async load(keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
    return this.#use("load from", ({ load }) =>
      keys.map((key) => {
        const row = load.get(key);
        return row === undefined ? undefined : recordOf(row);
      }),
    );
  }

  async *scan(range: { readonly prefix?: string; readonly after?: string }): AsyncGenerator<StoredRecord[]> {
    const { prefix = "", after } = range;
    const end = endOfPrefix(prefix);
    // The least string above a key is that key and a NUL.
    let from = after !== undefined && !isBelowPrefix(after, prefix) ? `${after}\0` : prefix;
    for (;;) {
      const page = this.#use("scan", (connection) => readPage(connection, from, end));
      const last = page.at(-1);
      if (last === undefined) return;
      from = `${last.key}\0`;
      yield page;
    }
  }

  async sync(): Promise<void> {
    // Under FULL every commit was synced when it was acknowledged.
    if (this.#settings.synchronous === "FULL") return;
    this.#use("sync", ({ database }) => {
      this.#requireSameFile();
      commitSynced(database, "NORMAL");
    });
  }

  async close(): Promise<void> {
    this.#release();
  }

  #release(): void {
    this.#context?.clock.clearTimeout(this.#sweepTimer);
    this.#context = undefined;
    this.#connection?.database.close();
    this.#connection = undefined;
    this.#lock?.release();
    this.#lock = undefined;
  }

  /** Runs `work` on the connection, mended first if the call before found it suspect. */
  #use<Result>(action: string, work: (connection: Connection) => Result): Result {
    let step = "open again";
    try {
      this.#connection ??= this.#reopen();
      step = action;
      return work(this.#connection);
    } catch (error) {
      if (isSuspect(error)) {
        this.#connection?.database.close();
        this.#connection = undefined;
      }
      throw runningError(this.name, step, error);
    }
  }

  #reopen(): Connection {
    if (this.#lock === undefined) throw new AdapterError(`${this.name} is closed`, { kind: "permanent" });
    this.#requireSameFile();
    const database = openDatabase({ ...this.#settings, path: this.#path });
    try {
      const verdict = database.pragma("quick_check(1)", { simple: true });
      const connection = connect(database);
      const { storeId } = connection.writer.state();
      if (verdict === "ok" && storeId === this.#storeId) return connection;
      const what =
        verdict === "ok" ? "it is another store than before" : `it is damaged (${String(verdict)})`;
      throw new AdapterError(`${this.name}: ${what}; restore a backup`, {
        kind: "transient",
        code: "LEAKDB_CORRUPTION",
      });
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** What is written to a file that was moved or deleted would be gone with this process. */
  #requireSameFile(): void {
    if (statSync(this.#path, { throwIfNoEntry: false })?.ino === this.#inode) return;
    throw new AdapterError(`${this.name} was moved, deleted or replaced while it was open; put it back`, {
      kind: "transient",
    });
  }

  #bytes(): number {
    const main = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
    return main + (statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0);
  }

  #sweepLater(delayMs: number): void {
    this.#sweepTimer = this.#context?.clock.setTimeout(() => this.#sweep(), delayMs, true);
  }

  #sweep(): void {
    const context = this.#context;
    if (context === undefined) return;
    let removed = 0;
    try {
      removed = this.#use(
        "remove expired records from",
        ({ sweep }) => sweep.run(context.clock.now()).changes,
      );
    } catch (error) {
      context.report(error as AdapterError);
    }
    this.#sweepLater(removed === SWEEP_ROWS ? SWEEP_PAUSE_MS : SWEEP_INTERVAL_MS);
  }
}

function recordOf([key, value, version, expiresAt]: Row): StoredRecord {
  return { key, value, version, expiresAt };
}

/** True when `after` sorts below every key of `prefix`, in the order of UTF-8 bytes. */
function isBelowPrefix(after: string, prefix: string): boolean {
  return Buffer.compare(Buffer.from(after), Buffer.from(prefix)) < 0;
}

function readPage({ scan, scanToEnd }: Connection, from: string, end: string | undefined): StoredRecord[] {
  const page: StoredRecord[] = [];
  let bytes = 0;
  for (const row of end === undefined ? scanToEnd.iterate(from) : scan.iterate(from, end)) {
    page.push(recordOf(row));
    bytes += row[1].byteLength;
    if (page.length >= PAGE_ROWS_MAX || bytes >= PAGE_BYTES_MAX) break;
  }
  return page;
}
