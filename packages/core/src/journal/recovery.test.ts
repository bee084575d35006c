import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "vitest";
import { DELETE, PUT } from "./entry.js";
import { FRAME_HEADER_BYTES, FrameBuilder } from "./frame.js";
import type { JournalFiles } from "./journal-files.js";
import { JournalLog } from "./journal-log.js";
import { nodeFiles } from "./node-files.js";
import type { RecoveryReport } from "./recovery-report.js";
import { SEGMENT_HEADER_BYTES, segmentName } from "./segment-header.js";

const IDENTITY = { kind: "backend", storeId: "store" } as const;
const FIRST = segmentName(1);
const SECOND = segmentName(2);
const THIRD = segmentName(3);

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "leakdb-journal-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function path(name: string): string {
  return join(directory, name);
}

function open(): Promise<JournalLog> {
  return JournalLog.open({ files: nodeFiles, directory, onFault: (error) => assert.fail(error) });
}

/** Opens, recovers and closes: what was in the journal, as `put key@version`. */
async function recovered(
  identity: { kind: "backend" | "queue" | "memory"; storeId: string } = IDENTITY,
): Promise<{
  entries: string[];
  report: RecoveryReport;
}> {
  const log = await open();
  const entries: string[] = [];
  try {
    const report = await log.recover(identity, (kind, key, version) => {
      entries.push(`${kind === PUT ? "put" : kind === DELETE ? "delete" : kind} ${key}@${version}`);
    });
    return { entries, report };
  } finally {
    await log.close(false);
  }
}

async function begun(): Promise<JournalLog> {
  const log = await open();
  await log.recover(IDENTITY, () => undefined);
  await log.begin();
  return log;
}

async function append(log: JournalLog, version: number, isContinued = false, bytes = 4): Promise<void> {
  const frame = new FrameBuilder();
  frame.add(PUT, `k${version}`, version, 0, new Uint8Array(bytes).fill(version));
  await log.append(frame, version, isContinued);
}

/** Leaves a journal of one segment with these versions, each a group of its own, each synced or none. */
async function written(versions: readonly number[], isSynced = true): Promise<void> {
  const log = await begun();
  for (const version of versions) {
    await append(log, version);
    if (isSynced) await log.sync();
  }
  await log.close(false);
}

function puts(...versions: number[]): string[] {
  return versions.map((version) => `put k${version}@${version}`);
}

function corrupt(file: string): (error: unknown) => boolean {
  return (error) => {
    const { code, message } = error as { code?: unknown; message: string };
    assert.equal(code, "LEAKDB_CORRUPTION", message);
    assert.ok(message.includes(path(file)), message);
    return true;
  };
}

function flip(name: string, offset: number): void {
  const bytes = readFileSync(path(name));
  bytes[offset] = (bytes[offset] as number) ^ 0x40;
  writeFileSync(path(name), bytes);
}

/** Where the frames of equal size begin. */
function frameStart(index: number, frames: number, name = FIRST): number {
  const size = readFileSync(path(name)).length - SEGMENT_HEADER_BYTES;
  return SEGMENT_HEADER_BYTES + (size / frames) * index;
}

function images(): Record<string, Buffer> {
  const names = readdirSync(directory).filter((name) => name.endsWith(".journal"));
  return Object.fromEntries(names.map((name) => [name, readFileSync(path(name))]));
}

describe("a sound journal", () => {
  test("gives back its entries in their order, over segments and lives", async () => {
    const log = await begun();
    await append(log, 1);
    await log.rotate(true);
    await append(log, 2);
    await append(log, 3);
    await log.sync();
    await log.close(false);
    await written([4, 5]);
    const { entries, report } = await recovered();
    assert.deepEqual(entries, puts(1, 2, 3, 4, 5));
    assert.equal(report.entries, 5);
    assert.equal(report.tornBytes, 0);
  });

  test("is empty at first, and changes nothing when it is only looked at", async () => {
    assert.deepEqual((await recovered()).entries, []);
    assert.deepEqual(images(), {});
    await written([1]);
    const before = images();
    assert.deepEqual((await recovered()).entries, puts(1));
    assert.deepEqual(images(), before);
  });

  test("of frames larger than what is read at once comes back whole, with progress", async () => {
    const log = await begun();
    for (const version of [1, 2, 3]) await append(log, version, false, 3_000_000);
    await log.sync();
    await log.close(false);
    const again = await open();
    const sizes: number[] = [];
    let isRising = true;
    let last = 0;
    await again.recover(
      IDENTITY,
      (_kind, _key, version, _expiresAt, value) => {
        assert.ok(value.every((byte) => byte === version));
        sizes.push(value.length);
      },
      ({ bytes, bytesTotal }) => {
        isRising &&= bytes > last && bytes <= bytesTotal;
        last = bytes;
      },
    );
    await again.close(false);
    assert.deepEqual(sizes, [3_000_000, 3_000_000, 3_000_000]);
    assert.ok(isRising && last > 0);
  });

  test("stops where the visitor throws, and lets the directory go", async () => {
    await written([1]);
    const log = await open();
    const thrown = new Error("no room");
    const visit = (): void => {
      throw thrown;
    };
    await assert.rejects(log.recover(IDENTITY, visit), thrown);
    await log.close(false);
    assert.deepEqual((await recovered()).entries, puts(1));
  });
});

