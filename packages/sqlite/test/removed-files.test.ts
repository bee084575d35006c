/**
 * The rows of the table of `docs/sqlite.md` about files that somebody removes below a running store, and about the
 * other owner that may come by then.
 */

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  afterThisTest,
  makeDirectory,
  type OpenedStore,
  put,
  puts,
  skipWithout,
} from "@leakdb/adapter-tests";
import { PersistentQueueStorage } from "@leakdb/core";
import { threadAdapter } from "@leakdb/core/adapter-thread";
import { type SqliteOptions, sqlite } from "@leakdb/sqlite";
import { ManualClock } from "@leakdb/testkit";
import Database from "better-sqlite3";
import { beforeEach, describe, expect, it } from "vitest";
import { independentReaders } from "./independent-readers.js";
import { openStore } from "./tested-stores.js";

const newFile = (): string => join(makeDirectory(), "store.db");

beforeEach((context) =>
  skipWithout(context, process.platform === "win32" ? "Windows removes no open files" : undefined),
);

/** The keys another process would find if this one were killed now. */
async function keysAfterKill(filename: string): Promise<string[]> {
  const copy = newFile();
  // In a process of its own: a file that is closed takes the locks of its process with it.
  const script = "const { cpSync } = require('node:fs'); cpSync(process.argv[1], process.argv[2])";
  for (const suffix of ["", "-wal"]) {
    if (existsSync(filename + suffix))
      execFileSync(process.execPath, ["-e", script, filename + suffix, copy + suffix]);
  }
  const store = await openStore({ filename: copy });
  return (await store.records()).map(({ key }) => key);
}

const openMeddled = (options: SqliteOptions): Promise<OpenedStore> =>
  openStore(options, {
    make: ({ filename, synchronous = "NORMAL" }) =>
      threadAdapter({
        name: "store.db",
        capabilities: sqlite({ filename }).capabilities,
        worker: new URL("./meddling-thread.mjs", import.meta.url),
        workerData: { path: filename, synchronous },
      }),
  });

describe.each([["-wal"], ["-shm"], ["-wal", "-shm"]])(
  "%s %s removed while the store is open",
  (...suffixes) => {
    const removeFrom = (filename: string): void => {
      for (const suffix of suffixes) rmSync(filename + suffix);
    };

    it.each(["NORMAL", "FULL"] as const)(
      "loses nothing written before or after, under %s",
      async (synchronous) => {
        const filename = newFile();
        const store = await openStore({ filename, synchronous });
        await store.write(put("before", "1", 1));
        await store.adapter.sync();
        removeFrom(filename);
        await store.write(put("between", "1", 2));
        expect(await keysAfterKill(filename)).toEqual(["before", "between"]);
        removeFrom(filename);
        await store.adapter.sync();
        expect(await keysAfterKill(filename)).toEqual(["before", "between"]);
        await store.write(put("last", "1", 3));
        expect(await keysAfterKill(filename)).toEqual(["before", "between", "last"]);
        expect((await store.records()).map(({ key }) => key)).toEqual(["before", "between", "last"]);
      },
    );

    it("is made up for by the close", async () => {
      const filename = newFile();
      const store = await openStore({ filename });
      await store.write(...puts(100));
      removeFrom(filename);
      await store.adapter.close();
      expect(await (await openStore({ filename })).records()).toHaveLength(100);
    });

    it("is noticed by an idle store within half a minute", async () => {
      const filename = newFile();
      const clock = new ManualClock(1_000_000);
      const store = await openStore({ filename }, { clock });
      await store.write(put("a", "1", 1));
      removeFrom(filename);
      await clock.advance(30_000);
      await store.adapter.load(["a"]);
      expect(await keysAfterKill(filename)).toEqual(["a"]);
    });

    it.each(independentReaders)("leaves nothing stale to $name", async (reader) => {
      if (reader.missing !== undefined) return;
      const filename = newFile();
      const store = await openStore({ filename });
      await store.write(put("a", "1", 1));
      removeFrom(filename);
      await store.write(put("b", "1", 2));
      expect(reader.ask(filename, "SELECT group_concat(key) FROM records")).toBe("a,b");
      await store.write(put("c", "1", 3));
      expect(reader.ask(filename, "SELECT group_concat(key) FROM records")).toBe("a,b,c");
    });
  },
);

