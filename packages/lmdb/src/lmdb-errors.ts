/** What an error of LMDB or of its disk means to core. The table in `docs/lmdb.md` is this file in words. */

import { statfsSync } from "node:fs";
import { AdapterError } from "@leakdb/core/adapter";

/** Error numbers of the system, as the client hands them on, the same on Linux, macOS and Windows. */
const EIO = 5;
const EACCES = 13;
const ENOSPC = 28;
const EROFS = 30;
const EDQUOT = 122;

// LMDB's own.
const PAGE_NOTFOUND = -30797;
const CORRUPTED = -30796;
const PANIC = -30795;
const VERSION_MISMATCH = -30794;
const INVALID = -30793;
/** What it says when its list of free pages contradicts itself. */
const BAD_TXN = -30782;
const PROBLEM = -30779;

/** Below this a write that failed for an unknown part is put down to the lack of room. */
const ROOM_BYTES_MIN = 1024 * 1024;

const NUMBERS: Readonly<Record<string, number>> = { EIO, EACCES, ENOSPC, EROFS, EDQUOT };

/** The number of an error, whether LMDB or Node made it; 0 for another. */
export function errorNumber(error: unknown): number {
  const code: unknown = (error as { code?: unknown } | null | undefined)?.code;
  if (typeof code === "number") return code;
  return typeof code === "string" ? (NUMBERS[code] ?? 0) : 0;
}

const DAMAGE: ReadonlySet<number> = new Set([
  PAGE_NOTFOUND,
  CORRUPTED,
  VERSION_MISMATCH,
  INVALID,
  BAD_TXN,
  PROBLEM,
]);

const isDamage = (number: number): boolean => DAMAGE.has(number);

/** True when what the environment remembers may differ from what is on the disk. */
export function isSuspect(error: unknown): boolean {
  const number = errorNumber(error);
  return number === EIO || number === PANIC || isDamage(number);
}

/** True when the disk of `path` has hardly any room left, for those who may take it. */
export function hasNoRoom(path: string): boolean {
  try {
    const { bavail, bfree, bsize } = statfsSync(path);
    const free = process.getuid?.() === 0 ? bfree : bavail;
    return free * bsize < ROOM_BYTES_MIN;
  } catch {
    return false;
  }
}

function advice(number: number, isFull: boolean): string | undefined {
  if (number === ENOSPC || number === EDQUOT || (number === EIO && isFull))
    return "the disk is full; free some space";
  if (number === EIO || number === PANIC) return "the disk failed; look at the system's log";
  if (number === EACCES || number === EROFS)
    return "the files or their directory are read-only; make them writable";
  return isDamage(number) ? "the data is damaged; keep a copy of it and restore a backup" : undefined;
}

function describe(error: unknown, path: string): string {
  const number = errorNumber(error);
  const message = error instanceof Error ? error.message : String(error);
  const what = advice(number, number === EIO && hasNoRoom(path));
  return what === undefined ? message : `${what} (${message})`;
}

/**
 * A failure of an open environment. A batch is one transaction, so a failed one has changed nothing and the error is
 * transient; except that the disk may fail in the very write that makes the commit, which a power cut could then
 * still bring to light. LMDB calls a write that was cut short by a full disk an I/O error as well.
 */
export function runningError(path: string, action: string, error: unknown): AdapterError {
  if (error instanceof AdapterError) return error;
  const number = errorNumber(error);
  const isDiskFault = (number === EIO && !hasNoRoom(path)) || number === PANIC;
  return new AdapterError(`${action} ${path}: ${describe(error, path)}`, {
    kind: action === "write" && isDiskFault ? "ambiguous" : "transient",
    cause: error,
    ...(isDamage(number) ? { code: "LEAKDB_CORRUPTION" } : {}),
  });
}

/** A failure to open: damage is permanent, everything else may pass. */
export function openError(path: string, error: unknown): AdapterError {
  if (error instanceof AdapterError) return error;
  const damaged = isDamage(errorNumber(error));
  return new AdapterError(`open ${path}: ${describe(error, path)}`, {
    kind: damaged ? "permanent" : "transient",
    code: damaged ? "LEAKDB_CORRUPTION" : "LEAKDB_OPEN_FAILED",
    cause: error,
  });
}
