/**
 * The one name of the file, whatever path leads to it, so that two paths meet at one lock. What cannot be a store is
 * refused here with what it is, before SQLite makes anything beside it.
 */

import {
  accessSync,
  closeSync,
  constants,
  lstatSync,
  openSync,
  realpathSync,
  type Stats,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import { AdapterError, type FailureKind } from "@leakdb/core/adapter";

/** The longest that SQLite adds to the name of the main file. */
const LONGEST_SUFFIX = "-journal";

/** SQLite takes 512 bytes, in which the lock file has its suffix too; under Windows the system's limit comes first. */
const PATH_BYTES_MAX =
  process.platform === "win32" ? Number.POSITIVE_INFINITY : 512 - `-lock${LONGEST_SUFFIX}`.length;

/** What the system's refusals mean here. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOENT: "its directory is missing; make it first",
  ENOTDIR: "there is a file where its directory should be; name another one",
  ENAMETOOLONG: `its name is too long for this file system, which must take it with "${LONGEST_SUFFIX}" at its end`,
  ELOOP: "its links lead in a circle; name the file itself",
  EACCES: "its directory allows no new files; make it writable",
  EPERM: "its directory allows no new files; make it writable",
  EROFS: "its disk is read-only; make it writable",
};

function refusal(path: string, what: string, kind: FailureKind, cause?: unknown): AdapterError {
  return new AdapterError(`open ${path}: ${what}`, { kind, code: "LEAKDB_OPEN_FAILED", cause });
}

function refusalOfSystem(path: string, error: unknown): AdapterError {
  const { code = "" } = error as NodeJS.ErrnoException;
  return refusal(path, ADVICE[code] ?? "it cannot be made", "transient", error);
}

/** Runs one call of the system, whose refusal becomes `what`, or what its code says. */
function attempt<Result>(path: string, call: () => Result, what?: string): Result {
  try {
    return call();
  } catch (error) {
    throw what === undefined ? refusalOfSystem(path, error) : refusal(path, what, "transient", error);
  }
}

/** @returns the file's own path, all links followed. Makes an empty file when there is none. */
export function claimPath(path: string): string {
  requireShortName(path);
  const found = attempt(path, () => statSync(path, { throwIfNoEntry: false }));
  if (found === undefined) make(path);
  else requireFile(path, found);
  const own = attempt(path, () => realpathSync(path));
  if (own !== path) requireShortName(own);
  // SQLite would open a read-only file all the same, and leave a log behind that is read-only as well.
  attempt(path, () => accessSync(own, constants.W_OK), "it is read-only; make it writable");
  attempt(path, () => accessSync(own, constants.R_OK), "it may not be read; make it readable");
  attempt(
    path,
    () => accessSync(dirname(own), constants.W_OK | constants.X_OK),
    "its directory allows no files beside it, which a store needs; make it writable",
  );
  return own;
}

function requireShortName(path: string): void {
  attempt(path, () => lstatSync(`${path}${LONGEST_SUFFIX}`, { throwIfNoEntry: false }));
  const bytes = Buffer.byteLength(path);
  if (bytes <= PATH_BYTES_MAX) return;
  const what = `its path is ${bytes} bytes long, and SQLite takes ${PATH_BYTES_MAX}; put it somewhere nearer`;
  throw refusal(path, what, "transient");
}

function requireFile(path: string, found: Stats): void {
  if (found.isFile()) return;
  const kinds: readonly [boolean, string][] = [
    [found.isDirectory(), "a directory"],
    [found.isFIFO(), "a pipe"],
    [found.isSocket(), "a socket"],
  ];
  const kind = kinds.find(([isIt]) => isIt)?.[1] ?? "a device";
  throw refusal(path, `it is ${kind}; name a file`, "permanent");
}

function make(path: string): void {
  if (attempt(path, () => lstatSync(path, { throwIfNoEntry: false }))?.isSymbolicLink()) {
    throw refusal(path, "it is a link to a file that is missing; make that, or name a file", "transient");
  }
  try {
    // "wx" never opens an existing file: closing it again would drop the locks this process holds on it.
    closeSync(openSync(path, "wx"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw refusalOfSystem(path, error);
  }
}
