/** What is particular to this adapter: its options, its file as others read it, its housekeeping, its promises. */

import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { basename, join } from "node:path";
import { sqlite } from "@leakdb/sqlite";
import { ManualClock } from "@leakdb/testkit";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { afterThisTest, makeDirectory, openStore, put, puts } from "./opened-store.js";

const newFile = (): string => join(makeDirectory(), "store.db");

/** What the database says to Debian's, macOS's, anyone's `sqlite3` command. */
function shell(filename: string, query: string): string {
  return execFileSync("sqlite3", ["-readonly", filename, query], { encoding: "utf8" }).trim();
}

function reader(filename: string): Database.Database {
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

describe("the file", () => {
  it("is read by the sqlite3 command while the store runs, JSON included", async () => {
    const filename = newFile();
    const store = await openStore({ filename });
    const texts = ['{"x":1}', '{"x":12}', "[1,2]", '"text"', "3652", "12", "null"];
    await store.write(...texts.map((text, index) => put(`k${index}`, text, 1_790_000_000_000_000 + index)));
    expect(shell(filename, "SELECT key, json_extract(value, '$.x') FROM records WHERE key < 'k2'")).toBe(
      "k0|1\nk1|12",
    );
    expect(shell(filename, "SELECT json(value) FROM readable").split("\n")).toEqual(texts);
    expect(shell(filename, "SELECT changed, expires FROM readable LIMIT 1")).toBe("2026-09-21 14:13:20|");
    await store.write(put("after", "{}", 1_800_000_000_000_000));
  });

  it("gives JSON to the SQLite that is built in as well", async () => {
    const filename = newFile();
    const store = await openStore({ filename });
    const texts = Array.from({ length: 3000 }, (_, index) => [
      `{"a":${index}}`,
      String(index * 7),
      `[${index}]`,
    ]).flat();
    await store.write(...texts.map((text, index) => put(`k${index}`, text, index + 1)));
    const database = reader(filename);
    const wrong = "SELECT count(*) FROM readable WHERE json(value) <> value";
    expect(database.prepare(wrong).pluck().get()).toBe(0);
    // Objects and arrays are never taken for SQLite's binary JSON; a bare number may be.
    const misread = "SELECT count(*) FROM records WHERE value < '{' AND json(value) <> CAST(value AS TEXT)";
    expect(
      database.prepare(misread.replace("value < '{'", "substr(value, 1, 1) IN (x'7b', x'5b')")).pluck().get(),
    ).toBe(0);
  });

  it("holds whole numbers as integers, past 2^32 too", async () => {
    const filename = newFile();
    const store = await openStore({ filename });
    const version = Number.MAX_SAFE_INTEGER;
    await store.write(put("a", "1", version, 1_900_000_000_000));
    const row = "SELECT typeof(version), version, typeof(expires_at), expires_at, typeof(key) FROM records";
    expect(shell(filename, row)).toBe(`integer|${version}|integer|1900000000000|text`);
    expect(shell(filename, "SELECT typeof(high_version), high_version FROM leakdb")).toBe(
      `integer|${version}`,
    );
    expect(await store.records()).toMatchObject([{ version, expiresAt: 1_900_000_000_000 }]);
  });

  it("is marked, so that others can tell what it is", async () => {
    const filename = newFile();
    await openStore({ filename });
    expect(shell(filename, "PRAGMA application_id; PRAGMA user_version; PRAGMA journal_mode")).toBe(
      `${0x4c65614b}\n1\nwal`,
    );
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

describe("expired records", () => {
  it("are removed in slices while the store is idle, by the store's clock", async () => {
    const filename = newFile();
    const clock = new ManualClock(1_000_000);
    const store = await openStore({ filename }, { clock });
    const expiring = Array.from({ length: 2500 }, (_, index) => put(`e${index}`, "x", index + 1, 1_010_000));
    await store.write(...expiring, put("later", "x", 5000, 9_000_000), put("kept", "x", 5001));
    const count = (): unknown => reader(filename).prepare("SELECT count(*) FROM records").pluck().get();
    for (let turn = 0; turn < 500 && count() !== 2; turn += 1) {
      await clock.advance(1000);
      await store.adapter.load(["kept"]);
    }
    expect((await store.records()).map(({ key }) => key)).toEqual(["kept", "later"]);
    expect(store.reports).toEqual([]);
  });
});

describe("synced", () => {
  /** Names of the files that the calls of a process synced, as the kernel saw it. */
  function syncsOf(synchronous: string, calls: string): string[] {
    const filename = newFile();
    const script = new URL("./traced-process.mjs", import.meta.url).pathname;
    const traced = ["-f", "-y", "-e", "trace=fsync,fdatasync,write", process.execPath, script];
    const { stderr } = trace([...traced, filename, synchronous, calls]);
    const from = stderr.indexOf("[calls begin]");
    const to = stderr.indexOf("[calls end]");
    expect(from).toBeGreaterThan(0);
    const names = [...stderr.slice(from, to).matchAll(/f(?:data)?sync\(\d+<([^>]*)>/g)].map(([, path]) =>
      basename(path ?? ""),
    );
    return names.filter((name) => name.startsWith("store.db"));
  }

  it("reaches the disk by sync() under NORMAL, which a write alone does not", () => {
    expect(syncsOf("NORMAL", "write")).toEqual([]);
    expect(syncsOf("NORMAL", "write sync")).toEqual(["store.db-wal"]);
    expect(syncsOf("NORMAL", "sync")).toEqual(["store.db-wal"]);
  }, 60_000);

  it("reaches the disk by every write under FULL", () => {
    expect(syncsOf("FULL", "write")).toEqual(["store.db-wal"]);
    expect(syncsOf("FULL", "write sync write")).toEqual(["store.db-wal", "store.db-wal"]);
  }, 60_000);
});

function trace(args: readonly string[]): { stderr: string } {
  const trace = join(makeDirectory(), "trace");
  execFileSync("strace", ["-o", trace, ...args], { stdio: ["ignore", "ignore", "inherit"] });
  return { stderr: execFileSync("cat", [trace], { encoding: "utf8", maxBuffer: 1 << 28 }) };
}
