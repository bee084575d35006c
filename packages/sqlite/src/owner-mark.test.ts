import { describe, expect, it } from "vitest";
import { OwnerMark } from "./owner-mark.js";

const row = (highVersion: number, syncs: number, storeId = "s") => ({ storeId, highVersion, syncs });
const fenced = expect.objectContaining({ kind: "permanent", code: "LEAKDB_FENCED" });

describe("the mark of an owner", () => {
  it("is the first row it sees, and then the one of its last commit", () => {
    const mark = new OwnerMark("a.db");
    mark.require(row(10, 1));
    mark.willCommit(row(20, 1));
    mark.hasCommitted();
    mark.require(row(20, 1));
    expect(() => mark.require(row(10, 1))).toThrow(fenced);
  });

  it("is not the row of another's opening, batch or sync", () => {
    const mark = new OwnerMark("a.db");
    mark.require(row(10, 1));
    for (const other of [row(10, 2), row(11, 1), row(11, 2), row(9, 1)])
      expect(() => mark.require(other)).toThrow(fenced);
    mark.require(row(10, 1));
  });

  it("may be either row after a commit that failed, until one of them was seen", () => {
    for (const found of [row(10, 1), row(20, 1)]) {
      const mark = new OwnerMark("a.db");
      mark.require(row(10, 1));
      mark.willCommit(row(20, 1));
      mark.require(found);
      const other = found.highVersion === 10 ? row(20, 1) : row(10, 1);
      expect(() => mark.require(other)).toThrow(fenced);
    }
  });

  it("takes a copy of the same records that was put back, and no other store", () => {
    const mark = new OwnerMark("a.db");
    mark.require(row(10, 5));
    mark.require(row(10, 3));
    expect(() => mark.require(row(10, 3, "other"))).toThrow(
      expect.objectContaining({ kind: "transient", code: "LEAKDB_CORRUPTION" }),
    );
  });
});
