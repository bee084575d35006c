/** What an error of SQLite means to core. The table in `docs/sqlite.md` is this file in words. */

import { AdapterError, type ErrorCode } from "@leakdb/core/adapter";

/** SQLite's primary result code of an error, such as `SQLITE_IOERR` for `SQLITE_IOERR_FSYNC`; `""` for no such error. */
export function primaryCode(error: unknown): string {
  const code: unknown = (error as { code?: unknown } | null | undefined)?.code;
  if (typeof code !== "string" || !code.startsWith("SQLITE_")) return "";
  return code.split("_", 2).join("_");
}

/** True when one row is to blame and the transaction goes on without it. */
export function isRowFault(error: unknown): boolean {
  const code = primaryCode(error);
  if (code === "SQLITE_TOOBIG" || code === "SQLITE_CONSTRAINT" || code === "SQLITE_MISMATCH") return true;
  // The client refuses values past SQLite's limit before SQLite sees them.
  return code === "" && error instanceof RangeError;
}

/** True when what the connection remembers may differ from what is on the disk. */
export function isSuspect(error: unknown): boolean {
  const code = primaryCode(error);
  return code === "SQLITE_IOERR" || code === "SQLITE_CORRUPT" || code === "SQLITE_NOTADB";
}

const ADVICE: Readonly<Record<string, string>> = {
  SQLITE_FULL: "the disk is full; free some space",
  SQLITE_IOERR_SHORT_READ:
    "a part of the file or of its log is missing; another program removed or replaced one of them, or the disk failed",
  SQLITE_IOERR: "the disk failed; look at the system's log",
  SQLITE_BUSY: "another program holds a lock on the file; end its transaction",
  SQLITE_READONLY: "the file or its directory is read-only; make them writable",
  SQLITE_CANTOPEN: "the file cannot be opened; look at its directory and the permissions",
  SQLITE_CORRUPT: "the file is damaged; keep a copy of it and restore a backup",
  SQLITE_NOTADB: "the file is not a SQLite database, or its head is damaged",
};

function describe(error: unknown): string {
  const code: unknown = (error as { code?: unknown } | null | undefined)?.code;
  const advice = (typeof code === "string" ? ADVICE[code] : undefined) ?? ADVICE[primaryCode(error)];
  const message = error instanceof Error ? error.message : String(error);
  return advice === undefined ? message : `${advice} (${message})`;
}

/**
 * A failure of an open database. A batch is one transaction, so a failed one has changed nothing, and the error is
 * transient; except that the disk may fail once the commit stands in the log, which the next opening then finds.
 */
export function runningError(name: string, action: string, error: unknown): AdapterError {
  if (error instanceof AdapterError) return error;
  const code = primaryCode(error);
  const isDamage = code === "SQLITE_CORRUPT" || code === "SQLITE_NOTADB";
  return new AdapterError(`${action} ${name}: ${describe(error)}`, {
    kind: action === "write" && code === "SQLITE_IOERR" ? "ambiguous" : "transient",
    cause: error,
    ...(isDamage ? { code: "LEAKDB_CORRUPTION" } : {}),
  });
}

/** A failure to open: damage is permanent, everything else may pass. */
export function openError(name: string, error: unknown): AdapterError {
  if (error instanceof AdapterError) return error;
  const code = primaryCode(error);
  const message = `open ${name}: ${describe(error)}`;
  if (code === "SQLITE_CORRUPT" || code === "SQLITE_NOTADB") {
    return new AdapterError(message, { kind: "permanent", code: "LEAKDB_CORRUPTION", cause: error });
  }
  const userCode: ErrorCode = code === "SQLITE_BUSY" ? "LEAKDB_LOCKED" : "LEAKDB_OPEN_FAILED";
  return new AdapterError(message, { kind: "transient", code: userCode, cause: error });
}
