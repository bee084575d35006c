/**
 * One owner a file. The lock is SQLite's own exclusive lock, held on an empty database beside the file: the operating
 * system drops it with the process, however that ends, so it is never stale; and programs that only read the main
 * file are not shut out. The lock file is never removed by a store, since a removed one could be locked twice; where
 * somebody else removed it, `isInPlace` says so, and `owner-mark.ts` tells whether another owner has come.
 */

import { AdapterError } from "@leakdb/core/adapter";
import Database from "better-sqlite3";
import { primaryCode } from "./sqlite-errors.js";
import { type FileIdentity, identityAt, isSameFile } from "./store-files.js";

export class OwnerLock {
  readonly #path: string;
  readonly #database: Database.Database;
  readonly #identity: FileIdentity | undefined;

  /** @throws AdapterError LEAKDB_LOCKED when this or another process holds it; an error of SQLite otherwise. */
  constructor(path: string) {
    this.#path = `${path}-lock`;
    this.#database = new Database(this.#path, { timeout: 0 });
    try {
      this.#database.pragma("journal_mode = MEMORY");
      this.#database.exec("BEGIN EXCLUSIVE");
      this.#identity = identityAt(this.#path);
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

  /** False when others no longer meet this lock. */
  get isInPlace(): boolean {
    return isSameFile(identityAt(this.#path), this.#identity);
  }

  get sqliteVersion(): string {
    return this.#database.prepare("SELECT sqlite_version()").pluck().get() as string;
  }

  release(): void {
    this.#database.close();
  }
}
