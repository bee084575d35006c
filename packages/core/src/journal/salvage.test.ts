import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, test } from "vitest";
import { DELETE, PUT } from "./entry.js";
import { FrameBuilder } from "./frame.js";
import { JournalLog } from "./journal-log.js";
import { nodeFiles } from "./node-files.js";
import { salvage } from "./salvage.js";
import { SEGMENT_HEADER_BYTES, segmentName } from "./segment-header.js";

const IDENTITY = { kind: "queue", storeId: "" } as const;

let home: string;
let directory: string;
let to: string;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "leakdb-salvage-"));
  directory = join(home, "journal");
  to = join(home, "copy");
  await written();
});

afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

function open(path: string): Promise<JournalLog> {
  return JournalLog.open({ files: nodeFiles, directory: path, onFault: (error) => assert.fail(error) });
}

async function append(log: JournalLog, version: number, isContinued = false): Promise<void> {
  const frame = new FrameBuilder();
  frame.add(PUT, `k${version}`, version, version * 1000, new Uint8Array(8).fill(version));
  frame.add(DELETE, `d${version}`, version);
  await log.append(frame, version, isContinued);
}

/** Three segments with the versions 1 to 4, 5 and 6, and 7 and 8; 2 and 3 are one group. */
async function written(): Promise<void> {
  const log = await open(directory);
  await log.recover(IDENTITY, () => undefined);
  await log.begin();
  for (let version = 1; version <= 8; version += 1) {
    await append(log, version, version === 2);
    if (version !== 2) await log.sync();
    if (version === 4 || version === 6) await log.rotate(true);
  }
  await log.close(false);
}

/** What opens there, and recovers, as the versions of its puts. */
async function versionsOf(
  path: string,
  identity: { kind: "queue" | "backend"; storeId: string } = IDENTITY,
): Promise<number[]> {
  const log = await open(path);
  const versions: number[] = [];
  try {
    await log.recover(identity, (kind, key, version, expiresAt, value) => {
      assert.equal(key, `${kind === PUT ? "k" : "d"}${version}`);
      assert.equal(expiresAt, kind === PUT ? version * 1000 : 0);
      assert.ok(value.every((byte) => byte === version));
      if (kind === PUT) versions.push(version);
    });
  } finally {
    await log.close(false);
  }
  return versions;
}

function images(): Record<string, string> {
  const names = readdirSync(directory).filter((name) => name.endsWith(".journal"));
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(directory, name), "hex")]));
}

function change(number: number, edit: (bytes: Buffer) => Uint8Array): void {
  const path = join(directory, segmentName(number));
  writeFileSync(path, edit(readFileSync(path)));
}

/** Where a frame of the first segment begins; all are of one size. */
function frameStart(index: number): number {
  const { length } = readFileSync(join(directory, segmentName(1)));
  return SEGMENT_HEADER_BYTES + ((length - SEGMENT_HEADER_BYTES) / 4) * index;
}

