/**
 * What one opening owns: the lock, the mark in the file, and the files at their paths. Each can be taken away by
 * somebody who removes files; looked at around every write, so that nothing is acknowledged that nobody would find
 * again, and nothing is written that another owner would not know of.
 *
 *     lock removed ──▶ taken again ──▶ the mark is ours? ──no──▶ LEAKDB_FENCED, for good
 *           └─ another holds the new one ─────────────────────▶ LEAKDB_FENCED, for good
 *     log removed ───▶ what it holds goes into the file, synced ──▶ the caller opens the file anew
 *     file moved ────▶ refused until it is back
 */

import { rmSync } from "node:fs";
import { AdapterError, type FailureKind } from "@leakdb/core/adapter";
import { type Connection, closeBesideFile, emptyLog } from "./connection.js";
import { OwnerLock } from "./owner-lock.js";
import { fencedError, OwnerMark } from "./owner-mark.js";
import { runningError } from "./sqlite-errors.js";
import { StoreFiles } from "./store-files.js";

export class Ownership {
  readonly mark: OwnerMark;
  readonly #name: string;
  /** The file's own path, all links followed. */
  readonly #path: string;
  #lock: OwnerLock;
  #files: StoreFiles | undefined;

  /** @throws AdapterError LEAKDB_LOCKED when another owner holds the lock; an error of SQLite otherwise. */
  constructor(name: string, path: string) {
    this.#name = name;
    this.#path = path;
    this.mark = new OwnerMark(name);
    this.#lock = new OwnerLock(path);
  }

  get sqliteVersion(): string {
    return this.#lock.sqliteVersion;
  }

  /** Takes the files at the path for ours, those of a connection that was just opened. */
  adoptFiles(): void {
    this.#files = new StoreFiles(this.#path);
  }

  release(): void {
    this.#lock.release();
  }

  /** Bytes of the files. */
  get bytes(): number {
    return this.#filesOpen.look().bytes;
  }

  get isMainInPlace(): boolean {
    return this.#filesOpen.isMainInPlace;
  }

  /** What is written to a file that was moved or deleted would be gone with this process. */
  requireMain(): void {
    if (!this.isMainInPlace) throw this.#movedError("transient");
  }

  /**
   * Holds the lock that others meet; takes it again where somebody removed it. Whether an owner came and went
   * meanwhile, the mark tells.
   * @returns true when it is a new one. @throws AdapterError LEAKDB_FENCED when another holds it.
   */
  requireLock(): boolean {
    if (this.#lock.isInPlace) return false;
    let lock: OwnerLock;
    try {
      lock = new OwnerLock(this.#path);
    } catch (error) {
      throw (error as AdapterError).code === "LEAKDB_LOCKED" ? fencedError(this.#name, error) : error;
    }
    this.#lock.release();
    this.#lock = lock;
    return true;
  }

  /**
   * Before a write, and before a close. Waits for readers up to `tries` times, about a second each.
   * @returns false when the log is no longer at its path: all that it held is in the file now, which is to be opened
   * anew. @throws AdapterError, transient, when it cannot be saved yet; LEAKDB_FENCED when another owner has come.
   */
  requireLog(connection: Connection, tries = 1): boolean {
    const isLockNew = this.requireLock();
    const { logState } = this.#filesOpen;
    if (logState === "ours") return true;
    // An opening leaves another log with something in it or, in ours, an index of its own; and while we have the file
    // open, no close takes them away.
    if (isLockNew && logState !== "gone") throw fencedError(this.#name);
    if (logState === "other log") {
      throw this.#failure("another log lies where its own was; take that away", "transient");
    }
    for (let left = tries; left > 0; left -= 1) if (this.#saveLog(connection)) return false;
    const what =
      "its log was removed, and a reader's transaction keeps what is in it from being saved; end that one";
    throw this.#failure(what, "transient");
  }

  /**
   * After `requireLog` gave false and the connection is closed. Whoever reads by another index would share that with
   * our next connection, and it does not fit the emptied log. Cut off from both, a reader sees what it saw, or fails,
   * until it opens the file again.
   */
  discardLog(): void {
    if (this.#filesOpen.logState !== "other index") return;
    rmSync(`${this.#path}-shm`);
    rmSync(`${this.#path}-wal`);
  }

  /** After a commit, before it is acknowledged. @returns the bytes of the files. */
  requireInPlace(connection: Connection): number {
    const { isMainInPlace, isLogInPlace, bytes } = this.#filesOpen.look();
    if (!isMainInPlace) throw this.#movedError("ambiguous");
    if (!isLogInPlace) this.requireLog(connection);
    return bytes;
  }

  /** Closes the connection of an owner that is fenced, so that nothing it wrote to a log of its own gets into the file. */
  yield(connection: Connection): void {
    // While the other owner has the file open, SQLite copies nothing into it; and a log of both is for both.
    const { logState } = this.#filesOpen;
    const isApart = logState === "other log" || logState === "other index";
    if (isApart && this.#lock.isInPlace) closeBesideFile(connection, this.#path);
    else connection.database.close();
  }

  #saveLog(connection: Connection): boolean {
    try {
      return emptyLog(connection);
    } catch (error) {
      // As an error of ours, which keeps the connection open: what the log holds is nowhere else.
      throw runningError(this.#name, "save the removed log of", error);
    }
  }

  get #filesOpen(): StoreFiles {
    if (this.#files === undefined) throw this.#failure("it is not open", "permanent");
    return this.#files;
  }

  #movedError(kind: FailureKind): AdapterError {
    return this.#failure("it was moved, deleted or replaced while it was open; put it back", kind);
  }

  #failure(what: string, kind: FailureKind): AdapterError {
    return new AdapterError(`${this.#name}: ${what}`, { kind });
  }
}
