import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "vitest";
import { PUT } from "./entry.js";
import { FrameBuilder } from "./frame.js";
import type { JournalFile, JournalFiles } from "./journal-files.js";
import { JournalLog } from "./journal-log.js";
import { nodeFiles } from "./node-files.js";
import { SEGMENT_HEADER_BYTES, segmentName, segmentNumber } from "./segment-header.js";

const IDENTITY = { kind: "backend", storeId: "store" } as const;

let directory: string;
let faults: Error[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "leakdb-journal-"));
  faults = [];
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** Real files, of which the operations that the test picks fail; a failing write leaves half of its bytes. */
function failing(fails: (operation: string, path: string) => boolean): JournalFiles {
  const check = (operation: string, path: string): void => {
    if (fails(operation, path)) throw Object.assign(new Error(`EIO, ${operation}`), { code: "EIO" });
  };
  const wrapped = (file: JournalFile, path: string): JournalFile => ({
    async write(bytes, position) {
      const isFailing = fails("write", path);
      await file.write(isFailing ? bytes.subarray(0, bytes.length >> 1) : bytes, position);
      if (isFailing) throw Object.assign(new Error("EIO, write"), { code: "EIO" });
    },
    read: (target, position) => file.read(target, position),
    async sync() {
      check("sync", path);
      await file.sync();
    },
    async truncate(bytes) {
      check("truncate", path);
      await file.truncate(bytes);
    },
    size: () => file.size(),
    async close() {
      await file.close();
      check("close", path);
    },
  });
  return {
    ...nodeFiles,
    async open(path, mode) {
      check(mode, path);
      return wrapped(await nodeFiles.open(path, mode), path);
    },
    async remove(path) {
      check("remove", path);
      await nodeFiles.remove(path);
    },
    async syncDirectory(path) {
      check("syncDirectory", path);
      await nodeFiles.syncDirectory(path);
    },
  };
}

async function begun(files: JournalFiles = nodeFiles): Promise<JournalLog> {
  const log = await JournalLog.open({ files, directory, onFault: (error) => faults.push(error) });
  await log.recover(IDENTITY, () => undefined);
  await log.begin();
  return log;
}

async function append(log: JournalLog, version: number, isContinued = false): Promise<void> {
  const frame = new FrameBuilder();
  frame.add(PUT, `k${version}`, version, 0, new Uint8Array(40));
  await log.append(frame, version, isContinued);
}

async function versions(): Promise<number[]> {
  const log = await JournalLog.open({ files: nodeFiles, directory, onFault: (error) => faults.push(error) });
  const found: number[] = [];
  await log.recover(IDENTITY, (_kind, _key, version) => found.push(version));
  await log.close(false);
  return found;
}

function segments(): number[] {
  return readdirSync(directory)
    .map(segmentNumber)
    .filter((number) => number !== undefined)
    .sort((a, b) => a - b);
}

describe("the log", () => {
  test("is owned by one", async () => {
    const log = await begun();
    await assert.rejects(begun(), { code: "LEAKDB_LOCKED" });
    await log.close(false);
    await (await begun()).close(false);
  });

  test("counts bytes and segments, and says which segment is needed", async () => {
    const log = await begun();
    assert.equal(log.bytes, SEGMENT_HEADER_BYTES);
    await append(log, 5);
    await append(log, 9);
    await log.rotate(true);
    assert.equal(log.segment, 2);
    assert.equal(log.segmentCount, 2);
    await append(log, 12);
    assert.equal(log.firstAfter(0), 1);
    assert.equal(log.firstAfter(8), 1);
    assert.equal(log.firstAfter(9), 2);
    assert.equal(log.firstAfter(99), 2);
    await log.close(false);
    const again = await begun();
    assert.equal(again.firstAfter(9), 2);
    assert.equal(again.firstAfter(12), 3);
    await again.close(false);
  });

  test("gives up what is below the floor, and never what it writes to", async () => {
    const log = await begun();
    for (const version of [1, 2, 3]) {
      await append(log, version);
      await log.rotate(true);
    }
    await log.rotate(true, 3);
    assert.deepEqual(segments(), [3, 4, 5]);
    await log.rotate(true, 2);
    assert.deepEqual(segments(), [3, 4, 5, 6]);
    await append(log, 4);
    await log.rotate(true, 999);
    assert.deepEqual(segments(), [7]);
    assert.equal(log.bytes, SEGMENT_HEADER_BYTES);
    await log.close(false);
    assert.deepEqual(await versions(), []);
  });

  test("is emptied at its closing when nothing of it is needed", async () => {
    const log = await begun();
    await append(log, 1);
    await log.close(true);
    assert.deepEqual(segments(), [2]);
    assert.deepEqual(await versions(), []);
    const again = await begun();
    await again.close(true);
    assert.deepEqual(await versions(), []);
  });

  test("tries a file that could not be removed again", async () => {
    let isFailing = true;
    const log = await begun(failing((operation) => operation === "remove" && isFailing));
    await append(log, 1);
    await log.rotate(true, 2);
    assert.equal(faults.length, 1);
    assert.deepEqual(segments(), [1, 2]);
    isFailing = false;
    await log.rotate(true, 3);
    assert.deepEqual(segments(), [3]);
    await log.close(false);
  });
});

