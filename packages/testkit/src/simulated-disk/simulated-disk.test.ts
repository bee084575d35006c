import assert from "node:assert/strict";
import type { JournalFile, JournalFiles } from "@leakdb/core";
import { isLeakDBError } from "@leakdb/core/adapter";
import { describe, test } from "vitest";
import { ManualClock } from "../manual-clock.js";
import { SimulatedDisk } from "./simulated-disk.js";

const HOME = "/journal";
const FILE = "/journal/a";

/** A disk with one file, synced, that holds `content`. */
async function diskWith(content = ""): Promise<{ disk: SimulatedDisk; file: JournalFile }> {
  const disk = new SimulatedDisk();
  // The disk must be what core asks for.
  const files: JournalFiles = disk.files;
  await files.makeDirectory(HOME);
  const file = await files.open(FILE, "create");
  if (content !== "") await file.write(Buffer.from(content), 0);
  await file.sync();
  await files.syncDirectory(HOME);
  return { disk, file };
}

function textOf(disk: SimulatedDisk, path = FILE): string {
  return disk.contents(path).toString("latin1");
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => (error as { code?: unknown }).code === code;
}

describe("without faults", () => {
  test("it is a file system: writes, holes, reads, truncation, sizes", async () => {
    const { file } = await diskWith("hello");
    await file.write(Buffer.from("world"), 10_000);
    assert.equal(await file.size(), 10_005);
    const target = Buffer.alloc(20_000, 1);
    assert.equal(await file.read(target, 3), 10_002);
    assert.equal(target.subarray(0, 2).toString(), "lo");
    assert.ok(target.subarray(2, 9_997).every((byte) => byte === 0));
    assert.equal(target.subarray(9_997, 10_002).toString(), "world");
    await file.truncate(4);
    await file.truncate(6);
    const left = Buffer.alloc(6, 1);
    assert.equal(await file.read(left, 0), 6);
    assert.equal(left.toString("latin1"), "hell\0\0");
    assert.equal(await file.read(left, 99), 0);
  });

  test("names come and go as on a real disk", async () => {
    const { disk } = await diskWith("x");
    const { files } = disk;
    await assert.rejects(files.open(FILE, "create"), hasCode("EEXIST"));
    await assert.rejects(files.open("/journal/b", "change"), hasCode("ENOENT"));
    await assert.rejects(files.open("/elsewhere/b", "create"), hasCode("ENOENT"));
    await assert.rejects(files.list("/elsewhere"), hasCode("ENOENT"));
    await files.open("/journal/b", "create");
    assert.deepEqual((await files.list(`${HOME}/`)).sort(), ["a", "b"]);
    await files.remove("/journal/b");
    await files.remove("/journal/b");
    assert.deepEqual(await files.list(HOME), ["a"]);
  });

  test("a file opened for reading is not written, and a closed one not used", async () => {
    const { disk } = await diskWith("x");
    const file = await disk.files.open(FILE, "read");
    await assert.rejects(file.write(Buffer.from("y"), 0), hasCode("EBADF"));
    await assert.rejects(file.truncate(0), hasCode("EBADF"));
    await file.close();
    await assert.rejects(file.read(Buffer.alloc(1), 0), hasCode("EBADF"));
    assert.equal(textOf(disk), "x");
  });

  test("a directory has one owner until it lets go, is killed, or the machine crashes", async () => {
    const { disk } = await diskWith();
    const lock = await disk.files.lock(HOME);
    await assert.rejects(
      disk.files.lock(HOME),
      (error: { code?: unknown }) => error.code === "LEAKDB_LOCKED",
    );
    lock.release();
    await disk.files.lock(HOME);
    disk.kill();
    await disk.files.lock(HOME);
    disk.crash();
    await disk.files.lock(HOME);
    lock.release();
    await assert.rejects(disk.files.lock(HOME), (error) => !isLeakDBError(error));
  });
});

