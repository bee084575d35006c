/**
 * The files of an open store, and whether they are still the ones at their paths. SQLite holds them open and would go
 * on writing to files that were removed, where nobody finds it again.
 */

import { type BigIntStats, statSync } from "node:fs";

/** A file, whatever name it has: inode and device, which are its own for as long as somebody has it open. */
export type FileIdentity = Pick<BigIntStats, "ino" | "dev">;

/** What is at the path; `undefined` when nothing is, or when the way there is gone. */
function statsAt(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    // A file where a directory was: nothing of ours is there either.
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw error;
  }
}

export function identityAt(path: string): FileIdentity | undefined {
  return statsAt(path);
}

export function isSameFile(one: FileIdentity | undefined, other: FileIdentity | undefined): boolean {
  return one !== undefined && other !== undefined && one.ino === other.ino && one.dev === other.dev;
}

/**
 * - `ours`: the log and its index are at their paths.
 * - `gone`: one of them is not, and nobody has written another log.
 * - `other index`: the log is ours, and somebody reads it, or has written to it, by an index that we do not see.
 * - `other log`: there is another, with something in it.
 */
export type LogState = "ours" | "gone" | "other index" | "other log";

export class StoreFiles {
  readonly #path: string;
  readonly #main: FileIdentity | undefined;
  readonly #log: FileIdentity | undefined;
  readonly #index: FileIdentity | undefined;

  /** Takes the files at `path` for those of the connection that was just opened. */
  constructor(path: string) {
    this.#path = path;
    this.#main = identityAt(path);
    this.#log = identityAt(`${path}-wal`);
    this.#index = identityAt(`${path}-shm`);
  }

  get isMainInPlace(): boolean {
    return isSameFile(identityAt(this.#path), this.#main);
  }

  get logState(): LogState {
    const log = statsAt(`${this.#path}-wal`);
    if (!isSameFile(log, this.#log)) return log === undefined || log.size === 0n ? "gone" : "other log";
    const index = identityAt(`${this.#path}-shm`);
    if (isSameFile(index, this.#index)) return "ours";
    return index === undefined ? "gone" : "other index";
  }

  /** For after a commit: what it was written to is in place, and how large it is now. */
  look(): { readonly isMainInPlace: boolean; readonly isLogInPlace: boolean; readonly bytes: number } {
    const main = statsAt(this.#path);
    const log = statsAt(`${this.#path}-wal`);
    return {
      isMainInPlace: isSameFile(main, this.#main),
      isLogInPlace: isSameFile(log, this.#log),
      bytes: Number((main?.size ?? 0n) + (log?.size ?? 0n)),
    };
  }
}
