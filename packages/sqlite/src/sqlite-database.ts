/**
 * The adapter itself, as it runs in the thread: plain synchronous SQLite behind the contract of core.
 *
 * Keeps:
 * - A batch is one transaction, with the highest version it carries: all or none, whatever dies.
 * - Between two clears a batch is applied in the order of its keys, for locality; a clear stays where it stands. So
 *   one key's mutations stay in version order (I1), and no older version replaces a newer one.
 * - After an error that makes the connection suspect, nothing is served before the file was closed, opened, written
 *   from its log in full, and checked.
 * - Nothing is acknowledged that stands in a file which is no longer at its path. What a removed log holds is copied
 *   into the file first.
 * - Once another owner has been in the file, nothing of this one reaches it any more.
 * - Expired records are removed in small slices between calls; that is housekeeping, and no one waits for it.
 */

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
import { claimPath } from "./claim-path.js";
import { type Connection, connect, loadRecord, readPage } from "./connection.js";
import {
  commitSynced,
  inspect,
  openDatabase,
  requireSqliteVersion,
  type SqliteSettings,
} from "./database-file.js";
import { endOfPrefix } from "./key-range.js";
import { Ownership } from "./ownership.js";
import { isSuspect, openError, runningError } from "./sqlite-errors.js";

const SWEEP_ROWS = 1000;
/** Between two looks for expired records, and between two slices while there are more. */
const SWEEP_INTERVAL_MS = 30_000;
const SWEEP_PAUSE_MS = 50;

/** How often a close waits for a reader's transaction, about a second each time, before what a removed log holds is lost. */
const CLOSE_TRIES = 5;

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
  #ownership: Ownership | undefined;
  /** Why nothing is served before the next opening. */
  #fenced: AdapterError | undefined;
  #context: AdapterContext | undefined;
  #connection: Connection | undefined;
  #sweepTimer: unknown;

  constructor(settings: SqliteSettings) {
    this.#settings = settings;
    this.name = settings.path;
  }

  async open(context: AdapterContext): Promise<AdapterState> {
    try {
      this.#path = claimPath(this.#settings.path);
      const ownership = new Ownership(this.name, this.#path);
      this.#ownership = ownership;
      requireSqliteVersion(ownership.sqliteVersion);
      inspect(this.#path);
      this.#connection = this.#connect(ownership);
      this.#fenced = undefined;
      const { storeId, highVersion } = this.#connection.transactions.requireOwn();
      this.#context = context;
      this.#sweepLater(SWEEP_INTERVAL_MS);
      return { storeId, highVersion, bytes: ownership.bytes };
    } catch (error) {
      this.#release();
      throw openError(this.name, error);
    }
  }

  async write(batch: readonly Mutation[]): Promise<WriteResult> {
    const { result: rejected, bytes } = this.#change("write", ({ writer }) => writer.write(batch));
    return rejected.length === 0 ? { bytes } : { bytes, rejected };
  }

  async load(keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
    return this.#use("load from", (connection) => keys.map((key) => loadRecord(connection, key)));
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
    this.#change("sync", ({ database, transactions }, { mark }) => {
      // Under FULL every commit was synced when it was acknowledged; only whether it is where it was can be asked.
      if (this.#settings.synchronous === "FULL") transactions.requireOwn();
      else commitSynced(database, "NORMAL", mark);
    });
  }

  async close(): Promise<void> {
    try {
      const [ownership, connection] = [this.#ownership, this.#connection];
      if (connection !== undefined && ownership?.isMainInPlace === true) {
        this.#attempt("close", () => ownership.requireLog(connection, CLOSE_TRIES));
      }
    } finally {
      this.#release();
    }
  }

  #release(): void {
    this.#context?.clock.clearTimeout(this.#sweepTimer);
    this.#context = undefined;
    this.#disconnect();
    this.#ownership?.release();
    this.#ownership = undefined;
  }

  #disconnect(): void {
    this.#connection?.database.close();
    this.#connection = undefined;
  }

  /** Runs `work` on the connection, mended first if the call before found it suspect. */
  #use<Result>(action: string, work: (connection: Connection, ownership: Ownership) => Result): Result {
    const ownership = this.#owned();
    const connection = this.#attempt("open again", () => {
      this.#connection ??= this.#reopen(ownership);
      return this.#connection;
    });
    return this.#attempt(action, () => work(connection, ownership));
  }

  /** Runs `work`, which writes: what it wrote is where the next opening finds it when this returns. */
  #change<Result>(
    action: string,
    work: (connection: Connection, ownership: Ownership) => Result,
  ): { readonly result: Result; readonly bytes: number } {
    this.#attempt("open again", () => this.#requireFiles(this.#owned()));
    return this.#use(action, (connection, ownership) => {
      const result = work(connection, ownership);
      return { result, bytes: ownership.requireInPlace(connection) };
    });
  }

  /** Leaves a connection whose files are at their paths, or none. */
  #requireFiles(ownership: Ownership): void {
    ownership.requireMain();
    if (this.#connection === undefined || ownership.requireLog(this.#connection)) return;
    this.#disconnect();
    ownership.discardLog();
  }

  #owned(): Ownership {
    if (this.#fenced !== undefined) throw this.#fenced;
    if (this.#ownership !== undefined) return this.#ownership;
    throw new AdapterError(`${this.name} is closed`, { kind: "permanent" });
  }

  #attempt<Result>(step: string, work: () => Result): Result {
    try {
      return work();
    } catch (thrown) {
      const error = runningError(this.name, step, thrown);
      if (error.code === "LEAKDB_FENCED") this.#yield(error);
      else if (isSuspect(thrown)) this.#disconnect();
      throw error;
    }
  }

  /** Another owner has come: from here on this one leaves the file to it. */
  #yield(fenced: AdapterError): void {
    this.#fenced = fenced;
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection !== undefined) this.#ownership?.yield(connection);
    this.#release();
  }

  #connect(ownership: Ownership): Connection {
    const database = openDatabase({ ...this.#settings, path: this.#path }, ownership.mark);
    try {
      ownership.adoptFiles();
      return connect(database, ownership.mark);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  #reopen(ownership: Ownership): Connection {
    ownership.requireMain();
    ownership.requireLock();
    const connection = this.#connect(ownership);
    try {
      const verdict = connection.database.pragma("quick_check(1)", { simple: true });
      if (verdict === "ok") return connection;
      throw new AdapterError(`${this.name}: it is damaged (${String(verdict)}); restore a backup`, {
        kind: "transient",
        code: "LEAKDB_CORRUPTION",
      });
    } catch (error) {
      connection.database.close();
      throw error;
    }
  }

  #sweepLater(delayMs: number): void {
    this.#sweepTimer = this.#context?.clock.setTimeout(() => this.#sweep(), delayMs, true);
  }

  #sweep(): void {
    const context = this.#context;
    if (context === undefined) return;
    let removed = 0;
    try {
      const now = context.clock.now();
      const swept = this.#change("remove expired records from", ({ writer }) =>
        writer.removeExpired(now, SWEEP_ROWS),
      );
      removed = swept.result;
    } catch (error) {
      context.report(error as AdapterError);
    }
    this.#sweepLater(removed === SWEEP_ROWS ? SWEEP_PAUSE_MS : SWEEP_INTERVAL_MS);
  }
}

/** True when `after` sorts below every key of `prefix`, in the order of UTF-8 bytes. */
function isBelowPrefix(after: string, prefix: string): boolean {
  return Buffer.compare(Buffer.from(after), Buffer.from(prefix)) < 0;
}