describe("a torn tail", () => {
  test("at every byte: whole frames before it come back, the rest is cut off once", async () => {
    await written([1, 2, 3], false);
    const whole = readFileSync(path(FIRST));
    const ends = [0, 1, 2, 3].map((index) => frameStart(index, 3));
    for (let size = SEGMENT_HEADER_BYTES; size <= whole.length; size += 1) {
      writeFileSync(path(FIRST), whole.subarray(0, size));
      const expected = ends.filter((end) => end <= size).length - 1;
      const first = await recovered();
      assert.deepEqual(first.entries, puts(1, 2, 3).slice(0, expected), `cut at ${size}`);
      assert.equal(first.report.tornBytes, size - (ends[expected] as number), `cut at ${size}`);
      const second = await recovered();
      assert.deepEqual(second.entries, first.entries);
      assert.equal(second.report.tornBytes, 0);
    }
  });

  test("may be zeros, or garbage, and the journal goes on behind the cut", async () => {
    await written([1]);
    const whole = readFileSync(path(FIRST));
    for (const tail of [Buffer.alloc(5000), Buffer.alloc(5000, 0xa5), Buffer.from("LKJF".repeat(300))]) {
      rmSync(path(SECOND), { force: true });
      writeFileSync(path(FIRST), Buffer.concat([whole, tail]));
      await written([2]);
      const { entries, report } = await recovered();
      assert.deepEqual(entries, puts(1, 2));
      assert.equal(report.tornBytes, 0);
    }
  });

  test("takes frames behind it that were not synced either", async () => {
    await written([1, 2, 3], false);
    flip(FIRST, frameStart(1, 3) + FRAME_HEADER_BYTES + 2);
    assert.deepEqual((await recovered()).entries, puts(1));
    assert.deepEqual((await recovered()).entries, puts(1));
  });

  test("takes later segments with it, when nothing was synced before they began", async () => {
    const log = await begun();
    await append(log, 1);
    await append(log, 2);
    await log.rotate(false);
    await append(log, 3);
    await log.rotate(false);
    await append(log, 4);
    await log.close(false);
    truncateSync(path(FIRST), frameStart(1, 2) + 10);
    assert.deepEqual((await recovered()).entries, puts(1));
    assert.deepEqual(Object.keys(images()), [FIRST]);
    assert.deepEqual((await recovered()).entries, puts(1));
  });

  test("may be a whole frame that is missing before the next segment", async () => {
    const log = await begun();
    await append(log, 1);
    await append(log, 2);
    await log.rotate(false);
    await append(log, 3);
    await log.close(false);
    truncateSync(path(FIRST), frameStart(1, 2));
    assert.deepEqual((await recovered()).entries, puts(1));
  });
});

