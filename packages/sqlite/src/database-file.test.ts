import { describe, expect, it } from "vitest";
import { requireSqliteVersion } from "./database-file.js";

describe("the version of SQLite that was built in", () => {
  it("is refused below 3.51.3, with what to do", () => {
    for (const version of ["3.51.2", "3.50.9", "3.9.99", "2.99.99"]) {
      expect(() => requireSqliteVersion(version)).toThrow(/install a later better-sqlite3/);
    }
    for (const version of ["3.51.3", "3.51.10", "3.53.2", "4.0.0"]) {
      expect(() => requireSqliteVersion(version)).not.toThrow();
    }
  });
});
