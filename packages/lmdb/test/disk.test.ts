/**
 * What depends on the disk: full, read-only, failing, and what has reached it. Conditions of a real disk need rights
 * that not every user has; the same ones by a shim need a C++ compiler and Linux. What cannot be had here is skipped
 * with its reason.
 */

import { rmSync } from "node:fs";
import { join } from "node:path";
import {
  buildShim,
  fillUp,
  makeDirectory,
  makeReadOnly,
  mountSmallDisk,
  puts,
  removeShim,
  type Step,
  skipWithout,
} from "@leakdb/adapter-tests";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { play } from "./shimmed-store.js";
import { dataFile, madeStore, openStore, refuses } from "./tested-stores.js";

const openFailed = { kind: "transient", code: "LEAKDB_OPEN_FAILED" };

describe("a real disk", () => {
  it("that is read-only is refused, until it is writable", async (context) => {
    const disk = mountSmallDisk(4096, context);
    const directory = join(disk.directory, "store");
    await madeStore(directory, 10);
    disk.remount("ro");
    await refuses(directory, openFailed);
    await refuses(join(disk.directory, "other"), openFailed);
    disk.remount("rw");
    expect(await (await openStore({ directory })).records()).toHaveLength(10);
  });

  it("with a read-only directory or file is refused, until it is writable", async (context) => {
    const directory = join(makeDirectory(), "store");
    await madeStore(directory, 10);
    for (const path of [directory, dataFile(directory)]) {
      const undo = makeReadOnly(path, path === directory, context);
      await refuses(directory, { ...openFailed, message: expect.stringContaining("read-only") });
      undo();
    }
    expect(await (await openStore({ directory })).records()).toHaveLength(10);
  });

  it("that fills up is served again by the next write once there is room", async (context) => {
    const disk = mountSmallDisk(2048, context);
    const directory = join(disk.directory, "store");
    const store = await openStore({ directory });
    await store.write(...puts(1000));
    const ballast = join(disk.directory, "ballast");
    fillUp(ballast);
    const full = { kind: "transient", message: expect.stringContaining("disk is full") };
    await expect(store.write(...puts(5000, 10_000))).rejects.toMatchObject(full);
    await expect(store.write(...puts(5000, 10_000))).rejects.toMatchObject(full);
    const versions = (await store.records()).map(({ version }) => version);
    expect(versions).toEqual(puts(1000).map(({ version }) => version));
    rmSync(ballast);
    await store.write(...puts(2000, 10_000));
    await store.adapter.sync();
    await store.adapter.close();
    expect(await (await openStore({ directory })).records()).toHaveLength(2000);
  });

  it("that is full at the opening is served once there is room", async (context) => {
    const disk = mountSmallDisk(64, context);
    const directory = join(disk.directory, "store");
    fillUp(join(disk.directory, "ballast"));
    await refuses(directory, openFailed);
    disk.remount("size=4096k");
    const store = await openStore({ directory });
    await store.write(...puts(10));
  });
});

describe("a disk behind a shim", () => {
  const shim = buildShim();
  afterAll(() => removeShim(shim));
  beforeEach((context) => skipWithout(context, "missing" in shim ? shim.missing : undefined));

  const first: Step = { do: "write", count: 1000, firstVersion: 1 };
  const second: Step = { do: "write", count: 2000, firstVersion: 10_000 };
  const afterFirst = { count: 1000, first: 1, last: 1000 };
  const afterSecond = { count: 2000, first: 10_000, last: 11_999 };
  const failedDisk = { error: { kind: "ambiguous", message: expect.stringContaining("disk failed") } };

  it("that fills up is served again by the next write once there is room", async () => {
    const { outcomes } = await play(shim, [
      { do: "open" },
      first,
      { do: "begin", fault: "full" },
      { do: "write", count: 5000, firstVersion: 10_000 },
      { do: "versions" },
      { do: "end", fault: "full" },
      second,
      { do: "close" },
      { do: "open" },
      { do: "versions" },
    ]);
    const full = { kind: "transient", message: expect.stringContaining("disk is full") };
    expect(outcomes[3]).toMatchObject({ error: full });
    expect(outcomes[4]).toEqual(afterFirst);
    expect(outcomes[6]).toBe("done");
    expect(outcomes[9]).toEqual(afterSecond);
  });

  it("that is full at the opening is served once there is room", async () => {
    const { outcomes } = await play(shim, [
      { do: "begin", fault: "full" },
      { do: "open" },
      { do: "end", fault: "full" },
      { do: "open" },
      first,
      { do: "versions" },
    ]);
    expect(outcomes[1]).toMatchObject({ error: openFailed });
    expect(outcomes.slice(4)).toEqual(["done", afterFirst]);
  });

  for (const fault of ["fail-syncs", "fail-synced-writes", "fail-writes"] as const) {
    it(`with ${fault} says that the write is perhaps applied, and takes it when it works again`, async () => {
      const { outcomes } = await play(shim, [
        { do: "open" },
        first,
        { do: "begin", fault },
        second,
        second,
        { do: "versions" },
        { do: "end", fault },
        { do: "versions" },
        second,
        { do: "versions" },
        { do: "close" },
        { do: "open" },
        { do: "versions" },
        { do: "reports" },
      ]);
      expect(outcomes[3]).toMatchObject(failedDisk);
      // By then the environment must be opened anew, which commits: nothing is served before the disk takes that.
      const again = { error: { kind: "transient", message: expect.stringContaining("disk failed") } };
      expect(outcomes[4]).toMatchObject(again);
      expect(outcomes[5]).toMatchObject(again);
      expect(outcomes[7]).toEqual(afterFirst);
      expect(outcomes.slice(8, 10)).toEqual(["done", afterSecond]);
      expect(outcomes.slice(12)).toEqual([afterSecond, []]);
    });

    it(`with ${fault} refuses the opening, until it works again`, async () => {
      const { outcomes } = await play(shim, [
        { do: "open" },
        first,
        { do: "close" },
        { do: "begin", fault },
        { do: "open" },
        { do: "end", fault },
        { do: "open" },
        { do: "versions" },
      ]);
      expect(outcomes[4]).toMatchObject({ error: openFailed });
      expect(outcomes.at(-1)).toEqual(afterFirst);
    });
  }

  it("has every write before it is acknowledged: the pages, and then the head that points to them", async () => {
    const { calls } = await play(shim, [
      { do: "open" },
      { do: "mark", name: "write" },
      first,
      { do: "mark", name: "write again" },
      second,
      { do: "mark", name: "sync" },
      { do: "sync" },
      { do: "mark", name: "end" },
    ]);
    expect(calls.slice(calls.indexOf("[write]"), calls.indexOf("[end]"))).toEqual([
      "[write]",
      "data.mdb",
      "data.mdb (O_DSYNC)",
      "[write again]",
      "data.mdb",
      "data.mdb (O_DSYNC)",
      "[sync]",
    ]);
  });
});