describe("damage", () => {
  test("behind the length at which a segment was left is none: it is no part of the journal", async () => {
    await written([1]);
    await written([2]);
    writeFileSync(path(FIRST), Buffer.concat([readFileSync(path(FIRST)), Buffer.from("garbage")]));
    const before = images();
    const { entries, report } = await recovered();
    assert.deepEqual(entries, puts(1, 2));
    assert.equal(report.tornBytes, 0);
    assert.deepEqual(images(), before);
  });

  test("at every byte of a small journal: never a wrong entry, never anything changed", async () => {
    await written([1, 2, 3]);
    const whole = readFileSync(path(FIRST));
    const all = puts(1, 2, 3);
    for (let offset = 0; offset < whole.length; offset += 1) {
      writeFileSync(path(FIRST), whole);
      flip(FIRST, offset);
      const before = images();
      let entries: string[] | undefined;
      try {
        entries = (await recovered()).entries;
      } catch (error) {
        corrupt(FIRST)(error);
        assert.deepEqual(images(), before);
      }
      // Behind the last frame nothing says that it was on the disk.
      if (offset < frameStart(2, 3)) assert.equal(entries, undefined, `byte ${offset}`);
      else if (entries !== undefined) assert.deepEqual(entries, all.slice(0, 2), `byte ${offset}`);
    }
  });

  test("before what a later frame knows to be synced", async () => {
    await written([1, 2, 3]);
    flip(FIRST, frameStart(0, 3) + FRAME_HEADER_BYTES);
    await assert.rejects(recovered(), corrupt(FIRST));
    await assert.rejects(recovered(), (error: Error) =>
      error.message.includes(`byte ${SEGMENT_HEADER_BYTES},`),
    );
  });

  test("in a segment that was synced when it was left, to its last byte", async () => {
    await written([1, 2]);
    await written([3]);
    const whole = readFileSync(path(FIRST));
    for (const size of [SEGMENT_HEADER_BYTES, frameStart(1, 2), whole.length - 1]) {
      writeFileSync(path(FIRST), whole.subarray(0, size));
      await assert.rejects(recovered(), corrupt(FIRST));
    }
    writeFileSync(path(FIRST), whole);
    flip(FIRST, whole.length - 1);
    await assert.rejects(recovered(), corrupt(FIRST));
  });

  test("in a segment that only a later opening has synced", async () => {
    const log = await begun();
    await append(log, 1);
    await log.rotate(false);
    await append(log, 2);
    await log.close(false);
    // This one finds all of it, and syncs it before it begins its own segment.
    await written([3]);
    flip(FIRST, readFileSync(path(FIRST)).length - 1);
    const before = images();
    await assert.rejects(recovered(), corrupt(FIRST));
    assert.deepEqual(images(), before);
  });

  test("is not hidden by a segment that was synced and stands behind one that was not", async () => {
    const log = await begun();
    await append(log, 1);
    await append(log, 2);
    await log.rotate(false);
    // Nothing in it: it is on the disk, and says nothing of the one before.
    await log.rotate(false);
    await append(log, 3);
    await log.close(false);
    truncateSync(path(FIRST), frameStart(1, 2));
    assert.deepEqual((await recovered()).entries, puts(1));
  });

  test("as a length of 2^31 and more allocates nothing", async () => {
    await written([1, 2]);
    const whole = readFileSync(path(FIRST));
    for (const length of [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
      const bytes = Buffer.from(whole);
      bytes.writeUInt32LE(length, SEGMENT_HEADER_BYTES + 8);
      writeFileSync(path(FIRST), bytes);
      await assert.rejects(recovered(), corrupt(FIRST));
    }
  });

  test("full of what looks like frames is passed in good time", async () => {
    await written([1]);
    const fake = Buffer.alloc(16 * 1024 * 1024);
    for (let start = 0; start + 36 < fake.length; start += 36) {
      fake.write("LKJF", start, "latin1");
      fake.writeUInt32LE(8 * 1024 * 1024, start + 8);
    }
    writeFileSync(path(FIRST), Buffer.concat([readFileSync(path(FIRST)), fake]));
    const { entries, report } = await recovered();
    assert.deepEqual(entries, puts(1));
    assert.equal(report.tornBytes, fake.length);
  });
});

describe("a recovery that is interrupted", () => {
  test("at each change it makes is done again, with the same result", async () => {
    const log = await begun();
    await append(log, 1);
    await append(log, 2);
    for (const version of [3, 4, 5]) {
      await log.rotate(false);
      await append(log, version);
    }
    await log.close(false);
    truncateSync(path(FIRST), frameStart(1, 2) + 10);
    const torn = images();
    for (let left = 0, isDone = false; !isDone; left += 1) {
      for (const [name, bytes] of Object.entries(torn)) writeFileSync(path(name), bytes);
      let changes = left;
      const change = (): void => {
        changes -= 1;
        if (changes < 0) throw new Error("interrupted");
      };
      const files: JournalFiles = {
        ...nodeFiles,
        async open(name, mode) {
          const file = await nodeFiles.open(name, mode);
          return {
            async write(bytes, position) {
              change();
              await file.write(bytes, position);
            },
            async truncate(bytes) {
              change();
              await file.truncate(bytes);
            },
            async sync() {
              change();
              await file.sync();
            },
            read: (target, position) => file.read(target, position),
            size: () => file.size(),
            close: () => file.close(),
          };
        },
        async remove(name) {
          change();
          await nodeFiles.remove(name);
        },
      };
      const interrupted = await JournalLog.open({ files, directory, onFault: (error) => assert.fail(error) });
      isDone = await interrupted
        .recover(IDENTITY, () => undefined)
        .then(
          () => true,
          () => false,
        );
      await interrupted.close(false);
      assert.deepEqual((await recovered()).entries, puts(1), `after ${left} changes`);
      await written([6]);
      assert.deepEqual((await recovered()).entries, puts(1, 6), `after ${left} changes`);
    }
  });
});

describe("a group of several frames", () => {
  test("comes back whole, or not at all", async () => {
    const log = await begun();
    await append(log, 1);
    await append(log, 2, true);
    await append(log, 3, true);
    await append(log, 4);
    await log.sync();
    await log.close(false);
    const whole = readFileSync(path(FIRST));
    const end = frameStart(1, 4);
    assert.deepEqual((await recovered()).entries, puts(1, 2, 3, 4));
    for (const size of [frameStart(2, 4), frameStart(3, 4), whole.length - 1]) {
      writeFileSync(path(FIRST), whole.subarray(0, size));
      const { entries, report } = await recovered();
      assert.deepEqual(entries, puts(1));
      assert.equal(report.tornBytes, size - end);
    }
  });

  test("may end with an empty frame", async () => {
    const log = await begun();
    await append(log, 1, true);
    await log.append(new FrameBuilder(), 1, false);
    await log.close(false);
    assert.deepEqual((await recovered()).entries, puts(1));
  });

  test("without its end before a segment that was begun after it is damage", async () => {
    await written([1]);
    const log = await begun();
    await append(log, 2, true);
    await log.sync();
    await log.rotate(true);
    await log.close(false);
    await assert.rejects(recovered(), corrupt(SECOND));
  });
});

describe("segments", () => {
  test("below the floor are ignored, whichever of them are there, and removed", async () => {
    const log = await begun();
    for (const version of [1, 2, 3]) {
      await append(log, version);
      await log.rotate(true);
    }
    await append(log, 4);
    await log.sync();
    const before = images();
    await log.rotate(true, 4);
    await log.close(false);
    assert.deepEqual(Object.keys(images()), [segmentName(4), segmentName(5)]);
    for (let mask = 0; mask < 8; mask += 1) {
      for (const [index, name] of [FIRST, SECOND, THIRD].entries()) {
        if ((mask >> index) % 2 === 1) writeFileSync(path(name), before[name] as Buffer);
        else rmSync(path(name), { force: true });
      }
      // What they hold does not matter any more.
      if (mask === 7) flip(SECOND, 20);
      const { entries } = await recovered();
      assert.deepEqual(entries, puts(4), `mask ${mask}`);
    }
    await (await begun()).close(false);
    assert.deepEqual(Object.keys(images()), [4, 5, 6].map(segmentName));
  });

  test("that are missing are named", async () => {
    await written([1]);
    await written([2]);
    await written([3]);
    const whole = images();
    for (const name of [FIRST, SECOND]) {
      rmSync(path(name));
      const before = images();
      await assert.rejects(recovered(), corrupt(name));
      assert.deepEqual(images(), before);
      writeFileSync(path(name), whole[name] as Buffer);
    }
  });

  test("of which the last has no header yet were being made: they count for nothing", async () => {
    await written([1]);
    for (const size of [0, 1, 50, SEGMENT_HEADER_BYTES]) {
      writeFileSync(path(SECOND), Buffer.alloc(size));
      assert.deepEqual((await recovered()).entries, puts(1));
    }
    await written([2]);
    assert.deepEqual((await recovered()).entries, puts(1, 2));
  });

  test("without a header that are longer, or not the last, are damaged", async () => {
    await written([1]);
    await written([2]);
    flip(FIRST, 30);
    await assert.rejects(recovered(), corrupt(FIRST));
    flip(FIRST, 30);
    flip(SECOND, 30);
    await assert.rejects(recovered(), corrupt(SECOND));
    writeFileSync(path(SECOND), Buffer.alloc(SEGMENT_HEADER_BYTES + 1));
    await assert.rejects(recovered(), corrupt(SECOND));
  });

  test("that bear another's number are damaged", async () => {
    await written([1]);
    writeFileSync(path(SECOND), readFileSync(path(FIRST)));
    await assert.rejects(recovered(), corrupt(SECOND));
  });

  test("beside files of others, which nobody looks at", async () => {
    await written([1]);
    for (const name of ["notes.txt", "1.journal", "00000001.journal.bak", "x00000001.journal"])
      writeFileSync(path(name), "not ours");
    assert.deepEqual((await recovered()).entries, puts(1));
  });

  test("of another kind of storage or another backend are refused, and left as they are", async () => {
    await written([1]);
    const before = images();
    await assert.rejects(recovered({ kind: "queue", storeId: "store" }), {
      code: "LEAKDB_CORRUPTION",
      message: /PersistentQueueStorage, not of a QueueStorage/,
    });
    await assert.rejects(recovered({ kind: "backend", storeId: "other" }), {
      code: "LEAKDB_CORRUPTION",
      message: /another backend/,
    });
    assert.deepEqual(images(), before);
  });
});
