/**
 * One owner a file. The lock is SQLite's own exclusive lock, held on an empty database beside the file: the operating
 * system drops it with the process, however that ends, so it is never stale; and programs that only read the main
 * file are not shut out. The lock file is never removed, since a removed one could be locked twice.
 */

import { AdapterError } from "@leakdb/core/adapter";
import Database from "better-sqlite3";
import { primaryCode } from "./sqlite-errors.js";

export class OwnerLock {
  readonly #database: Database.Database;

  /** @throws AdapterError LEAKDB_LOCKED when this or another process holds it; an error of SQLite otherwise. */
  constructor(path: string) {
    this.#database = new Database(`${path}-lock`, { timeout: 0 });
    try {
      this.#database.pragma("journal_mode = MEMORY");
      this.#database.exec("BEGIN EXCLUSIVE");
    } catch (error) {
      this.#database.close();
      if (primaryCode(error) !== "SQLITE_BUSY") throw error;
      throw new AdapterError(`open ${path}: another store has it open; close that one first`, {
        kind: "transient",
        code: "LEAKDB_LOCKED",
        cause: error,
      });
    }
  }

  get sqliteVersion(): string {
    return this.#database.prepare("SELECT sqlite_version()").pluck().get() as string;
  }

  release(): void {
    this.#database.close();
  }
}
