/**
 * What depends on the disk: full, read-only, failing, and what has reached it. Conditions of a real disk need rights
 * that not every user has; the same ones by a shim need a C++ compiler and Linux. What cannot be had here is skipped
 * with its reason, and one portable test stands for it.
 */

import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  afterThisTest,
  buildShim,
  fillUp,
  makeDirectory,
  makeReadOnly,
  mountSmallDisk,
  put,
  puts,
  removeShim,
  type Step,
  skipWithout,
} from "@leakdb/adapter-tests";
import Database from "better-sqlite3";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { play } from "./shimmed-store.js";
import { madeStore, openStore, refuses } from "./tested-stores.js";

const openFailed = { kind: "transient", code: "LEAKDB_OPEN_FAILED" };

describe("a real disk", () => {
  it("that is read-only is refused, until it is writable", async (context) => {
    const { directory, remount } = mountSmallDisk(4096, context);
    const filename = join(directory, "store.db");
    await madeStore(filename, 10);
    remount("ro");
    await refuses(filename, openFailed);
    await refuses(join(directory, "other.db"), openFailed);
    remount("rw");
    expect(await (await openStore({ filename })).records()).toHaveLength(10);
  });

  it("with a read-only directory is refused, until it is writable", async (context) => {
    const directory = makeDirectory();
    const filename = join(directory, "store.db");
    await madeStore(filename, 10);
    const undo = makeReadOnly(directory, true, context);
    await refuses(filename, openFailed);
    await refuses(join(directory, "other.db"), openFailed);
    undo();
    expect(await (await openStore({ filename })).records()).toHaveLength(10);
  });

  it("with a read-only file is refused, until it is writable", async (context) => {
    const filename = join(makeDirectory(), "store.db");
    await madeStore(filename, 10);
    const undo = makeReadOnly(filename, false, context);
    await refuses(filename, { ...openFailed, message: expect.stringContaining("read-only") });
    // What is left beside a file takes its permissions, and would outlast its being made writable.
    expect(readdirSync(join(filename, "..")).sort()).toEqual(["store.db", "store.db-lock"]);
    undo();
    expect(await (await openStore({ filename })).records()).toHaveLength(10);
  });

  it("that fills up is served again by the next write once there is room", async (context) => {
    const { directory } = mountSmallDisk(2048, context);
    const filename = join(directory, "store.db");
    const store = await openStore({ filename });
    await store.write(...puts(1000));
    const ballast = join(directory, "ballast");
    fillUp(ballast);
    const full = { kind: "transient", message: expect.stringContaining("disk is full") };
    await expect(store.write(...puts(5000, 10_000))).rejects.toMatchObject(full);
    const versions = (await store.records()).map(({ version }) => version);
    expect(versions).toEqual(puts(1000).map(({ version }) => version));
    rmSync(ballast);
    await store.write(...puts(2000, 10_000));
    await store.adapter.sync();
    await store.adapter.close();
    expect(await (await openStore({ filename })).records()).toHaveLength(2000);
  });

  it("that is full at the opening is served once there is room", async (context) => {
    const { directory, remount } = mountSmallDisk(64, context);
    const filename = join(directory, "store.db");
    fillUp(join(directory, "ballast"));
    await refuses(filename, openFailed);
    remount("size=4096k");
    const store = await openStore({ filename });
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
  const fullDisk = { error: { kind: "transient", message: expect.stringContaining("disk is full") } };
  const failedDisk = { error: { kind: "transient", message: expect.stringContaining("disk failed") } };

  const perhapsApplied = { error: { ...failedDisk.error, kind: "ambiguous" } };

  it("that fills up is served again by the next write once there is room", async () => {
    const { outcomes } = await play(shim, "NORMAL", [
      { do: "open" },
      first,
      { do: "begin", fault: "full" },
      { do: "write", count: 5000, firstVersion: 10_000 },
      { do: "versions" },
      { do: "end", fault: "full" },
      second,
      { do: "sync" },
      { do: "close" },
      { do: "open" },
      { do: "versions" },
    ]);
    expect(outcomes[3]).toMatchObject(fullDisk);
    expect(outcomes[4]).toEqual(afterFirst);
    expect(outcomes.slice(5, 9)).toEqual(["done", "done", "done", "done"]);
    expect(outcomes[10]).toEqual(afterSecond);
  });

  it("that is full at the opening is served once there is room", async () => {
    const { outcomes } = await play(shim, "NORMAL", [
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

  it("that fails a sync is written anew, file and all, before the store goes on", async () => {
    const { outcomes, calls } = await play(shim, "NORMAL", [
      { do: "open" },
      first,
      { do: "begin", fault: "fail-syncs" },
      { do: "sync" },
      { do: "sync" },
      { do: "end", fault: "fail-syncs" },
      { do: "mark", name: "mended" },
      { do: "sync" },
      { do: "versions" },
      second,
      { do: "close" },
      { do: "open" },
      { do: "versions" },
      { do: "reports" },
    ]);
    expect(outcomes[3]).toMatchObject(failedDisk);
    expect(outcomes[4]).toMatchObject(failedDisk);
    expect(outcomes.slice(7, 10)).toEqual(["done", afterFirst, "done"]);
    expect(outcomes.slice(12)).toEqual([afterSecond, []]);
    // A log whose sync failed proves nothing when it is synced again: the file itself is.
    expect(calls.slice(calls.indexOf("[mended]"))).toContain("store");
  });

  it("that fails a sync under FULL says that the write is perhaps applied, and takes it when it is sent again", async () => {
    const { outcomes } = await play(shim, "FULL", [
      { do: "open" },
      first,
      { do: "begin", fault: "fail-syncs" },
      second,
      { do: "end", fault: "fail-syncs" },
      { do: "versions" },
      second,
      { do: "versions" },
    ]);
    expect(outcomes[3]).toMatchObject(perhapsApplied);
    // The commit stood in the log before its sync failed.
    expect(outcomes[5]).toEqual(afterSecond);
    expect(outcomes.slice(6)).toEqual(["done", afterSecond]);
  });

  it("that fails its syncs refuses the opening of a store with a log, until it syncs again", async () => {
    const { outcomes, calls } = await play(shim, "FULL", [
      { do: "open" },
      { do: "begin", fault: "fail-syncs" },
      first,
      { do: "close" },
      { do: "open" },
      { do: "end", fault: "fail-syncs" },
      { do: "mark", name: "mended" },
      { do: "open" },
      { do: "mark", name: "opened" },
      { do: "versions" },
    ]);
    expect(outcomes[2]).toMatchObject(perhapsApplied);
    expect(outcomes[4]).toMatchObject({ error: openFailed });
    expect(outcomes.at(-1)).toEqual(afterFirst);
    expect(calls.slice(calls.indexOf("[mended]"), calls.indexOf("[opened]"))).toContain("store");
  });

  it("that fails its writes refuses them, and goes on afterwards", async () => {
    const { outcomes } = await play(shim, "NORMAL", [
      { do: "open" },
      first,
      { do: "begin", fault: "fail-writes" },
      second,
      second,
      { do: "end", fault: "fail-writes" },
      { do: "versions" },
      second,
      { do: "versions" },
    ]);
    expect(outcomes[3]).toMatchObject(perhapsApplied);
    expect(outcomes[4]).toMatchObject(failedDisk);
    expect(outcomes.slice(6)).toEqual([afterFirst, "done", afterSecond]);
  });

  it("is reached by sync() under NORMAL, which a write alone does not", async () => {
    const written: Step[] = [{ do: "open" }, first, { do: "sync" }, { do: "mark", name: "write" }];
    const { calls } = await play(shim, "NORMAL", [
      ...written,
      second,
      { do: "mark", name: "sync" },
      { do: "sync" },
      { do: "mark", name: "sync again" },
      { do: "sync" },
      { do: "mark", name: "end" },
    ]);
    const log = "store-wal";
    expect(calls.slice(calls.indexOf("[write]"), calls.indexOf("[end]"))).toEqual([
      "[write]",
      "[sync]",
      log,
      "[sync again]",
      log,
    ]);
  });

  it("is reached by what a removed log held, before anything else is acknowledged", async () => {
    for (const call of [second, { do: "sync" }, { do: "close" }] satisfies Step[]) {
      const { outcomes, calls } = await play(shim, "NORMAL", [
        { do: "open" },
        first,
        { do: "remove", suffix: "-wal" },
        { do: "mark", name: "removed" },
        call,
        { do: "mark", name: "done" },
      ]);
      expect(outcomes[4]).toBe("done");
      expect(calls.slice(calls.indexOf("[removed]"), calls.indexOf("[done]"))).toContain("store");
    }
  });

  it("that fails when a removed log is to be saved is tried again", async () => {
    const { outcomes } = await play(shim, "NORMAL", [
      { do: "open" },
      first,
      { do: "remove", suffix: "-wal" },
      { do: "begin", fault: "fail-syncs" },
      { do: "sync" },
      { do: "end", fault: "fail-syncs" },
      second,
      { do: "close" },
      { do: "open" },
      { do: "versions" },
    ]);
    expect(outcomes[4]).toMatchObject(failedDisk);
    expect(outcomes.slice(6, 8)).toEqual(["done", "done"]);
    expect(outcomes.at(-1)).toEqual(afterSecond);
  });

  it("is reached by every write under FULL", async () => {
    const { calls } = await play(shim, "FULL", [
      { do: "open" },
      first,
      { do: "mark", name: "write" },
      second,
      { do: "mark", name: "sync" },
      { do: "sync" },
      { do: "mark", name: "end" },
    ]);
    expect(calls.slice(calls.indexOf("[write]"), calls.indexOf("[end]"))).toEqual([
      "[write]",
      "store-wal",
      "[sync]",
    ]);
  });
});

describe("on any machine", () => {
  it("a sync is a commit to the log, and leaves the records alone", async () => {
    const filename = join(makeDirectory(), "store.db");
    const store = await openStore({ filename });
    await store.write(put("a", "1", 1));
    const reader = new Database(filename, { readonly: true });
    afterThisTest(() => void reader.close());
    const syncs = reader.prepare("SELECT syncs FROM leakdb").pluck();
    const before = syncs.get() as number;
    await store.adapter.sync();
    expect(syncs.get()).toBe(before + 1);
    expect(await store.records()).toMatchObject([{ key: "a", version: 1 }]);
  });
});
