/** What is particular to this adapter: its options, its file as others read it, its housekeeping, its promises. */

import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterThisTest, makeDirectory, put, puts, skipWithout } from "@leakdb/adapter-tests";
import { jsonCodec, msgpackCodec, PersistentQueueStorage } from "@leakdb/core";
import { sqlite } from "@leakdb/sqlite";
import { ManualClock } from "@leakdb/testkit";
import Database from "better-sqlite3";
import { beforeEach, describe, expect, it } from "vitest";
import { type IndependentReader, independentReaders } from "./independent-readers.js";
import { openStore } from "./tested-stores.js";

const newFile = (): string => join(makeDirectory(), "store.db");

function openReader(filename: string): Database.Database {
  const database = new Database(filename, { readonly: true });
  afterThisTest(() => void database.close());
  return database;
}

describe("sqlite()", () => {
  it("refuses options that cannot be meant", () => {
    for (const filename of ["", ":memory:", "a\0b", 7 as unknown as string]) {
      expect(() => sqlite({ filename })).toThrow(TypeError);
    }
    expect(() => sqlite({ filename: ":memory:" })).toThrow("DefaultStorage");
    expect(() => sqlite({ filename: "a.db", synchronous: "OFF" as "FULL" })).toThrow(TypeError);
  });

  it("is named after its file", () => {
    expect(sqlite({ filename: "some/where/foobar.db" }).name).toBe("foobar.db");
  });
});

describe.each(independentReaders)(
  "the file, read by $name while the store runs",
  (reader: IndependentReader) => {
    beforeEach((context) => skipWithout(context, reader.missing));

    it("gives keys and values, JSON included", async () => {
      const filename = newFile();
      const store = await openStore({ filename });
      const texts = ['{"x":1}', '{"x":12}', "[1,2]", '"text"', "3652", "12", "null"];
      await store.write(...texts.map((text, index) => put(`k${index}`, text, 1_790_000_000_000_000 + index)));
      const named = "SELECT key, json_extract(value, '$.x') FROM readable WHERE key < 'k2'";
      expect(reader.ask(filename, named)).toBe("k0|1\nk1|12");
      expect(reader.ask(filename, "SELECT CAST(value AS TEXT) FROM records").split("\n")).toEqual(texts);
      expect(reader.ask(filename, "SELECT json(value) FROM readable").split("\n")).toEqual(texts);
      const dates = "SELECT changed, expires FROM readable LIMIT 1";
      expect(reader.ask(filename, dates)).toBe("2026-09-21 14:13:20|");
      await store.write(put("after", "{}", 1_800_000_000_000_000));
      expect(reader.ask(filename, "SELECT count(*) FROM records")).toBe("8");
    });

    it("gives values by the command of the docs with jsonCodec, and with the default codec bytes alone", async () => {
      const docs = readFileSync(new URL("../../../docs/sqlite.md", import.meta.url), "utf8");
      const command = /sqlite3 -readonly people\.db "(.*)"/.exec(docs)?.[1] ?? "";
      const filenames = [newFile(), newFile()] as const;
      for (const [index, codec] of [jsonCodec(), msgpackCodec()].entries()) {
        const adapter = sqlite({ filename: filenames[index] as string });
        const storage = await PersistentQueueStorage.open({ adapter, codec });
        storage.set("ann", { name: "Ann", pets: [1, 2], big: 3_000_000_000, note: "é" });
        await storage.close();
      }
      expect(reader.ask(filenames[0], command)).toBe("ann|Ann");
      expect(() => reader.ask(filenames[1], command)).toThrow("malformed JSON");
      expect(reader.ask(filenames[1], "SELECT key, changed > '2020' FROM readable")).toBe("ann|1");
      const hex = reader.ask(filenames[1], "SELECT hex(value) FROM records");
      expect(msgpackCodec().decode(Buffer.from(hex, "hex"))).toMatchObject({ name: "Ann" });
    });

    it("holds whole numbers as integers, past 2^32 too", async () => {
      const filename = newFile();
      const store = await openStore({ filename });
      const version = Number.MAX_SAFE_INTEGER;
      await store.write(put("a", "1", version, 1_900_000_000_000));
      const row = "SELECT typeof(version), version, typeof(expires_at), expires_at, typeof(key) FROM records";
      expect(reader.ask(filename, row)).toBe(`integer|${version}|integer|1900000000000|text`);
      const state = "SELECT typeof(high_version), high_version FROM leakdb";
      expect(reader.ask(filename, state)).toBe(`integer|${version}`);
      expect(await store.records()).toMatchObject([{ version, expiresAt: 1_900_000_000_000 }]);
    });

    it("is marked, so that others can tell what it is, and whole", async () => {
      const filename = newFile();
      const store = await openStore({ filename });
      await store.write(...puts(5000));
      const marks = ["PRAGMA application_id", "PRAGMA user_version", "PRAGMA journal_mode"];
      expect(reader.ask(filename, ...marks)).toBe(`${0x4c65614b}\n1\nwal`);
      expect(reader.ask(filename, "PRAGMA integrity_check")).toBe("ok");
    });
  },
);

