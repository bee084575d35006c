/**
 * The hand-written peer of the SQLite adapter: better-sqlite3 with the adapter's schema, page size, cache,
 * checkpoint interval and durability, a prepared upsert in a loop, and a transaction each so many records. It
 * encodes with LeakDB's codec, so that both sides write the same bytes.
 */

import { msgpackCodec } from "@leakdb/core";
import Database from "better-sqlite3";
import type { BenchValue } from "../records.js";

const FIRST_VERSION = 1_790_000_000_000_000;

export class BareSqlite {
  readonly #database: Database.Database;
  readonly #codec = msgpackCodec();

  constructor(filename: string) {
    this.#database = new Database(filename);
    this.#database.pragma("page_size = 4096");
    this.#database.pragma("cache_size = -16000");
    this.#database.pragma("journal_mode = WAL");
    this.#database.pragma("wal_autocheckpoint = 16000");
    this.#database.pragma("synchronous = NORMAL");
  }

  makeSchema(): void {
    this.#database.exec(
      "CREATE TABLE records (key TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL, " +
        "expires_at INTEGER NOT NULL);" +
        "CREATE INDEX records_by_expiry ON records (expires_at) WHERE expires_at > 0",
    );
  }

  write(keys: readonly string[], values: readonly BenchValue[], batch: number): void {
    const put = this.#database.prepare<[string, Uint8Array, number, number]>(
      "INSERT INTO records (key, value, version, expires_at) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET " +
        "value = excluded.value, version = excluded.version, expires_at = excluded.expires_at",
    );
    for (let start = 0; start < keys.length; start += batch) {
      const end = Math.min(keys.length, start + batch);
      this.#database.exec("BEGIN");
      for (let index = start; index < end; index += 1) {
        put.run(keys[index] as string, this.#codec.encode(values[index]), FIRST_VERSION + index, 0);
      }
      this.#database.exec("COMMIT");
    }
  }

  /** All records, scanned and decoded into a `Map`. */
  readAll(): Map<string, BenchValue> {
    const rows = this.#database
      .prepare<[], [string, Uint8Array, number, number]>(
        "SELECT key, value, version, expires_at FROM records",
      )
      .raw();
    const map = new Map<string, BenchValue>();
    for (const [key, value] of rows.iterate()) map.set(key, this.#codec.decode(value) as BenchValue);
    return map;
  }

  close(): void {
    this.#database.close();
  }
}