describe("a crash", () => {
  test("loses what was not synced, and nothing else", async () => {
    const { disk, file } = await diskWith("safe");
    await file.write(Buffer.from("LOST"), 0);
    await file.write(Buffer.from("more"), 4);
    await file.truncate(2);
    disk.crash({ unsynced: "dropped" });
    assert.equal(textOf(disk), "safe");
  });

  test("keeps what was written, if the lot falls so", async () => {
    const { disk, file } = await diskWith("safe");
    await file.write(Buffer.from("more"), 4);
    disk.crash({ unsynced: "kept" });
    assert.equal(textOf(disk), "safemore");
    disk.crash({ unsynced: "dropped" });
    assert.equal(textOf(disk), "safemore");
  });

  test("keeps, drops, tears and reorders by the seed; the same seed does the same", async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 400; seed += 1) {
      const results: string[] = [];
      for (let run = 0; run < 2; run += 1) {
        const { disk, file } = await diskWith("safe");
        await file.write(Buffer.from("ab"), 4);
        await file.write(Buffer.from("cd"), 6);
        disk.crash({ seed });
        results.push(textOf(disk));
      }
      assert.equal(results[0], results[1], `seed ${seed}`);
      assert.match(results[0] ?? "", /^safe(\0|a)?(\0|b)?(\0|c)?(\0|d)?$/, `seed ${seed}`);
      seen.add(results[0] ?? "");
    }
    for (const expected of [
      "safe",
      "safeab",
      "safeabcd",
      "safe\0\0cd",
      "safea",
      "safe\0b",
      "safeabc",
      "safe\0\0",
    ])
      assert.ok(seen.has(expected), JSON.stringify(expected));
  });

  test("a torn write of many sectors leaves some of them", async () => {
    const shapes = new Set<string>();
    for (let seed = 0; seed < 300; seed += 1) {
      const { disk, file } = await diskWith();
      await file.write(Buffer.alloc(2048, "x"), 0);
      disk.crash({ seed });
      const bytes = Buffer.alloc(2048);
      disk.contents(FILE).copy(bytes);
      shapes.add([0, 512, 1024, 1536].map((start) => (bytes[start] === 0 ? "." : "x")).join(""));
    }
    const all = [...shapes].join(" ");
    assert.match(all, /x\.+x/);
    assert.match(all, /\.x+\./);
  });

  test("finds the bytes as they were written, whatever the writer did with its buffer before the sync", async () => {
    const { disk, file } = await diskWith();
    const buffer = Buffer.from("first");
    await file.write(buffer, 0);
    buffer.write("second");
    await file.write(buffer, 5);
    await file.sync();
    buffer.fill("x");
    assert.equal(textOf(disk), "firstsecon");
    disk.crash({ unsynced: "dropped" });
    assert.equal(textOf(disk), "firstsecon");
  });

  test("names that no directory sync has saved are kept or lost, each by its lot", async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 200; seed += 1) {
      const { disk } = await diskWith("old");
      const other = await disk.files.open("/journal/b", "create");
      await other.write(Buffer.from("new"), 0);
      await other.sync();
      await disk.files.remove(FILE);
      disk.crash({ seed });
      seen.add(disk.names(HOME).join());
      if (disk.names(HOME).includes("b")) assert.equal(textOf(disk, "/journal/b"), "new");
      if (disk.names(HOME).includes("a")) assert.equal(textOf(disk), "old");
    }
    assert.deepEqual([...seen].sort(), ["", "a", "a,b", "b"]);
  });

  test("names are safe after a directory sync, of that directory alone", async () => {
    const { disk } = await diskWith();
    await disk.files.makeDirectory("/other");
    await disk.files.open("/journal/b", "create");
    await disk.files.open("/other/c", "create");
    await disk.files.remove(FILE);
    await disk.files.syncDirectory(HOME);
    disk.crash({ unsynced: "dropped" });
    assert.deepEqual(disk.names(HOME), ["b"]);
    assert.deepEqual(disk.names("/other"), []);
  });

  test("ends the life it happens in: its files and handles reject, those under way included", async () => {
    const { disk, file } = await diskWith("safe");
    const { files } = disk;
    const underWay = file.write(Buffer.from("x"), 0);
    disk.crash({ unsynced: "dropped" });
    await assert.rejects(underWay, /life/);
    await assert.rejects(file.sync(), /life/);
    await assert.rejects(files.open(FILE, "read"), /life/);
    assert.equal(textOf(disk), "safe");
    await disk.files.open(FILE, "read");
  });

  test("may keep a write that was under way", async () => {
    const { disk, file } = await diskWith("safe");
    const underWay = file.write(Buffer.from("more"), 4);
    disk.crash({ unsynced: "kept" });
    await assert.rejects(underWay, /life/);
    assert.equal(textOf(disk), "safemore");
  });

  test("of the process alone loses nothing, and saves nothing", async () => {
    const { disk, file } = await diskWith("safe");
    await file.write(Buffer.from("more"), 4);
    disk.kill();
    assert.equal(textOf(disk), "safemore");
    disk.crash({ unsynced: "dropped" });
    assert.equal(textOf(disk), "safe");
  });
});

describe("a sync", () => {
  test("covers what was written before its call, not what came during it", async () => {
    const { disk, file } = await diskWith("safe");
    await file.write(Buffer.from("1"), 4);
    const sync = file.sync();
    const write = file.write(Buffer.from("2"), 5);
    await Promise.all([sync, write]);
    disk.crash({ unsynced: "dropped" });
    assert.equal(textOf(disk), "safe1");
  });

  test("that fails forgets: a later one that succeeds saves only what came after", async () => {
    const { disk, file } = await diskWith("safe");
    await file.write(Buffer.from("1"), 4);
    disk.fail({ operation: "sync" });
    await assert.rejects(file.sync(), hasCode("EIO"));
    await file.write(Buffer.from("2"), 5);
    await file.sync();
    assert.equal(textOf(disk), "safe12");
    disk.crash({ unsynced: "dropped" });
    assert.equal(textOf(disk), "safe\x002");
  });
});

