/**
 * Changes the records. A batch is one transaction, sorted by key between clears, the highest version kept with it; so
 * is a slice of the expired ones.
 */

import type { Mutation } from "@leakdb/core/adapter";
import type Database from "better-sqlite3";
import { endOfPrefix } from "./key-range.js";
import type { OwnedTransactions } from "./owner-mark.js";
import { isRowFault } from "./sqlite-errors.js";

type Keyed = Exclude<Mutation, { type: "clear" }>;
type Clear = Extract<Mutation, { type: "clear" }>;

type Put = Extract<Mutation, { type: "put" }>;

/** Records a statement: the way into SQLite and back costs as much as a small record. */
const PUTS_PER_STATEMENT = 8;

interface Rejected {
  readonly index: number;
  readonly error: Error;
}

interface Place<M extends Keyed = Keyed> {
  readonly mutation: M;
  readonly index: number;
}

function isPut(place: Place): place is Place<Put> {
  return place.mutation.type === "put";
}

function byKey(a: Place, b: Place): number {
  if (a.mutation.key === b.mutation.key) return 0;
  return a.mutation.key < b.mutation.key ? -1 : 1;
}

const upsert = (rows: number): string =>
  `INSERT INTO records (key, value, version, expires_at) VALUES ${Array(rows).fill("(?, ?, ?, ?)").join(", ")} ` +
  "ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version, " +
  "expires_at = excluded.expires_at WHERE excluded.version > version";

export class BatchWriter {
  readonly #transactions: OwnedTransactions;
  readonly #put: Database.Statement<[string, Uint8Array, number, number]>;
  readonly #putSeveral: Database.Statement<unknown[]>;
  readonly #delete: Database.Statement<[string, number]>;
  readonly #clearAll: Database.Statement<[]>;
  readonly #clearOlder: Database.Statement<[string, number]>;
  readonly #clearRange: Database.Statement<[string, string, number]>;
  readonly #raise: Database.Statement<[number, number]>;
  readonly #removeExpired: Database.Statement<[number, number]>;

  constructor(database: Database.Database, transactions: OwnedTransactions) {
    this.#transactions = transactions;
    this.#put = database.prepare(upsert(1));
    this.#putSeveral = database.prepare(upsert(PUTS_PER_STATEMENT));
    // A put that expired while it waited is sent as a delete of the same version.
    this.#delete = database.prepare("DELETE FROM records WHERE key = ? AND version <= ?");
    this.#clearAll = database.prepare("DELETE FROM records");
    this.#clearOlder = database.prepare("DELETE FROM records WHERE key >= ? AND version < ?");
    this.#clearRange = database.prepare("DELETE FROM records WHERE key >= ? AND key < ? AND version < ?");
    this.#raise = database.prepare("UPDATE leakdb SET high_version = ? WHERE high_version < ?");
    this.#removeExpired = database.prepare(
      "DELETE FROM records WHERE rowid IN " +
        "(SELECT rowid FROM records WHERE expires_at > 0 AND expires_at <= ? LIMIT ?)",
    );
  }

  /** @returns the mutations that can never be stored; the others are, all or none. */
  write(batch: readonly Mutation[]): Rejected[] {
    const rejected: Rejected[] = [];
    this.#transactions.run((mark) => ({
      ...mark,
      highVersion: this.#apply(batch, mark.highVersion, rejected),
    }));
    return rejected;
  }

  /** @returns how many records were removed, at most `rowsMax`. */
  removeExpired(now: number, rowsMax: number): number {
    let removed = 0;
    this.#transactions.run((mark) => {
      removed = this.#removeExpired.run(now, rowsMax).changes;
      return mark;
    });
    return removed;
  }

  /** @returns the highest version now. */
  #apply(batch: readonly Mutation[], highBefore: number, rejected: Rejected[]): number {
    let highVersion = highBefore;
    let places: Place[] = [];
    for (const [index, mutation] of batch.entries()) {
      if (mutation.type === "clear") {
        this.#applySorted(places, rejected);
        places = [];
        this.#clear(mutation, highVersion);
      } else {
        places.push({ mutation, index });
      }
      if (mutation.version > highVersion) highVersion = mutation.version;
    }
    this.#applySorted(places, rejected);
    this.#raise.run(highVersion, highVersion);
    return highVersion;
  }

  #applySorted(places: Place[], rejected: Rejected[]): void {
    let group: Place<Put>[] = [];
    for (const place of places.sort(byKey)) {
      if (isPut(place)) {
        group.push(place);
        if (group.length < PUTS_PER_STATEMENT) continue;
        this.#putGroup(group, rejected);
        group = [];
      } else {
        this.#delete.run(place.mutation.key, place.mutation.version);
      }
    }
    this.#putEach(group, rejected);
  }

  #putGroup(group: readonly Place<Put>[], rejected: Rejected[]): void {
    const values: unknown[] = [];
    for (const { mutation } of group) {
      values.push(mutation.key, mutation.value, mutation.version, mutation.expiresAt);
    }
    try {
      this.#putSeveral.run(values);
    } catch (error) {
      if (!isRowFault(error)) throw error;
      // The statement changed nothing; one by one they tell which of them it was.
      this.#putEach(group, rejected);
    }
  }

  #putEach(group: readonly Place<Put>[], rejected: Rejected[]): void {
    for (const { mutation, index } of group) {
      try {
        this.#put.run(mutation.key, mutation.value, mutation.version, mutation.expiresAt);
      } catch (error) {
        if (!isRowFault(error)) throw error;
        rejected.push({ index, error: error as Error });
      }
    }
  }

  #clear({ prefix, version }: Clear, highVersion: number): void {
    const end = endOfPrefix(prefix);
    // Newer than all that was ever stored: SQLite then drops whole pages instead of looking at each record.
    if (prefix === "" && version > highVersion) this.#clearAll.run();
    else if (end === undefined) this.#clearOlder.run(prefix, version);
    else this.#clearRange.run(prefix, end, version);
  }
}