describe("the index of the log removed, and another one made by a reader that stays", () => {
  it("does not keep the store from going on, nor those who open the file afterwards", async () => {
    const filename = newFile();
    const store = await openStore({ filename });
    await store.write(...puts(300));
    rmSync(`${filename}-shm`);
    const script = `
      import Database from "better-sqlite3";
      const reader = new Database(process.argv[1], { readonly: true });
      console.log(reader.prepare("SELECT count(*) FROM records").pluck().get());
      setInterval(() => {}, 1000);`;
    const args = ["--input-type=module", "-e", script, filename];
    const reader = spawn(process.execPath, args, { cwd: dirname(fileURLToPath(import.meta.url)) });
    const exited = once(reader, "exit");
    afterThisTest(async () => {
      reader.kill("SIGKILL");
      await exited;
    });
    expect(String(await once(reader.stdout, "data"))).toBe("300\n");
    await store.write(put("b", "1", 1000));
    await store.write(put("c", "1", 1001));
    expect(await keysAfterKill(filename)).toHaveLength(302);
  });
});

describe("a file that goes in the middle of a write", () => {
  it("is the log: the write is acknowledged once it is in the file", async () => {
    const filename = newFile();
    const store = await openMeddled({ filename });
    await store.write(put("a", "1", 1));
    await store.write(put("b", "1", 2), put("remove -wal", "1", 3));
    expect(await keysAfterKill(filename)).toEqual(["a", "b", "remove -wal"]);
    await store.write(put("c", "1", 4));
    expect(await keysAfterKill(filename)).toHaveLength(4);
  });

  it("is the main file: the write is not acknowledged", async () => {
    const filename = newFile();
    const store = await openMeddled({ filename });
    await store.write(put("a", "1", 1));
    const moved = { kind: "ambiguous", message: expect.stringContaining("moved") };
    await expect(store.write(put("move", "1", 2))).rejects.toMatchObject(moved);
    renameSync(`${filename}.moved`, filename);
    await store.write(put("b", "1", 3));
    expect(await keysAfterKill(filename)).toEqual(["a", "b", "move"]);
  });
});

describe("a removed log that cannot be saved yet", () => {
  it("for a reader's transaction, is saved once that ends", async () => {
    const filename = newFile();
    const store = await openStore({ filename });
    await store.write(put("a", "1", 1));
    const reader = new Database(filename, { readonly: true });
    afterThisTest(() => void reader.close());
    reader.exec("BEGIN");
    reader.prepare("SELECT count(*) FROM records").get();
    await store.write(put("b", "1", 2));
    rmSync(`${filename}-wal`);
    const held = { kind: "transient", message: expect.stringContaining("reader's transaction") };
    await expect(store.write(put("c", "1", 3))).rejects.toMatchObject(held);
    await expect(store.adapter.sync()).rejects.toMatchObject(held);
    reader.close();
    await store.write(put("c", "1", 3));
    expect(await keysAfterKill(filename)).toEqual(["a", "b", "c"]);
  });

  it("for another log in its place, is saved once that is taken away", async () => {
    const filename = newFile();
    const store = await openStore({ filename });
    await store.write(put("a", "1", 1));
    rmSync(`${filename}-wal`);
    writeFileSync(`${filename}-wal`, "not ours");
    const held = { kind: "transient", message: expect.stringContaining("another log") };
    await expect(store.write(put("b", "1", 2))).rejects.toMatchObject(held);
    rmSync(`${filename}-wal`);
    await store.write(put("b", "1", 2));
    expect(await keysAfterKill(filename)).toEqual(["a", "b"]);
  });
});

