/** Which highest versions a backend may be found again with, and what the others mean. */

import { describe, expect, it } from "vitest";
import type { AdapterState, Mutation } from "./adapter.js";
import { BackendMark } from "./backend-mark.js";

const state = (highVersion: number, storeId = "s"): AdapterState => ({ storeId, highVersion, bytes: 0 });
const puts = (...versions: number[]): Mutation[] =>
  versions.map((version) => ({ type: "put", key: `${version}`, value: Buffer.of(1), version, expiresAt: 0 }));

const LOST = { kind: "transient", code: "LEAKDB_CORRUPTION" };
const FENCED = { kind: "permanent", code: "LEAKDB_FENCED" };

/** What the mark makes of each version: `lost`, `ours` or `fenced`. */
function verdicts(mark: BackendMark, versions: readonly number[]): string[] {
  return versions.map((version) => {
    try {
      mark.check(state(version), "a.db");
      return "ours";
    } catch (error) {
      return (error as { code?: string }).code === FENCED.code ? "fenced" : "lost";
    }
  });
}

describe("a backend that is found again", () => {
  it("with the version it was left with, is ours", () => {
    expect(verdicts(new BackendMark(state(10)), [9, 10, 11])).toEqual(["lost", "ours", "fenced"]);
    expect(verdicts(new BackendMark(state(0)), [0, 1])).toEqual(["ours", "fenced"]);
  });

  it("with what it acknowledged, is ours, and without is not", () => {
    const mark = new BackendMark(state(10));
    const batch = [...puts(12, 14, 13), { type: "clear", prefix: "", version: 11 } as const];
    mark.sending(batch);
    mark.hasStored(batch);
    expect(verdicts(mark, [10, 13, 14, 15])).toEqual(["lost", "lost", "ours", "fenced"]);
  });

  it("with all, some or nothing of what got no answer, is ours", () => {
    const mark = new BackendMark(state(10));
    mark.sending(puts(11, 14));
    expect(verdicts(mark, [9, 10, 11, 12, 14, 15])).toEqual([
      "lost",
      "ours",
      "ours",
      "ours",
      "ours",
      "fenced",
    ]);
  });

  it("with or without what it rejected, is ours", () => {
    const mark = new BackendMark(state(10));
    const batch = puts(11, 12, 13);
    mark.sending(batch);
    mark.hasStored(batch, [{ index: 2 }]);
    expect(verdicts(mark, [11, 12, 13, 14])).toEqual(["lost", "ours", "ours", "fenced"]);
  });

  it("after it rejected what it was not given, has promised nothing of that batch", () => {
    const mark = new BackendMark(state(10));
    const batch = puts(11);
    mark.sending(batch);
    mark.hasStored(batch, [{ index: 1 }]);
    expect(verdicts(mark, [9, 10, 11, 12])).toEqual(["lost", "ours", "ours", "fenced"]);
  });

  it("is not bound by what a later opening found of an unanswered batch", () => {
    const mark = new BackendMark(state(10));
    mark.sending(puts(12));
    expect(verdicts(mark, [12, 10])).toEqual(["ours", "ours"]);
  });

  it("says what is wrong and what to do", () => {
    const check = (found: AdapterState) => (): void => new BackendMark(state(10)).check(found, "a.db");
    expect(check(state(10, "other"))).toThrow(
      expect.objectContaining({ ...LOST, message: expect.stringMatching(/a\.db.*store id.*put the former/) }),
    );
    expect(check(state(7))).toThrow(
      expect.objectContaining({ ...LOST, message: expect.stringMatching(/version 7, and had 10.*backup/) }),
    );
    expect(check(state(11))).toThrow(
      expect.objectContaining({ ...FENCED, message: expect.stringMatching(/another store.*version 11/) }),
    );
  });
});
