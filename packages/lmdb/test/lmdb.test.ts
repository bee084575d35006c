/** What is particular to this adapter: its options, its data as others read it, its housekeeping, its promises. */

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterThisTest, makeDirectory, put, puts } from "@leakdb/adapter-tests";
import { type LmdbOptions, lmdb } from "@leakdb/lmdb";
import { ManualClock } from "@leakdb/testkit";
import { describe, expect, it } from "vitest";
import { dataFile, openStore } from "./tested-stores.js";

const newDirectory = (): string => join(makeDirectory(), "store");
const fileHere = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

interface ReadByHand {
  readonly records: readonly { key: string; version: number; expiresAt: number; value: string }[];
  readonly expiries: readonly { expiresAt: number; key: string }[];
  readonly marks: readonly Record<string, unknown>[];
}

function readByHand(directory: string): ReadByHand {
  const output = execFileSync(process.execPath, [fileHere("read-by-hand.mjs"), directory], {
    encoding: "utf8",
  });
  return JSON.parse(output) as ReadByHand;
}

describe("lmdb()", () => {
  it("refuses options that cannot be meant", () => {
    for (const directory of ["", "a\0b", 7, undefined, null]) {
      expect(() => lmdb({ directory } as LmdbOptions)).toThrow(TypeError);
    }
    for (const options of [undefined, null, "store"]) {
      expect(() => lmdb(options as unknown as LmdbOptions)).toThrow(TypeError);
    }
    for (const option of ["noSync", "noMemInit", "useWritemap", "path", "mapSize"]) {
      expect(() => lmdb({ directory: "a", [option]: true } as LmdbOptions)).toThrow(`no option "${option}"`);
    }
  });

  it("is named after its directory, and says what it can do", () => {
    const adapter = lmdb({ directory: "some/where/foobar/" });
    expect(adapter.name).toBe("foobar");
    expect(lmdb({ directory: "." }).name).toBe(basename(process.cwd()));
    expect(adapter.capabilities).toMatchObject({ atomicBatch: true, ordered: true, lanesMax: 1 });
  });
});

describe("the data, read by hand in another process while the store runs", () => {
  it("gives keys, values, versions and moments, and the mark", async () => {
    const directory = newDirectory();
    const store = await openStore({ directory });
    const version = Number.MAX_SAFE_INTEGER;
    await store.write(
      put("k", '{"x":1}', 1_790_000_000_000_000, 1_900_000_000_000),
      put("é😀\0", "text", version),
    );
    expect(readByHand(directory)).toMatchObject({
      records: [
        { key: "k", version: 1_790_000_000_000_000, expiresAt: 1_900_000_000_000, value: '{"x":1}' },
        { key: "é😀\0", version, expiresAt: 0, value: "text" },
      ],
      expiries: [{ expiresAt: 1_900_000_000_000, key: "k" }],
      marks: [
        {
          key: "store",
          format: "leakdb-lmdb",
          schema: 1,
          storeId: store.state.storeId,
          highVersion: version,
          openings: 1,
        },
      ],
    });
    await store.write(put("after", "1", 1_790_000_000_000_001));
    expect(readByHand(directory).records.map(({ key }) => key)).toEqual(["after", "k", "é😀\0"]);
  });

  it("says its true size", async () => {
    const directory = newDirectory();
    const { adapter } = await openStore({ directory });
    const { bytes } = await adapter.write(puts(1000), { signal: new AbortController().signal });
    expect(bytes).toBe(statSync(dataFile(directory)).size);
  });

  it("grows past every map it was opened with, and is read back", async () => {
    const directory = newDirectory();
    const store = await openStore({ directory });
    // The first batch alone is many times the map of a new environment; each later one is past the map again.
    for (let round = 0; round < 5; round += 1) {
      await store.write(...puts(30 * 2 ** round, 1000 * (round + 1), 50_000));
    }
    const records = await store.records();
    expect(records).toHaveLength(480);
    expect(records.every(({ value }) => value.byteLength === 50_000)).toBe(true);
    expect(statSync(dataFile(directory)).size).toBeGreaterThan(24_000_000);
  });

  it("is read in pages whose bytes are bounded", async () => {
    const store = await openStore({ directory: newDirectory() });
    await store.write(...puts(30, 1, 200_000));
    const pages: number[] = [];
    for await (const page of store.adapter.scan({})) pages.push(page.length);
    expect(pages).toEqual(Array.from({ length: 10 }, () => 3));
  });

  it("keeps keys with NUL, and scans past them", async () => {
    const store = await openStore({ directory: newDirectory() });
    const keys = ["\0", "\u0001", "a", "a\0", "a\0\0", "a\0b", "a\u0001", "b"];
    await store.write(...keys.map((key, index) => put(key, key, index + 1)));
    expect((await store.records()).map(({ key }) => key)).toEqual(keys);
    expect((await store.adapter.load(["a\0b"]))[0]?.version).toBe(6);
    const after: string[] = [];
    for await (const page of store.adapter.scan({ prefix: "a\0", after: "a\0" })) {
      after.push(...page.map(({ key }) => key));
    }
    expect(after).toEqual(["a\0\0", "a\0b"]);
  });
});