describe("without syncs", () => {
  test("a new floor waits until what is left is on the disk", async () => {
    const synced: string[] = [];
    const fails = (operation: string, path: string): boolean => {
      if (operation === "sync") synced.push(path.slice(directory.length + 1));
      return false;
    };
    const log = await begun(failing(fails));
    for (const version of [1, 2, 3]) {
      await append(log, version);
      if (version < 3) await log.rotate(false);
    }
    synced.length = 0;
    await log.rotate(false, 2);
    assert.deepEqual(synced, [2, 3, 4].map(segmentName));
    await log.close(false);
    assert.deepEqual(await versions(), [2, 3]);
  });

  test("a sync that is asked for covers the segments that were left unsynced", async () => {
    const synced: string[] = [];
    const fails = (operation: string, path: string): boolean => {
      if (operation === "sync") synced.push(path.slice(directory.length + 1));
      return false;
    };
    const log = await begun(failing(fails));
    await append(log, 1);
    await log.rotate(false);
    await append(log, 2);
    synced.length = 0;
    await log.sync();
    await log.sync();
    assert.deepEqual(synced, [1, 2].map(segmentName));
    await log.close(false);
  });
});

describe("a failure", () => {
  test.each(["write", "sync"])(
    "of a %s stops it for good, and each later call has the first failure",
    async (operation) => {
      let isFailing = false;
      const log = await begun(failing((each) => each === operation && isFailing));
      await append(log, 1);
      await log.sync();
      isFailing = true;
      const thrown = await append(log, 2)
        .then(() => log.sync())
        .catch((error: unknown) => error);
      assert.ok(thrown instanceof Error);
      isFailing = false;
      assert.equal(log.failure, thrown);
      await assert.rejects(append(log, 3), (error) => error === thrown);
      await assert.rejects(log.sync(), (error) => error === thrown);
      await assert.rejects(log.rotate(true), (error) => error === thrown);
      await log.close(false);
      assert.deepEqual(await versions(), [1]);
    },
  );

  test("of a sync cuts off what it was to save, and nothing that an earlier one has", async () => {
    let isFailing = false;
    const log = await begun(failing((operation) => operation === "sync" && isFailing));
    await append(log, 1);
    await log.sync();
    await append(log, 2);
    isFailing = true;
    await assert.rejects(log.sync());
    await log.close(false);
    assert.deepEqual(await versions(), [1]);
  });

  test("of a write keeps what was written whole before it, though no sync has come yet", async () => {
    let isFailing = false;
    const log = await begun(failing((operation) => operation === "write" && isFailing));
    await append(log, 1);
    await append(log, 2);
    isFailing = true;
    await assert.rejects(append(log, 3));
    await log.close(false);
    assert.deepEqual(await versions(), [1, 2]);
  });

  test.each(["create", "write", "sync", "syncDirectory"])(
    "of a %s while a segment is begun leaves the journal as it was",
    async (operation) => {
      let isFailing = false;
      const second = segmentName(2);
      const fails = (each: string, path: string): boolean =>
        isFailing && each === operation && (path.endsWith(second) || path === directory);
      const log = await begun(failing(fails));
      await append(log, 1);
      await log.sync();
      await append(log, 2);
      isFailing = true;
      await assert.rejects(log.rotate(true));
      await log.close(false);
      assert.deepEqual(segments(), [1]);
      assert.deepEqual(await versions(), [1, 2]);
    },
  );

  test("does not keep the journal from being emptied, old files that could not be removed included", async () => {
    let failed: readonly string[] = ["remove"];
    const log = await begun(failing((operation) => failed.includes(operation)));
    await append(log, 1);
    await log.rotate(true, 2);
    await append(log, 2);
    assert.deepEqual(segments(), [1, 2]);
    failed = ["sync"];
    await assert.rejects(log.sync());
    failed = [];
    await log.close(true);
    // A segment that says so is one step; the files of the others one by one are many.
    assert.deepEqual(segments(), [3]);
    assert.deepEqual(await versions(), []);
  });

  test("lets the directory go, whatever else fails at the closing", async () => {
    let isFailing = false;
    const log = await begun(failing(() => isFailing));
    await append(log, 1);
    isFailing = true;
    await assert.rejects(log.sync());
    await assert.rejects(log.close(true));
    assert.deepEqual(await versions(), [1]);
  });
});

