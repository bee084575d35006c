/**
 * The table of `docs/sqlite.md`: every condition, the error that names it, the file unharmed, and service again when
 * the condition has passed. Those of the disk are in `disk.test.ts`.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterThisTest, makeDirectory, put, puts } from "@leakdb/adapter-tests";
import { threadAdapter } from "@leakdb/core/adapter-thread";
import { sqlite } from "@leakdb/sqlite";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { madeStore, openStore, refuses } from "./tested-stores.js";

function flip(filename: string, at: number): void {
  const descriptor = openSync(filename, "r+");
  const byte = readFileSync(filename)[at] as number;
  writeSync(descriptor, Uint8Array.of(byte ^ 0x41), 0, 1, at);
  closeSync(descriptor);
}

describe("refuses to open", () => {
  it("a file that is not a database", async () => {
    const filename = join(makeDirectory(), "notes.txt");
    writeFileSync(filename, "just some notes\n".repeat(1000));
    await refuses(filename, { kind: "permanent", code: "LEAKDB_CORRUPTION" });
  });

  it("the database of another program, marked or not, with a log or without", async () => {
    const directory = makeDirectory();
    for (const [index, setup] of [
      "CREATE TABLE songs (title)",
      "PRAGMA application_id = 42",
      "PRAGMA application_id = 42; CREATE TABLE records (key)",
      "PRAGMA journal_mode = WAL; CREATE TABLE songs (title)",
    ].entries()) {
      const filename = join(directory, `foreign-${index}.db`);
      const foreign = new Database(filename);
      foreign.exec(setup);
      foreign.close();
      const message = expect.stringContaining("another program");
      await refuses(filename, { kind: "permanent", code: "LEAKDB_OPEN_FAILED", message });
    }
  });

  it("another program's database while that program has changes in its log", async () => {
    const filename = join(makeDirectory(), "foreign.db");
    const foreign = new Database(filename);
    afterThisTest(() => void foreign.close());
    foreign.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE songs (title)");
    foreign.exec("INSERT INTO songs VALUES ('a')");
    await refuses(filename, { kind: "permanent", code: "LEAKDB_OPEN_FAILED" });
    expect(foreign.prepare("SELECT title FROM songs").pluck().get()).toBe("a");
  });

  it("a truncated store", async () => {
    const filename = join(makeDirectory(), "store.db");
    await madeStore(filename);
    const { size } = statSync(filename);
    for (const length of [size - 4096, 8192, 4096, 1000, 100]) {
      truncateSync(filename, length);
      await refuses(filename, { kind: "permanent", code: "LEAKDB_CORRUPTION" });
    }
  });

  it("an empty file beside the log of a store", async () => {
    const directory = makeDirectory();
    const store = await openStore({ filename: join(directory, "store.db") });
    await store.write(...puts(10));
    const filename = join(directory, "copy.db");
    writeFileSync(`${filename}-wal`, readFileSync(join(directory, "store.db-wal")));
    writeFileSync(filename, "");
    await refuses(filename, { kind: "permanent", code: "LEAKDB_CORRUPTION" });
  });

  it("a store with a flipped bit in its head or its schema", async () => {
    const directory = makeDirectory();
    const filename = join(directory, "store.db");
    await madeStore(filename);
    const whole = readFileSync(filename);
    // The magic, the page size, the type of the first page.
    for (const at of [3, 16, 100]) {
      writeFileSync(filename, whole);
      flip(filename, at);
      await refuses(filename, { kind: "permanent", code: "LEAKDB_CORRUPTION" });
    }
    writeFileSync(filename, whole);
    expect(await (await openStore({ filename })).records()).toHaveLength(2000);
  });

  it("a store of a later schema", async () => {
    const filename = join(makeDirectory(), "store.db");
    await madeStore(filename, 10);
    const later = new Database(filename);
    later.pragma("user_version = 2");
    later.close();
    const message = expect.stringContaining("later LeakDB");
    await refuses(filename, { kind: "permanent", code: "LEAKDB_OPEN_FAILED", message });
  });

  it("in a missing directory, until it is there", async () => {
    const directory = join(makeDirectory(), "missing");
    const filename = join(directory, "store.db");
    const message = expect.stringContaining("directory is missing");
    await refuses(filename, { kind: "transient", code: "LEAKDB_OPEN_FAILED", message });
    writeFileSync(directory, "a file where the directory should be");
    await refuses(filename, { kind: "transient", code: "LEAKDB_OPEN_FAILED" });
    rmSync(directory);
    mkdirSync(directory);
    await openStore({ filename });
  });

  it("a store that this process has open, by whatever path", async () => {
    const directory = makeDirectory();
    const filename = join(directory, "store.db");
    const owner = await openStore({ filename });
    symlinkSync(filename, join(directory, "link.db"));
    symlinkSync(directory, join(directory, "again"));
    for (const path of [filename, join(directory, "link.db"), join(directory, "again", "store.db")]) {
      await refuses(path, { kind: "transient", code: "LEAKDB_LOCKED" });
    }
    await owner.write(...puts(10));
    await owner.adapter.close();
    expect(await (await openStore({ filename: join(directory, "link.db") })).records()).toHaveLength(10);
  });

  it("a store that another process has open, until that is killed", async () => {
    const filename = join(makeDirectory(), "store.db");
    const script = fileURLToPath(new URL("./owner-process.mjs", import.meta.url));
    const owner = spawn(process.execPath, [script, filename], { stdio: ["ignore", "pipe", "inherit"] });
    const exited = once(owner, "exit");
    afterThisTest(() => void owner.kill("SIGKILL"));
    await once(owner.stdout, "data");
    await expect(openStore({ filename })).rejects.toMatchObject({ kind: "transient", code: "LEAKDB_LOCKED" });
    owner.kill("SIGKILL");
    await exited;
    const store = await openStore({ filename });
    const found = await store.records();
    expect(found.length).toBeGreaterThan(0);
    expect(found.length % 1000).toBe(0);
    expect(store.state.highVersion).toBe(found.length);
  });

  it("a store that another program's transaction holds", async () => {
    const filename = join(makeDirectory(), "store.db");
    await madeStore(filename, 10);
    const other = new Database(filename);
    other.exec("BEGIN IMMEDIATE");
    await expect(openStore({ filename })).rejects.toMatchObject({ kind: "transient", code: "LEAKDB_LOCKED" });
    other.close();
    await openStore({ filename });
  });
});

describe("goes on after", () => {
  it("the death of its thread in the middle of a write, which leaves nothing of that write", async () => {
    const filename = join(makeDirectory(), "store.db");
    const store = await openStore(
      { filename },
      {
        make: () =>
          threadAdapter({
            name: "store.db",
            capabilities: sqlite({ filename }).capabilities,
            worker: new URL("./dying-thread.mjs", import.meta.url),
            workerData: { path: filename, synchronous: "NORMAL" },
          }),
      },
    );
    await store.write(...puts(1000));
    await expect(store.write(...puts(5000, 10_000), put("die here", "x", 20_000))).rejects.toMatchObject({
      kind: "ambiguous",
    });
    expect(store.reports).toHaveLength(1);
    expect((await store.records()).map(({ version }) => version)).toEqual(
      puts(1000).map(({ version }) => version),
    );
    await store.write(...puts(5000, 10_000));
    expect(await store.records()).toHaveLength(5000);
  });

  it("damage that it meets while it runs, once the file is whole again", async () => {
    const filename = join(makeDirectory(), "store.db");
    await madeStore(filename, 20_000);
    const whole = readFileSync(filename);
    const store = await openStore({ filename });
    // Every page but those that are read at an opening.
    const descriptor = openSync(filename, "r+");
    writeSync(
      descriptor,
      Buffer.alloc(whole.length - 10 * 4096, 0x55),
      0,
      whole.length - 10 * 4096,
      10 * 4096,
    );
    const damage = { kind: "transient", code: "LEAKDB_CORRUPTION" };
    await expect(store.records()).rejects.toMatchObject(damage);
    await expect(store.write(...puts(100, 50_000))).rejects.toMatchObject(damage);
    writeSync(descriptor, whole, 0, whole.length, 0);
    closeSync(descriptor);
    await store.write(...puts(100, 50_000));
    expect(await store.records()).toHaveLength(20_000);
  });

  it("the file was moved, once it is back; what was written meanwhile was refused", async () => {
    const filename = join(makeDirectory(), "store.db");
    const store = await openStore({ filename });
    await store.write(put("a", "1", 1));
    renameSync(filename, `${filename}.moved`);
    const moved = { kind: "transient", message: expect.stringContaining("moved") };
    await expect(store.write(put("b", "2", 2))).rejects.toMatchObject(moved);
    await expect(store.adapter.sync()).rejects.toMatchObject(moved);
    renameSync(`${filename}.moved`, filename);
    await store.write(put("b", "2", 2));
    expect((await store.records()).map(({ key }) => key)).toEqual(["a", "b"]);
  });
});

describe("names a record that can never be stored", () => {
  it("and stores the others of its batch", async () => {
    const filename = join(makeDirectory(), "store.db");
    const store = await openStore({ filename });
    const other = new Database(filename);
    other.exec(
      "CREATE TRIGGER no_seven BEFORE INSERT ON records WHEN NEW.key = 'key 000007' BEGIN SELECT RAISE(ABORT, 'no'); END",
    );
    other.close();
    const { rejected } = await store.adapter.write(puts(10), { signal: new AbortController().signal });
    expect(rejected).toMatchObject([{ index: 7, error: { cause: { code: "SQLITE_CONSTRAINT_TRIGGER" } } }]);
    expect(await store.records()).toHaveLength(9);
  });
});