describe("a batch", () => {
  it("is applied around its clears in its own order", async () => {
    const store = await openStore({ directory: newDirectory() });
    await store.write(put("b", "old", 1), put("c", "old", 2), put("other", "stays", 3));
    await store.write(
      put("z", "before", 4),
      put("b1", "before", 5),
      { type: "clear", prefix: "b", version: 6 },
      put("b2", "after", 7),
      { type: "delete", key: "c", version: 8 },
    );
    expect((await store.records()).map(({ key }) => key)).toEqual(["b2", "other", "z"]);
    await store.write({ type: "clear", prefix: "", version: 9 }, put("last", "1", 10));
    expect((await store.records()).map(({ key }) => key)).toEqual(["last"]);
  });

  it("clears thousands of keys by their prefix, and none that is newer or beside it", async () => {
    const store = await openStore({ directory: newDirectory() });
    const many = Array.from({ length: 3500 }, (_, index) =>
      put(`p:${index}`, "x", index + 1, 9_000_000_000_000),
    );
    await store.write(...many, put("p", "beside", 4000), put("p;", "beside", 4001));
    await store.write({ type: "clear", prefix: "p:", version: 3499 });
    expect((await store.records()).map(({ key }) => key)).toEqual(["p", "p:3498", "p:3499", "p;"]);
  });

  it("never replaces a newer version, and remembers the highest it ever saw", async () => {
    const directory = newDirectory();
    const first = await openStore({ directory });
    await first.write(put("a", "new", 10));
    await first.write(put("a", "old", 9), { type: "delete", key: "a", version: 8 });
    await first.write({ type: "clear", prefix: "", version: 10 });
    expect(await first.records()).toMatchObject([{ key: "a", version: 10 }]);
    await first.write({ type: "delete", key: "a", version: 12 });
    await first.adapter.close();
    expect((await openStore({ directory })).state).toMatchObject({
      storeId: first.state.storeId,
      highVersion: 12,
    });
  });
});

describe("a process", () => {
  it("ends by itself with a store that nobody closed", () => {
    const script = `
      import { systemClock } from "@leakdb/core/adapter";
      import { lmdb } from "@leakdb/lmdb";
      const { signal } = new AbortController();
      const limits = { batchMax: 10, batchBytesMax: 1000 };
      await lmdb({ directory: process.argv[1] }).open({ clock: systemClock, signal, limits, report() {} });`;
    const args = ["--input-type=module", "-e", script, newDirectory()];
    const { status, signal } = spawnSync(process.execPath, args, { cwd: fileHere("."), timeout: 10_000 });
    expect({ status, signal }).toEqual({ status: 0, signal: null });
  });

  it("that was killed while it read no longer holds on to what it saw", async () => {
    const directory = newDirectory();
    const clock = new ManualClock(1_000_000);
    const store = await openStore({ directory }, { clock });
    await store.write(...puts(100));
    const args = [fileHere("reading-process.mjs"), directory];
    const reader = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    afterThisTest(() => void reader.kill("SIGKILL"));
    const exited = once(reader, "exit");
    await once(reader.stdout, "data");
    reader.kill("SIGKILL");
    await exited;
    // By another process: to close the file would drop the locks that this one has on it.
    const find = `
      const table = require("node:fs").readFileSync(process.argv[1]);
      const slots = Array.from({ length: table.length >> 2 }, (_, index) => table.readInt32LE(4 * index));
      process.stdout.write(String(slots.includes(${reader.pid})));`;
    const holds = (): boolean =>
      execFileSync(process.execPath, ["-e", find, join(directory, "lock.mdb")], { encoding: "utf8" }) ===
      "true";
    expect(holds()).toBe(true);
    // The store looks for the dead while it is idle, and at each opening.
    for (let turn = 0; turn < 10 && holds(); turn += 1) {
      await clock.advance(10_000);
      await store.adapter.load(["key 000000"]);
    }
    expect(holds()).toBe(false);
  });
});

describe("expired records", () => {
  const count = (directory: string): number => readByHand(directory).records.length;

  it("are removed in slices while the store is idle, by the store's clock", async () => {
    const directory = newDirectory();
    const clock = new ManualClock(1_000_000);
    const store = await openStore({ directory }, { clock });
    const expiring = Array.from({ length: 2500 }, (_, index) => put(`e${index}`, "x", index + 1, 1_010_000));
    await store.write(...expiring, put("later", "x", 5000, 9_000_000), put("kept", "x", 5001));
    for (let turn = 0; turn < 60 && count(directory) !== 2; turn += 1) {
      for (let step = 0; step < 10; step += 1) {
        await clock.advance(1000);
        await store.adapter.load(["kept"]);
      }
    }
    expect((await store.records()).map(({ key }) => key)).toEqual(["kept", "later"]);
    expect(readByHand(directory).expiries).toEqual([{ expiresAt: 9_000_000, key: "later" }]);
    expect(store.reports).toEqual([]);
  });

  it("leave no trace in the index when they are put anew, deleted or cleared", async () => {
    const directory = newDirectory();
    const store = await openStore({ directory });
    await store.write(
      put("a", "x", 1, 5000),
      put("b", "x", 2, 5000),
      put("c", "x", 3, 5000),
      put("d", "x", 4, 5000),
    );
    await store.write(put("a", "x", 5, 6000), put("b", "x", 6), { type: "delete", key: "c", version: 7 });
    await store.write({ type: "clear", prefix: "d", version: 8 });
    expect(readByHand(directory).expiries).toEqual([{ expiresAt: 6000, key: "a" }]);
  });
});
