import { describe, expect, it } from "vitest";
import { isSuspect, openError, runningError } from "./lmdb-errors.js";

const lmdbError = (code: number | string): Error => Object.assign(new Error("it failed"), { code });
const HERE = ".";

describe("an error of LMDB", () => {
  it("while running is transient, and names damage", () => {
    for (const code of [28, 30, 13, -30790]) {
      expect(runningError(HERE, "write", lmdbError(code))).toMatchObject({
        kind: "transient",
        code: undefined,
      });
    }
    for (const code of [-30796, -30797, -30793, -30782]) {
      const damage = { kind: "transient", code: "LEAKDB_CORRUPTION" };
      expect(runningError(HERE, "write", lmdbError(code))).toMatchObject(damage);
    }
  });

  it("of the disk leaves open whether a write was applied, and no doubt about anything else", () => {
    for (const code of [5, "EIO", -30795]) {
      expect(runningError(HERE, "write", lmdbError(code))).toMatchObject({ kind: "ambiguous" });
      expect(runningError(HERE, "open again", lmdbError(code))).toMatchObject({ kind: "transient" });
      expect(isSuspect(lmdbError(code))).toBe(true);
    }
    expect(isSuspect(lmdbError(28))).toBe(false);
  });

  it("at the opening says whether it may pass", () => {
    const table = [
      [28, "transient", "LEAKDB_OPEN_FAILED", "disk is full"],
      ["ENOSPC", "transient", "LEAKDB_OPEN_FAILED", "disk is full"],
      [30, "transient", "LEAKDB_OPEN_FAILED", "read-only"],
      [-30796, "permanent", "LEAKDB_CORRUPTION", "damaged"],
    ] as const;
    for (const [number, kind, code, words] of table) {
      const message = expect.stringContaining(words);
      expect(openError(HERE, lmdbError(number))).toMatchObject({ kind, code, message });
    }
  });
});