/** Appends, syncs, rotates, gives up and closes; notes the versions known to be synced, and those that may be gone. */
async function exercise(files: JournalFiles, known: { synced: number; givenUp: number }): Promise<void> {
  const log = await JournalLog.open({ files, directory, onFault: (error) => faults.push(error) });
  try {
    await log.recover(IDENTITY, () => undefined);
    await log.begin();
    for (let version = 1; version <= 6; version += 1) {
      await append(log, version);
      if (version === 3) continue;
      if (version === 4) known.givenUp = 2;
      if (version % 2 === 0) await log.rotate(true, version === 4 ? 2 : 1);
      else await log.sync();
      known.synced = version;
    }
  } finally {
    await log.close(false);
  }
}

describe("the next opening", () => {
  test("writes again what no sync is known to have saved, before it syncs, and nothing else", async () => {
    const log = await begun();
    await append(log, 1);
    await log.sync();
    const { bytes } = log;
    await append(log, 2);
    await append(log, 3);
    await log.close(false);
    const calls: string[] = [];
    const files = failing((operation, path) => {
      if (["write", "sync"].includes(operation))
        calls.push(`${operation} ${path.slice(directory.length + 1)}`);
      return false;
    });
    const again = await JournalLog.open({ files, directory, onFault: (error) => faults.push(error) });
    await again.recover(IDENTITY, () => undefined);
    assert.deepEqual(calls, [`write ${segmentName(1)}`, `sync ${segmentName(1)}`]);
    await again.close(false);
    assert.ok(bytes > SEGMENT_HEADER_BYTES);
    assert.deepEqual(await versions(), [1, 2, 3]);
  });

  test("does not remove a new file for an old one of its number", async () => {
    await (await begun()).close(false);
    // It was being made when a crash came.
    writeFileSync(join(directory, segmentName(2)), "");
    let isLying = true;
    const files: JournalFiles = {
      ...nodeFiles,
      async remove(path) {
        await nodeFiles.remove(path);
        if (isLying) throw new Error("EIO, though it is gone");
      },
    };
    const log = await begun(files);
    isLying = false;
    await append(log, 1);
    await log.rotate(true);
    assert.deepEqual(segments(), [1, 2, 3]);
    await log.close(false);
    assert.deepEqual(await versions(), [1]);
  });
});

describe("each operation failing in turn", () => {
  test.each(["once", "for ever"])("%s: what was synced is there, and nothing out of order", async (how) => {
    for (let nth = 1; ; nth += 1) {
      rmSync(directory, { recursive: true, force: true });
      let operations = 0;
      const files = failing(() => {
        operations += 1;
        return how === "once" ? operations === nth : operations >= nth;
      });
      const known = { synced: 0, givenUp: 0 };
      await exercise(files, known).catch((error: unknown) => faults.push(error as Error));
      const found = await versions();
      const last = found.at(-1) ?? 0;
      const first = found[0] ?? last + 1;
      assert.deepEqual(
        found,
        Array.from({ length: last - first + 1 }, (_, index) => first + index),
        `operation ${nth}`,
      );
      assert.ok(last >= known.synced, `operation ${nth}: ${found} of ${known.synced} synced`);
      assert.ok(first <= known.givenUp + 1 || found.length === 0, `operation ${nth}: ${found}`);
      if (operations < nth) break;
    }
  });
});
