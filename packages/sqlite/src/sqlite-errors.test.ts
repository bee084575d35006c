import { describe, expect, it } from "vitest";
import { isRowFault, isSuspect, openError, runningError } from "./sqlite-errors.js";

const sqliteError = (code: string): Error => Object.assign(new Error(code), { code });

describe("an error of SQLite", () => {
  it("while running is transient, and names damage", () => {
    for (const code of ["SQLITE_FULL", "SQLITE_BUSY", "SQLITE_READONLY", "SQLITE_CANTOPEN"]) {
      expect(runningError("a.db", "write", sqliteError(code))).toMatchObject({
        kind: "transient",
        code: undefined,
      });
    }
    for (const code of ["SQLITE_CORRUPT_INDEX", "SQLITE_NOTADB"]) {
      const damage = { kind: "transient", code: "LEAKDB_CORRUPTION" };
      expect(runningError("a.db", "write", sqliteError(code))).toMatchObject(damage);
    }
  });

  it("of the disk leaves open whether a write was applied, and no doubt about anything else", () => {
    for (const code of ["SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC"]) {
      expect(runningError("a.db", "write", sqliteError(code))).toMatchObject({ kind: "ambiguous" });
      expect(runningError("a.db", "sync", sqliteError(code))).toMatchObject({ kind: "transient" });
    }
  });

  it("at the opening says whether it may pass", () => {
    const table = {
      SQLITE_FULL: { kind: "transient", code: "LEAKDB_OPEN_FAILED" },
      SQLITE_IOERR_READ: { kind: "transient", code: "LEAKDB_OPEN_FAILED" },
      SQLITE_BUSY_RECOVERY: { kind: "transient", code: "LEAKDB_LOCKED" },
      SQLITE_CORRUPT: { kind: "permanent", code: "LEAKDB_CORRUPTION" },
      SQLITE_NOTADB: { kind: "permanent", code: "LEAKDB_CORRUPTION" },
    };
    for (const [code, expected] of Object.entries(table)) {
      expect(openError("a.db", sqliteError(code))).toMatchObject(expected);
    }
  });

  it("is the fault of one row only where the transaction goes on without it", () => {
    expect(["SQLITE_TOOBIG", "SQLITE_CONSTRAINT_TRIGGER"].map(sqliteError).map(isRowFault)).toEqual([
      true,
      true,
    ]);
    expect(isRowFault(new RangeError("The bound string, buffer, or bigint is too big"))).toBe(true);
    expect(["SQLITE_FULL", "SQLITE_IOERR"].map(sqliteError).map(isRowFault)).toEqual([false, false]);
  });

  it("makes the connection suspect when the disk failed, not when it is full", () => {
    expect(isSuspect(sqliteError("SQLITE_IOERR_FSYNC"))).toBe(true);
    expect(isSuspect(sqliteError("SQLITE_FULL"))).toBe(false);
  });
});