describe("the lock file removed while the store is open", () => {
  const fenced = { kind: "permanent", code: "LEAKDB_FENCED" };

  it("is taken again by the next write, and a second owner refused", async () => {
    const filename = newFile();
    const store = await openStore({ filename });
    rmSync(`${filename}-lock`);
    await store.write(put("a", "1", 1));
    await expect(openStore({ filename })).rejects.toMatchObject({ code: "LEAKDB_LOCKED" });
    rmSync(`${filename}-lock`);
    await store.adapter.sync();
    await expect(openStore({ filename })).rejects.toMatchObject({ code: "LEAKDB_LOCKED" });
    await store.write(put("b", "1", 2));
    expect(await store.records()).toHaveLength(2);
  });

  it("fences the first owner for good when a second has come, which is served alone", async () => {
    const filename = newFile();
    const clock = new ManualClock(1_000_000);
    const first = await openStore({ filename }, { clock });
    await first.write(put("a", "first", 1, 1_010_000));
    rmSync(`${filename}-lock`);
    const second = await openStore({ filename });
    await expect(first.write(put("a", "first again", 2))).rejects.toMatchObject(fenced);
    await second.write(put("b", "second", 3));
    for (const call of [
      () => first.write(put("c", "first", 4)),
      () => first.adapter.sync(),
      () => first.adapter.load(["a"]),
      () => first.records(),
    ])
      await expect(call()).rejects.toMatchObject(fenced);
    await clock.advance(60_000);
    await second.adapter.close();
    await expect(first.write(put("c", "first", 5))).rejects.toMatchObject(fenced);
    await first.adapter.close();
    const third = await openStore({ filename });
    expect((await third.records()).map(({ value }) => Buffer.from(value).toString())).toEqual([
      "first",
      "second",
    ]);
  });

  it.each(["write", "sync", "sweep"] as const)(
    "fences it at a %s when the second has come and gone",
    async (call) => {
      const filename = newFile();
      const clock = new ManualClock(1_000_000);
      const first = await openStore({ filename }, { clock });
      await first.write(put("a", "first", 1, 1_010_000));
      rmSync(`${filename}-lock`);
      const second = await openStore({ filename });
      await second.write(put("b", "second", 2));
      await second.adapter.close();
      if (call === "write") await expect(first.write(put("b", "first", 3))).rejects.toMatchObject(fenced);
      if (call === "sync") await expect(first.adapter.sync()).rejects.toMatchObject(fenced);
      if (call === "sweep") {
        await clock.advance(30_000);
        await expect(first.adapter.load(["a"])).rejects.toMatchObject(fenced);
        expect(first.reports).toMatchObject([fenced]);
      }
      await first.adapter.close();
      expect((await (await openStore({ filename })).records()).map(({ key }) => key)).toEqual(["a", "b"]);
    },
  );

  it("fences it where the lock file is ours again: what another wrote is told by the mark alone", async () => {
    const filename = newFile();
    const first = await openStore({ filename });
    await first.write(put("a", "first", 1));
    renameSync(`${filename}-lock`, `${filename}-aside`);
    const second = await openStore({ filename });
    await second.write(put("b", "second", 2));
    await second.adapter.close();
    renameSync(`${filename}-aside`, `${filename}-lock`);
    await expect(first.write(put("b", "first", 3))).rejects.toMatchObject(fenced);
  });

  it("reaches the user as dead letters whose cause is LEAKDB_FENCED", async () => {
    const filename = newFile();
    const storage = await PersistentQueueStorage.open({ adapter: sqlite({ filename }), writeDelay: 1 });
    afterThisTest(() => storage.close().catch(() => undefined));
    storage.set("a", 1);
    await storage.flush();
    rmSync(`${filename}-lock`);
    const second = await openStore({ filename });
    storage.setMulti({ a: 2, b: 2 });
    await expect(storage.flush()).rejects.toMatchObject({
      code: "LEAKDB_FLUSH_FAILED",
      deadLetters: [
        { error: { cause: { code: "LEAKDB_FENCED" } } },
        { error: { cause: { code: "LEAKDB_FENCED" } } },
      ],
    });
    expect((await second.records()).map(({ key }) => key)).toEqual(["a"]);
  });
});

describe("removed below a store, and a second owner come and gone", () => {
  const fenced = { kind: "permanent", code: "LEAKDB_FENCED" };
  const secondOwner = fileURLToPath(new URL("./scripted-process.mjs", import.meta.url));

  it.each([
    { what: "the log, its index and the lock file", suffixes: ["-wal", "-shm", "-lock"] },
    { what: "the index and the lock file", suffixes: ["-shm", "-lock"] },
  ])("$what: neither a write nor the close of the first one touches what that left", async ({ suffixes }) => {
    for (const call of ["write", "close"] as const) {
      const filename = newFile();
      const first = await openStore({ filename });
      await first.write(...puts(500));
      for (const suffix of suffixes) rmSync(filename + suffix);
      const steps = [
        { do: "open" },
        { do: "write", count: 300, firstVersion: 10_000 },
        { do: "sync" },
        { do: "close" },
      ];
      const args = [secondOwner, filename, dirname(filename), JSON.stringify(steps), "NORMAL"];
      expect(JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }))).toEqual(
        expect.arrayContaining(["done", "done", "done"]),
      );
      if (call === "write") await expect(first.write(...puts(500, 20_000))).rejects.toMatchObject(fenced);
      else await expect(first.adapter.close()).rejects.toMatchObject(fenced);
      if (call === "write") await first.adapter.close();
      expect(readdirSync(dirname(filename)).filter((name) => name.endsWith("-aside"))).toEqual([]);
      const third = await openStore({ filename });
      const versions = (await third.records()).map(({ version }) => version);
      expect(versions.filter((version) => version >= 10_000)).toHaveLength(300);
      expect(Math.max(...versions)).toBe(10_299);
    }
  });
});
