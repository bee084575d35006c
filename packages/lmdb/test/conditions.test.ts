/**
 * The table of `docs/lmdb.md`: every condition, the error that names it, the data unharmed, and service again when
 * the condition has passed. Those of the disk are in `disk.test.ts`, flipped bits in `damage.test.ts`.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
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
import { lmdb } from "@leakdb/lmdb";
import { open } from "lmdb";
import { describe, expect, it } from "vitest";
import { MARK_KEY } from "../src/store-mark.js";
import { dataFile, madeStore, openStore, refuses } from "./tested-stores.js";

const foreign = {
  kind: "permanent",
  code: "LEAKDB_OPEN_FAILED",
  message: expect.stringContaining("another program"),
};
const damaged = { kind: "permanent", code: "LEAKDB_CORRUPTION" };
const locked = { kind: "transient", code: "LEAKDB_LOCKED" };

describe("refuses to open", () => {
  it("a directory whose data file is not one of LMDB", async () => {
    const directory = makeDirectory();
    writeFileSync(dataFile(directory), "just some notes\n".repeat(1000));
    await refuses(directory, damaged);
    expect(readdirSync(directory)).toEqual(["data.mdb"]);
  });

  it("the database of another program, whatever it holds, and leaves nothing of its own in it", async () => {
    for (const fill of [
      (root: ReturnType<typeof open>) => root.putSync("title", "a song"),
      (root: ReturnType<typeof open>) => root.openDB("songs", {}).putSync("title", "a song"),
      (root: ReturnType<typeof open>) => root.openDB("records", {}).putSync("title", "a song"),
    ]) {
      const directory = makeDirectory();
      const root = open({ path: directory, noSubdir: false, overlappingSync: false });
      fill(root);
      await root.close();
      await refuses(directory, foreign);
      expect(readdirSync(directory).sort()).toEqual(["data.mdb", "lock.mdb"]);
    }
  });

  it("a file of LMDB's older data version", async () => {
    const directory = makeDirectory();
    await madeStore(directory, 10);
    const bytes = readFileSync(dataFile(directory));
    for (const head of [0, 4096]) bytes.writeUInt32LE(1, head + 28);
    writeFileSync(dataFile(directory), bytes);
    await refuses(directory, foreign);
  });

  it("a truncated store", async () => {
    const directory = makeDirectory();
    await madeStore(directory);
    const whole = readFileSync(dataFile(directory));
    for (const length of [whole.length / 2, 40_960, 8192, 8000, 4096, 1000, 100]) {
      truncateSync(dataFile(directory), Math.floor(length / 100) * 100);
      await refuses(directory, damaged);
    }
    writeFileSync(dataFile(directory), whole);
    expect(await (await openStore({ directory })).records()).toHaveLength(2000);
  });

  it("a store of a later schema", async () => {
    const directory = makeDirectory();
    await madeStore(directory, 10);
    const { encodeMark } = await import("../src/store-mark.js");
    const root = open({ path: directory, noSubdir: false, overlappingSync: false, maxDbs: 3 });
    const marks = root.openDB("leakdb", { encoding: "binary", keyEncoding: "binary" });
    const later = { schema: 2, storeId: "x", highVersion: 10, openings: 1 };
    marks.putSync(Buffer.from(MARK_KEY), encodeMark(later));
    await root.close();
    const message = expect.stringContaining("later LeakDB");
    await refuses(directory, { kind: "permanent", code: "LEAKDB_OPEN_FAILED", message });
  });

  it("in a missing directory, until it is there", async () => {
    const parent = join(makeDirectory(), "missing");
    const directory = join(parent, "store");
    const openFailed = { kind: "transient", code: "LEAKDB_OPEN_FAILED" };
    const message = expect.stringContaining("is missing");
    await refuses(directory, { ...openFailed, message });
    writeFileSync(parent, "a file where the parent should be");
    await refuses(directory, openFailed);
    rmSync(parent);
    mkdirSync(parent);
    await openStore({ directory });
  });

  it("a file where the directory should be, and keeps it", async () => {
    const directory = join(makeDirectory(), "store");
    writeFileSync(directory, "precious");
    const message = expect.stringContaining("a file stands where");
    await refuses(directory, { kind: "transient", code: "LEAKDB_OPEN_FAILED", message });
    expect(readFileSync(directory, "utf8")).toBe("precious");
  });

  it("a store that this process has open, by whatever path", async () => {
    const parent = makeDirectory();
    const directory = join(parent, "store");
    const owner = await openStore({ directory });
    symlinkSync(directory, join(parent, "link"));
    symlinkSync(parent, join(parent, "again"));
    for (const path of [directory, join(parent, "link"), join(parent, "again", "store")]) {
      await refuses(path, locked);
    }
    await owner.write(...puts(10));
    await owner.adapter.close();
    expect(await (await openStore({ directory: join(parent, "link") })).records()).toHaveLength(10);
  });

  it("a store that another process has open, until that is killed", async () => {
    const directory = join(makeDirectory(), "store");
    const script = fileURLToPath(new URL("./owner-process.mjs", import.meta.url));
    const owner = spawn(process.execPath, [script, directory], { stdio: ["ignore", "pipe", "inherit"] });
    const exited = once(owner, "exit");
    afterThisTest(() => void owner.kill("SIGKILL"));
    await once(owner.stdout, "data");
    await expect(openStore({ directory })).rejects.toMatchObject(locked);
    // One that hangs owns it still.
    owner.kill("SIGSTOP");
    await expect(openStore({ directory })).rejects.toMatchObject(locked);
    owner.kill("SIGKILL");
    await exited;
    const store = await openStore({ directory });
    const found = await store.records();
    expect(found.length).toBeGreaterThan(0);
    expect(found.length % 1000).toBe(0);
    expect(store.state.highVersion).toBe(found.length);
  });

  it("a second owner below a path that is too long for a socket's name as well", async () => {
    const parent = join(makeDirectory(), "d".repeat(120));
    mkdirSync(parent);
    const directory = join(parent, "store");
    const owner = await openStore({ directory });
    await expect(openStore({ directory })).rejects.toMatchObject(locked);
    await owner.adapter.close();
    await openStore({ directory });
    // The names of those who were refused and of those who went are gone.
    expect(readdirSync(directory).filter((name) => name.startsWith("owner-"))).toEqual(["owner-2"]);
  });
});

describe("goes on after", () => {
  it("the death of its thread in the middle of a write, which leaves nothing of that write", async () => {
    const directory = join(makeDirectory(), "store");
    const make = (): ReturnType<typeof lmdb> =>
      threadAdapter({
        name: "store",
        capabilities: lmdb({ directory }).capabilities,
        worker: new URL("./dying-thread.mjs", import.meta.url),
        workerData: { path: directory },
      });
    const store = await openStore({ directory }, { make });
    await store.write(...puts(1000));
    const ambiguous = { kind: "ambiguous" };
    await expect(store.write(...puts(5000, 10_000), put("die here", "x", 20_000))).rejects.toMatchObject(
      ambiguous,
    );
    expect(store.reports).toHaveLength(1);
    const versions = (await store.records()).map(({ version }) => version);
    expect(versions).toEqual(puts(1000).map(({ version }) => version));
    await store.write(...puts(5000, 10_000));
    expect(await store.records()).toHaveLength(5000);
  });

  it("damage that it meets while it runs, once the data is whole again", async () => {
    const directory = join(makeDirectory(), "store");
    const store = await openStore({ directory });
    await store.write(put("a", "the value", 1), put("b", "another", 2));
    const at = readFileSync(dataFile(directory)).indexOf("the value");
    const file = openSync(dataFile(directory), "r+");
    afterThisTest(() => closeSync(file));
    writeSync(file, "The", at);
    const damage = { kind: "transient", code: "LEAKDB_CORRUPTION" };
    await expect(store.adapter.load(["a"])).rejects.toMatchObject(damage);
    await expect(store.records()).rejects.toMatchObject(damage);
    expect((await store.adapter.load(["b"]))[0]?.version).toBe(2);
    writeSync(file, "the", at);
    await store.write(put("c", "3", 3));
    expect((await store.records()).map(({ key }) => key)).toEqual(["a", "b", "c"]);
  });

  it("the directory was moved, once it is back; what was written meanwhile was refused", async () => {
    const directory = join(makeDirectory(), "store");
    const store = await openStore({ directory });
    await store.write(put("a", "1", 1));
    renameSync(directory, `${directory}.moved`);
    const moved = { kind: "transient", message: expect.stringContaining("moved") };
    await expect(store.write(put("b", "2", 2))).rejects.toMatchObject(moved);
    await expect(store.adapter.sync()).rejects.toMatchObject(moved);
    renameSync(`${directory}.moved`, directory);
    await store.write(put("b", "2", 2));
    expect((await store.records()).map(({ key }) => key)).toEqual(["a", "b"]);
  });

  it("it was begun and not finished, as if it were new", async () => {
    const directory = makeDirectory();
    const root = open({ path: directory, noSubdir: false, overlappingSync: false });
    await root.close();
    const store = await openStore({ directory });
    await store.write(put("a", "1", 1));
    expect(existsSync(dataFile(directory))).toBe(true);
    expect(statSync(dataFile(directory)).size).toBeGreaterThan(8192);
  });
});
