/**
 * The row of `leakdb` as this owner left it. Every opening raises `syncs`, and an owner's first batch raises
 * `high_version`, so a row that is not as expected was written by somebody else, whatever became of the lock file.
 *
 * Keeps:
 * - Every transaction that changes the file looks at the row first and stands on it: nothing of this owner is written
 *   over what another has written, and the first to find the other's row is the one that stops.
 * - A commit that failed may stand in the log all the same: until the row is read again, both are this owner's.
 */

import { AdapterError } from "@leakdb/core/adapter";
import type Database from "better-sqlite3";

export interface Mark {
  readonly storeId: string;
  readonly highVersion: number;
  readonly syncs: number;
}

/** Another owner has taken the store over; nothing this one still holds may reach the file. */
export function fencedError(name: string, cause?: unknown): AdapterError {
  const what =
    "another store took the file over while this one had it open; close this one, and look for the other";
  return new AdapterError(`${name}: ${what}`, { kind: "permanent", code: "LEAKDB_FENCED", cause });
}

/** True when nobody has written since `mark`; fewer syncs are those of a copy of the same records that was put back. */
function isOf(mark: Mark, found: Mark): boolean {
  return found.highVersion === mark.highVersion && found.syncs <= mark.syncs;
}

/** What one owner knows of the row, from its opening to its close. */
export class OwnerMark {
  readonly #name: string;
  #last: Mark | undefined;
  /** What the commit under way, or one that failed, would leave. */
  #next: Mark | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  /** @throws AdapterError when the row is not this owner's. The first one ever seen is. */
  require(found: Mark): void {
    if (this.#last !== undefined && this.#next !== undefined) {
      if (found.storeId !== this.#last.storeId) {
        const what = "it is another store than before; restore a backup";
        throw new AdapterError(`${this.#name}: ${what}`, { kind: "transient", code: "LEAKDB_CORRUPTION" });
      }
      if (!isOf(this.#last, found) && !isOf(this.#next, found)) throw fencedError(this.#name);
    }
    this.#last = found;
    this.#next = found;
  }

  willCommit(next: Mark): void {
    this.#next = next;
  }

  hasCommitted(): void {
    this.#last = this.#next;
  }
}

/** The transactions of one connection, for one owner. */
export class OwnedTransactions {
  readonly #database: Database.Database;
  readonly #mark: OwnerMark;
  readonly #read: Database.Statement<[], [string, number, number]>;

  constructor(database: Database.Database, mark: OwnerMark) {
    this.#database = database;
    this.#mark = mark;
    this.#read = database
      .prepare<[], [string, number, number]>("SELECT store_id, high_version, syncs FROM leakdb")
      .raw();
  }

  /** The row, which is this owner's. @throws AdapterError LEAKDB_FENCED when it is not. */
  requireOwn(): Mark {
    const [storeId, highVersion, syncs] = this.#read.get() as [string, number, number];
    const found = { storeId, highVersion, syncs };
    this.#mark.require(found);
    return found;
  }

  /** Runs `work`, which gets the row and returns the one it leaves, in one transaction: all of it or nothing. */
  run(work: (mark: Mark) => Mark): void {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      this.#mark.willCommit(work(this.requireOwn()));
      this.#database.exec("COMMIT");
    } catch (error) {
      if (this.#database.inTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
    this.#mark.hasCommitted();
  }
}