describe("the file", () => {
  it("gives JSON to the SQLite that is built in as well", async () => {
    const filename = newFile();
    const store = await openStore({ filename });
    const texts = Array.from({ length: 3000 }, (_, index) => [
      `{"a":${index}}`,
      String(index * 7),
      `[${index}]`,
    ]).flat();
    await store.write(...texts.map((text, index) => put(`k${index}`, text, index + 1)));
    const database = openReader(filename);
    const wrong = "SELECT count(*) FROM readable WHERE json(value) <> value";
    expect(database.prepare(wrong).pluck().get()).toBe(0);
    // Objects and arrays are never taken for SQLite's binary JSON; a bare number may be.
    const misread = "SELECT count(*) FROM records WHERE value < '{' AND json(value) <> CAST(value AS TEXT)";
    expect(
      database.prepare(misread.replace("value < '{'", "substr(value, 1, 1) IN (x'7b', x'5b')")).pluck().get(),
    ).toBe(0);
  });

  it("keeps keys with NUL, and scans past them", async () => {
    const store = await openStore({ filename: newFile() });
    const keys = ["a", "a\0", "a\0\0", "a\0b", "a\u0001", "b"];
    await store.write(...keys.map((key, index) => put(key, key, index + 1)));
    expect((await store.records()).map(({ key }) => key)).toEqual(keys);
    expect((await store.adapter.load(["a\0b"]))[0]?.version).toBe(4);
    const after: string[] = [];
    for await (const page of store.adapter.scan({ prefix: "a\0", after: "a\0" }))
      after.push(...page.map(({ key }) => key));
    expect(after).toEqual(["a\0\0", "a\0b"]);
  });

  it("says its true size", async () => {
    const filename = newFile();
    const { adapter } = await openStore({ filename });
    const { bytes } = await adapter.write(puts(1000), { signal: new AbortController().signal });
    expect(bytes).toBe(statSync(filename).size + statSync(`${filename}-wal`).size);
  });

  it("is read in pages whose bytes are bounded", async () => {
    const store = await openStore({ filename: newFile() });
    await store.write(...puts(30, 1, 200_000));
    const pages: number[] = [];
    for await (const page of store.adapter.scan({})) pages.push(page.length);
    expect(pages).toEqual(Array.from({ length: 10 }, () => 3));
  });
});

describe("a batch", () => {
  it("is applied around its clears in its own order", async () => {
    const store = await openStore({ filename: newFile() });
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

  it("never replaces a newer version, and remembers the highest it ever saw", async () => {
    const filename = newFile();
    const first = await openStore({ filename });
    await first.write(put("a", "new", 10));
    await first.write(put("a", "old", 9), { type: "delete", key: "a", version: 8 });
    await first.write({ type: "clear", prefix: "", version: 10 });
    expect(await first.records()).toMatchObject([{ key: "a", version: 10 }]);
    await first.write({ type: "delete", key: "a", version: 12 });
    await first.adapter.close();
    expect((await openStore({ filename })).state).toMatchObject({
      storeId: first.state.storeId,
      highVersion: 12,
    });
  });
});

describe("a process", () => {
  it("ends by itself with a store that nobody closed", async () => {
    const script = `
      import { systemClock } from "@leakdb/core/adapter";
      import { jsonCodec, msgpackCodec, PersistentQueueStorage } from "@leakdb/core";
import { sqlite } from "@leakdb/sqlite";
      const { signal } = new AbortController();
      const limits = { batchMax: 10, batchBytesMax: 1000 };
      await sqlite({ filename: process.argv[1] }).open({ clock: systemClock, signal, limits, report() {} });`;
    const args = ["--input-type=module", "-e", script, newFile()];
    const cwd = fileURLToPath(new URL(".", import.meta.url));
    const { status, signal } = spawnSync(process.execPath, args, { cwd, timeout: 10_000 });
    expect({ status, signal }).toEqual({ status: 0, signal: null });
  });
});

describe("expired records", () => {
  it("are removed in slices while the store is idle, by the store's clock", async () => {
    const filename = newFile();
    const clock = new ManualClock(1_000_000);
    const store = await openStore({ filename }, { clock });
    const expiring = Array.from({ length: 2500 }, (_, index) => put(`e${index}`, "x", index + 1, 1_010_000));
    await store.write(...expiring, put("later", "x", 5000, 9_000_000), put("kept", "x", 5001));
    const count = (): unknown => openReader(filename).prepare("SELECT count(*) FROM records").pluck().get();
    for (let turn = 0; turn < 500 && count() !== 2; turn += 1) {
      await clock.advance(1000);
      await store.adapter.load(["kept"]);
    }
    expect((await store.records()).map(({ key }) => key)).toEqual(["kept", "later"]);
    expect(store.reports).toEqual([]);
  });
});
