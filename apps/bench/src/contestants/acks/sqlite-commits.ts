/**
 * better-sqlite3 with `synchronous = FULL`, whose commits are on the disk when they return: a commit for each write, or one
 * for all that were made in a turn, which is as far as a synchronous client can group them.
 */

import { join } from "node:path";
import { msgpackCodec } from "@leakdb/core";
import Database from "better-sqlite3";
import type { BenchValue } from "../../records.js";
import type { AckContestant } from "./ack-contestant.js";
import { Group } from "./group.js";

export async function makeSqliteCommitEach(directory: string): Promise<AckContestant> {
  return new SqliteCommits(join(directory, "records.db"), false);
}

export async function makeSqliteCommitTurn(directory: string): Promise<AckContestant> {
  return new SqliteCommits(join(directory, "records.db"), true);
}

class SqliteCommits implements AckContestant {
  readonly #filename: string;
  readonly #isGrouping: boolean;
  readonly #codec = msgpackCodec();
  readonly #database: Database.Database;
  readonly #put: Database.Statement<[string, Uint8Array]>;
  #waiting: { readonly key: string; readonly value: BenchValue }[] = [];
  #group = new Group();

  constructor(filename: string, isGrouping: boolean) {
    this.#filename = filename;
    this.#isGrouping = isGrouping;
    this.#database = new Database(filename);
    this.#database.pragma("journal_mode = WAL");
    this.#database.pragma("synchronous = FULL");
    this.#database.exec("CREATE TABLE records (key TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL)");
    this.#put = this.#database.prepare(
      "INSERT INTO records (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    );
  }

  write(key: string, value: BenchValue): Promise<void> | undefined {
    if (!this.#isGrouping) {
      this.#put.run(key, this.#codec.encode(value));
      return undefined;
    }
    this.#waiting.push({ key, value });
    if (this.#waiting.length === 1) setImmediate(() => this.#commit());
    return this.#group.promise;
  }

  async readBack(): Promise<ReadonlyMap<string, BenchValue>> {
    this.#database.close();
    const database = new Database(this.#filename);
    const found = new Map<string, BenchValue>();
    const rows = database.prepare<[], [string, Uint8Array]>("SELECT key, value FROM records").raw();
    for (const [key, value] of rows.iterate()) found.set(key, this.#codec.decode(value) as BenchValue);
    database.close();
    return found;
  }

  #commit(): void {
    const waiting = this.#waiting;
    const group = this.#group;
    this.#waiting = [];
    this.#group = new Group();
    try {
      this.#database.exec("BEGIN");
      for (const { key, value } of waiting) this.#put.run(key, this.#codec.encode(value));
      this.#database.exec("COMMIT");
      group.resolve();
    } catch (error) {
      group.reject(error);
    }
  }
}