describe("faults", () => {
  test("the n-th operation fails, as often as scripted, with its code", async () => {
    const { disk, file } = await diskWith();
    disk.fail({ operation: ["write", "truncate"], nth: 2, times: 2, code: "ENOSPC" });
    await file.write(Buffer.from("a"), 0);
    await assert.rejects(file.write(Buffer.from("b"), 1), hasCode("ENOSPC"));
    await file.sync();
    await assert.rejects(file.truncate(0), hasCode("ENOSPC"));
    await file.write(Buffer.from("c"), 1);
    assert.equal(textOf(disk), "ac");
    assert.equal(disk.faultsInjected, 2);
  });

  test("for ever means until healed, and a path names its files alone", async () => {
    const { disk, file } = await diskWith();
    const other = await disk.files.open("/journal/b", "create");
    disk.fail({ path: "/a", times: Infinity });
    for (let attempt = 0; attempt < 3; attempt += 1) await assert.rejects(file.sync(), hasCode("EIO"));
    await other.sync();
    disk.heal();
    await file.sync();
  });

  test("a failing write leaves the part that was scripted", async () => {
    const { disk, file } = await diskWith();
    disk.fail({ operation: "write", partBytes: 3 });
    await assert.rejects(file.write(Buffer.from("abcdef"), 0), hasCode("EIO"));
    assert.equal(textOf(disk), "abc");
  });

  test("an operation may take effect and say that it failed", async () => {
    const { disk } = await diskWith();
    disk.fail({ operation: "remove", isApplied: true });
    await assert.rejects(disk.files.remove(FILE), hasCode("EIO"));
    assert.deepEqual(disk.names(HOME), []);
  });

  test("a full disk takes what fits, overwrites, and works again with more room", async () => {
    const { disk, file } = await diskWith("12345");
    disk.capacityBytes = 8;
    await assert.rejects(file.write(Buffer.from("abcdef"), 4), hasCode("ENOSPC"));
    assert.equal(textOf(disk), "1234abcd");
    await file.write(Buffer.from("ABCD"), 0);
    const other = await disk.files.open("/journal/b", "create");
    await assert.rejects(other.write(Buffer.from("x"), 0), hasCode("ENOSPC"));
    await disk.files.remove(FILE);
    await other.write(Buffer.from("x"), 0);
  });

  test("damage is on the disk at once", async () => {
    const { disk } = await diskWith("abc");
    disk.damage(FILE, (bytes) => bytes.fill("?", 1, 2));
    disk.crash({ unsynced: "dropped" });
    assert.equal(textOf(disk), "a?c");
  });
});

describe("a test that watches", () => {
  test("operations wait for whatever it pauses them by", async () => {
    const clock = new ManualClock();
    const { disk, file } = await diskWith();
    disk.pause = ({ name }) =>
      name === "sync" ? new Promise((resolve) => clock.setTimeout(() => resolve(), 50)) : undefined;
    let isSynced = false;
    const sync = file.sync().then(() => {
      isSynced = true;
    });
    await clock.advance(49);
    assert.equal(isSynced, false);
    await clock.advance(1);
    assert.equal(isSynced, true);
    await sync;
  });

  test("the trace names each call, and counters count them", async () => {
    const { disk, file } = await diskWith("hello");
    const from = disk.count() + 1;
    await file.write(Buffer.from("x"), 5);
    await file.truncate(2);
    await file.close();
    assert.equal(disk.trace(from), "write a 1 at 5\ntruncate a 2\nclose a");
    assert.equal(disk.count("write"), 2);
    assert.equal(disk.operations.at(-1)?.number, disk.count());
  });

  test("an image of each operation can be crashed on its own, as often as wanted", async () => {
    const { disk, file } = await diskWith("0");
    const images: ReturnType<typeof disk.snapshot>[] = [];
    disk.onOperation = () => images.push(disk.snapshot());
    await file.write(Buffer.from("1"), 1);
    await file.sync();
    await file.write(Buffer.from("2"), 2);
    await disk.files.remove(FILE);
    await disk.files.syncDirectory(HOME);
    images.push(disk.snapshot());
    disk.onOperation = undefined;
    const after = (unsynced: "dropped" | "kept"): string[] =>
      images.map((image) => {
        disk.restore(image);
        disk.crash({ unsynced });
        return disk.names(HOME).length === 0 ? "-" : textOf(disk);
      });
    assert.deepEqual(after("dropped"), ["0", "0", "01", "01", "01", "-"]);
    assert.deepEqual(after("kept"), ["0", "01", "01", "012", "-", "-"]);
    assert.deepEqual(after("dropped"), ["0", "0", "01", "01", "01", "-"]);
  });

  test("the disk may crash at the very operation it is told of", async () => {
    const { disk, file } = await diskWith("0");
    disk.onOperation = ({ name }) => {
      if (name === "sync") disk.crash({ unsynced: "dropped" });
    };
    await file.write(Buffer.from("1"), 1);
    await assert.rejects(file.sync(), /life/);
    assert.equal(textOf(disk), "0");
  });
});
