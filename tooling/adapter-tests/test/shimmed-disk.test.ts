/** What the shim lets pass, fails and tells of, seen from a program that only writes files. */

import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { buildShim, type Run, removeShim, runShimmed } from "../src/shimmed-disk.js";
import { skipWithout } from "../src/skip-with-reason.js";

describe("a shimmed disk", () => {
  const shim = buildShim();
  afterAll(() => removeShim(shim));
  beforeEach((context) => skipWithout(context, "missing" in shim ? shim.missing : undefined));

  const run = (): Promise<Run> =>
    runShimmed(shim, new URL("./writing-process.mjs", import.meta.url), (files, control) => [files, control]);

  it("fails what it is told to fail, in the files that are minded", async () => {
    const { output } = await run();
    expect(JSON.parse(output)).toEqual({
      none: {},
      full: { append: "ENOSPC" },
      "fail-syncs": { "synced write": "EIO", fsync: "EIO", fdatasync: "EIO" },
      "fail-synced-writes": { "synced write": "EIO" },
      "fail-writes": { write: "EIO", append: "EIO", "synced write": "EIO" },
    });
  });

  it("tells of every sync of the minded files that succeeded, in its order", async () => {
    const { calls } = await run();
    expect(calls).toEqual([
      ...["[none]", "store.synced (O_DSYNC)", "store.plain", "store.plain"],
      ...["[full]", "store.synced (O_DSYNC)", "store.plain", "store.plain"],
      "[fail-syncs]",
      ...["[fail-synced-writes]", "store.plain", "store.plain"],
      ...["[fail-writes]", "store.plain", "store.plain"],
    ]);
  });
});