describe("salvage", () => {
  test("copies a sound journal whole, for the same storage", async () => {
    const before = images();
    const report = await salvage({ directory, to });
    assert.deepEqual(report.damaged, []);
    assert.deepEqual(report.missing, []);
    assert.equal(report.entries, 16);
    assert.equal(report.bytes, readFileSync(join(to, segmentName(1))).length);
    assert.deepEqual(images(), before);
    assert.deepEqual(await versionsOf(to), [1, 2, 3, 4, 5, 6, 7, 8]);
    await assert.rejects(versionsOf(to, { kind: "backend", storeId: "" }), { code: "LEAKDB_CORRUPTION" });
    await assert.rejects(versionsOf(to, { kind: "queue", storeId: "other" }), { code: "LEAKDB_CORRUPTION" });
  });

  test("takes relative paths, to a directory below some that do not exist", async () => {
    const deep = relative(process.cwd(), join(to, "not", "there", "yet"));
    const report = await salvage({ directory: relative(process.cwd(), directory), to: deep });
    assert.equal(report.entries, 16);
    assert.deepEqual(await versionsOf(deep), [1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("goes on behind damage, and says where it is", async () => {
    change(1, (bytes) => bytes.fill(0xff, frameStart(1) + 40, frameStart(1) + 44));
    const before = images();
    await assert.rejects(versionsOf(directory), { code: "LEAKDB_CORRUPTION" });
    const report = await salvage({ directory, to });
    const bytes = frameStart(1) - frameStart(0);
    assert.deepEqual(report.damaged, [{ file: segmentName(1), offset: frameStart(1), bytes }]);
    assert.equal(report.entries, 14);
    assert.deepEqual(images(), before);
    // The rest of a group whose first frame is lost comes on its own.
    assert.deepEqual(await versionsOf(to), [1, 3, 4, 5, 6, 7, 8]);
  });

  test("passes by a missing file", async () => {
    rmSync(join(directory, segmentName(2)));
    const before = images();
    const report = await salvage({ directory, to });
    assert.deepEqual(report.missing, [segmentName(2)]);
    assert.deepEqual(report.damaged, []);
    assert.deepEqual(images(), before);
    assert.deepEqual(await versionsOf(to), [1, 2, 3, 4, 7, 8]);
  });

  test("names the first file when that one is missing", async () => {
    rmSync(join(directory, segmentName(1)));
    assert.deepEqual((await salvage({ directory, to })).missing, [segmentName(1)]);
    assert.deepEqual(await versionsOf(to), [5, 6, 7, 8]);
  });

  test("reports a torn end, and leaves it where it is", async () => {
    change(3, (bytes) => bytes.subarray(0, bytes.length - 5));
    const before = images();
    const { damaged } = await salvage({ directory, to });
    assert.equal(damaged.length, 1);
    assert.equal(damaged[0]?.file, segmentName(3));
    assert.deepEqual(images(), before);
    assert.deepEqual(await versionsOf(to), [1, 2, 3, 4, 5, 6, 7]);
  });

  test("reports what a file has lost from its end, and leaves out what was put behind it", async () => {
    const end = frameStart(3);
    const lost = frameStart(1) - frameStart(0);
    change(1, (bytes) => bytes.subarray(0, end));
    change(2, (bytes) => Buffer.concat([bytes, Buffer.from("garbage")]));
    const { damaged } = await salvage({ directory, to });
    assert.deepEqual(damaged, [{ file: segmentName(1), offset: end, bytes: lost }]);
    assert.deepEqual(await versionsOf(to), [1, 2, 3, 5, 6, 7, 8]);
  });

  test("cannot read a file whose header is damaged, and reads the others", async () => {
    change(2, (bytes) => bytes.fill(0, 60, 64));
    const { length } = readFileSync(join(directory, segmentName(2)));
    const report = await salvage({ directory, to });
    assert.deepEqual(report.damaged, [{ file: segmentName(2), offset: 0, bytes: length }]);
    assert.deepEqual(await versionsOf(to), [1, 2, 3, 4, 7, 8]);
  });

  test("leaves out a file of another journal", async () => {
    const other = join(home, "other");
    const log = await open(other);
    await log.recover({ kind: "queue", storeId: "other" }, () => undefined);
    await log.begin();
    await append(log, 99);
    await log.close(false);
    writeFileSync(join(directory, segmentName(1)), readFileSync(join(other, segmentName(1))));
    const report = await salvage({ directory, to });
    assert.deepEqual(
      report.damaged.map(({ file }) => file),
      [segmentName(1)],
    );
    assert.deepEqual(await versionsOf(to), [5, 6, 7, 8]);
  });

  test("does not bring back what was given up", async () => {
    const first = readFileSync(join(directory, segmentName(1)));
    const log = await open(directory);
    await log.recover(IDENTITY, () => undefined);
    await log.begin();
    await log.rotate(true, 2);
    await log.close(false);
    writeFileSync(join(directory, segmentName(1)), first);
    const report = await salvage({ directory, to });
    assert.deepEqual(report.missing, []);
    assert.deepEqual(await versionsOf(to), [5, 6, 7, 8]);
  });

  test("passes by a file that was being made", async () => {
    writeFileSync(join(directory, segmentName(4)), "");
    const { damaged, missing } = await salvage({ directory, to });
    assert.deepEqual([damaged, missing], [[], []]);
  });

  test("at every byte that is flipped: never a wrong entry, and at most one frame lost", async () => {
    const path = join(directory, segmentName(1));
    const whole = readFileSync(path);
    for (let offset = SEGMENT_HEADER_BYTES; offset < whole.length; offset += 3) {
      change(1, () => Buffer.from(whole).fill((whole[offset] as number) ^ 0x10, offset, offset + 1));
      rmSync(to, { recursive: true, force: true });
      const { entries, damaged } = await salvage({ directory, to });
      assert.equal(damaged.length, 1, `byte ${offset}`);
      assert.equal(entries, 14, `byte ${offset}`);
      assert.equal((await versionsOf(to)).length, 7, `byte ${offset}`);
    }
  });
});

describe("salvage refuses", () => {
  test("a journal that is open", async () => {
    const log = await open(directory);
    await assert.rejects(salvage({ directory, to }), { code: "LEAKDB_LOCKED", name: "LeakDBError" });
    assert.equal(existsSync(to), false);
    await log.close(false);
    await salvage({ directory, to });
  });

  test("a directory for the copy that is not empty, and takes one that is", async () => {
    mkdirSync(to);
    writeFileSync(join(to, "notes.txt"), "mine");
    await assert.rejects(salvage({ directory, to }), { code: "LEAKDB_OPEN_FAILED", message: /not empty/ });
    assert.deepEqual(readdirSync(to), ["notes.txt"]);
    rmSync(join(to, "notes.txt"));
    await salvage({ directory, to });
    await assert.rejects(salvage({ directory, to }), { code: "LEAKDB_OPEN_FAILED", message: /not empty/ });
  });

  test("to copy a journal into itself, or around itself", async () => {
    for (const inside of [directory, `${directory}/`, join(directory, "copy"), home]) {
      await assert.rejects(salvage({ directory, to: inside }), RangeError);
    }
    await salvage({ directory, to: `${directory}..` });
  });

  test("where there is no journal, or no sound header in it", async () => {
    await assert.rejects(salvage({ directory: join(home, "nowhere"), to }), { code: "LEAKDB_OPEN_FAILED" });
    for (const number of [1, 2, 3]) change(number, (bytes) => bytes.fill(0, 0, 50));
    await assert.rejects(salvage({ directory, to }), { code: "LEAKDB_CORRUPTION", message: /sound header/ });
    for (const number of [1, 2, 3]) rmSync(join(directory, segmentName(number)));
    await assert.rejects(salvage({ directory, to }), { code: "LEAKDB_OPEN_FAILED", message: /no journal/ });
    assert.equal(existsSync(to), false);
  });

  test("to leave half a copy behind", async () => {
    const full = Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    let writes = 0;
    const files: typeof nodeFiles = {
      ...nodeFiles,
      async open(path, mode) {
        const file = await nodeFiles.open(path, mode);
        if (mode !== "create") return file;
        return {
          write(bytes, position) {
            writes += 1;
            return writes > 3 ? Promise.reject(full) : file.write(bytes, position);
          },
          read: (target, position) => file.read(target, position),
          sync: () => file.sync(),
          truncate: (bytes) => file.truncate(bytes),
          size: () => file.size(),
          close: () => file.close(),
        };
      },
    };
    await assert.rejects(salvage({ directory, to, files }), { code: "ENOSPC" });
    assert.deepEqual(
      readdirSync(to).filter((name) => name.endsWith(".journal")),
      [],
    );
    // What is left does not stand in the way.
    await salvage({ directory, to });
    assert.deepEqual(await versionsOf(to), [1, 2, 3, 4, 5, 6, 7, 8]);
  });
});
