import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "vitest";
import type { Clock, TimerHandle } from "../clock.js";
import { nextTurn } from "../next-turn.js";
import { PUT } from "./entry.js";
import { FRAME_BYTES_MAX, type FrameBuilder } from "./frame.js";
import { GroupCommit, type GroupSource, type JournalSync } from "./group-commit.js";
import type { JournalFiles } from "./journal-files.js";
import { JournalLog } from "./journal-log.js";
import { nodeFiles } from "./node-files.js";

const IDENTITY = { kind: "backend", storeId: "store" } as const;

/** A clock whose only timer fires when the test says so. */
class OneTimer implements Clock {
  callback: (() => void) | undefined;
  delayMs = 0;

  now(): number {
    return 0;
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    assert.equal(this.callback, undefined, "one timer at a time");
    this.callback = callback;
    this.delayMs = delayMs;
    return callback;
  }

  clearTimeout(): void {
    this.callback = undefined;
  }

  fire(): void {
    const { callback } = this;
    this.callback = undefined;
    callback?.();
  }
}

/** Values that wait, one version each. */
class Values implements GroupSource {
  readonly waiting: number[] = [];
  lastVersion = 0;
  floor = 1;
  reachedCount = 0;
  /** Called when W may have risen. */
  onRisen: () => void = () => undefined;
  failure: Error | undefined;
  valueBytes = 4;
  /** Entries a call of `fill` adds at most: as if its slice were over then. */
  perSlice = Infinity;
  /** Called after each slice: others write meanwhile. */
  afterSlice: (sliceMs: number) => void = () => undefined;

  get hasWork(): boolean {
    return this.waiting.length > 0;
  }

  note(count = 1): number {
    for (let index = 0; index < count; index += 1) {
      this.lastVersion += 1;
      this.waiting.push(this.lastVersion);
    }
    return this.lastVersion;
  }

  fill(frame: FrameBuilder, sliceMs: number): boolean {
    for (let added = 0; this.waiting.length > 0; added += 1) {
      if (added >= this.perSlice || frame.bytes >= FRAME_BYTES_MAX) {
        this.afterSlice(sliceMs);
        return false;
      }
      const version = this.waiting.shift() as number;
      frame.add(PUT, `k${version}`, version, 0, new Uint8Array(this.valueBytes));
    }
    return true;
  }

  risen(): void {
    this.onRisen();
  }

  reached(): void {
    this.reachedCount += 1;
  }

  failed(error: Error): void {
    this.failure = error;
  }
}

let directory: string;
let clock: OneTimer;
let values: Values;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "leakdb-journal-"));
  clock = new OneTimer();
  values = new Values();
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function started(
  sync: JournalSync,
  files: JournalFiles = nodeFiles,
): Promise<[GroupCommit, JournalLog]> {
  const log = await JournalLog.open({ files, directory, onFault: (error) => assert.fail(error) });
  await log.recover(IDENTITY, () => undefined);
  await log.begin();
  return [new GroupCommit(log, values, { clock, sync, intervalMs: 250 }), log];
}

async function recovered(): Promise<number[]> {
  const log = await JournalLog.open({ files: nodeFiles, directory, onFault: (error) => assert.fail(error) });
  const found: number[] = [];
  await log.recover(IDENTITY, (_kind, _key, version) => found.push(version));
  await log.close(false);
  return found;
}

/** Turns pass until the condition holds; it must. */
async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn += 1) {
    assert.ok(turn < 100_000, "it never came true");
    await nextTurn();
  }
}

/** Files whose next sync of a file fails, once told so. */
function failingSync(): { files: JournalFiles; state: { isFailing: boolean } } {
  const state = { isFailing: false };
  const files: JournalFiles = {
    ...nodeFiles,
    async open(path, mode) {
      const file = await nodeFiles.open(path, mode);
      return {
        write: (bytes, position) => file.write(bytes, position),
        read: (target, position) => file.read(target, position),
        sync: () => (state.isFailing ? Promise.reject(new Error("EIO")) : file.sync()),
        truncate: (bytes) => file.truncate(bytes),
        size: () => file.size(),
        close: () => file.close(),
      };
    },
  };
  return { files, state };
}

describe("always", () => {
  test("what one turn wrote goes with one sync, and all who wait for it are let go", async () => {
    const [commit, log] = await started("always");
    const opened: number[] = [];
    const gates: Promise<unknown>[] = [];
    for (let index = 0; index < 500; index += 1) {
      const version = values.note();
      commit.wake();
      gates.push(commit.gate(version)?.then(() => opened.push(version)) as Promise<unknown>);
    }
    await Promise.all(gates);
    assert.equal(opened.length, 500);
    assert.equal(commit.syncs, 1);
    assert.equal(commit.groups, 1);
    assert.equal(commit.syncedUpTo, 500);
    assert.equal(commit.gate(500), undefined);
    await commit.settle();
    await log.close(false);
    assert.equal((await recovered()).length, 500);
  });

  test("what came during a sync goes with the next", async () => {
    const [commit, log] = await started("always");
    values.note();
    commit.wake();
    await until(() => commit.writtenUpTo === 1);
    values.note(10);
    commit.wake();
    await commit.settle();
    assert.equal(commit.syncs, 2);
    assert.equal(commit.syncedUpTo, 11);
    assert.ok(commit.isIdle);
    await log.close(false);
  });

  test("no gate opens before its version is synced", async () => {
    const { files, state } = failingSync();
    const [commit, log] = await started("always", files);
    const version = values.note();
    commit.wake();
    let isOpen = false;
    const gate = commit.gate(version)?.then(() => {
      isOpen = true;
      assert.ok(commit.syncedUpTo >= version);
    });
    await until(() => commit.writtenUpTo >= version);
    assert.equal(isOpen, commit.syncedUpTo >= version);
    await gate;
    assert.equal(state.isFailing, false);
    await log.close(false);
  });

  test("a group larger than a frame is several, and one group after recovery", async () => {
    const [commit, log] = await started("always");
    values.valueBytes = 1024 * 1024;
    values.note(10);
    commit.wake();
    await commit.settle();
    assert.equal(commit.groups, 1);
    assert.equal(commit.syncs, 1);
    assert.ok(commit.bytesWritten > 10 * 1024 * 1024);
    await log.close(false);
    assert.equal((await recovered()).length, 10);
  });

  test("endless writers do not keep a group from its end: its slices grow", async () => {
    const [commit, log] = await started("always");
    const slices: number[] = [];
    values.perSlice = 10;
    values.afterSlice = (sliceMs) => {
      slices.push(sliceMs);
      // They write as fast as a first slice takes it off, until slices have grown by half.
      values.perSlice = Math.floor((10 * sliceMs) / (slices[0] as number));
      values.note(15);
    };
    values.note(50);
    commit.wake();
    await until(() => commit.groups > 0);
    assert.ok(slices.length > 3);
    assert.deepEqual(
      slices,
      slices.toSorted((a, b) => a - b),
    );
    assert.ok((slices.at(-1) as number) > (slices[0] as number));
    values.afterSlice = () => undefined;
    await commit.settle();
    await log.close(false);
    assert.equal((await recovered()).length, values.lastVersion);
  });

  test("work that came to nothing counts as synced all the same", async () => {
    const [commit, log] = await started("always");
    const version = values.note();
    commit.wake();
    // What was noted is gone again before the turn ends, as a version that another has covered.
    values.fill = () => {
      values.waiting.length = 0;
      return true;
    };
    await commit.settle();
    assert.equal(commit.syncedUpTo, version);
    assert.equal(commit.syncs, 0);
    await log.close(false);
  });
});

describe("a sync that fails", () => {
  test("is told once, opens every gate, and nothing is written after it", async () => {
    const { files, state } = failingSync();
    const [commit, log] = await started("always", files);
    values.note();
    commit.wake();
    await commit.settle();
    state.isFailing = true;
    const version = values.note();
    commit.wake();
    const gate = commit.gate(version);
    await gate;
    assert.equal(values.failure?.message, "EIO");
    assert.equal(commit.hasFailed, true);
    assert.equal(commit.syncedUpTo, 1);
    assert.equal(commit.sendableUpTo, Infinity);
    state.isFailing = false;
    const { bytesWritten } = commit;
    values.note();
    commit.wake();
    await commit.settle();
    await nextTurn();
    assert.equal(commit.bytesWritten, bytesWritten);
    assert.equal(commit.syncedUpTo, 1);
    await log.close(false);
    assert.deepEqual(await recovered(), [1]);
  });
});

describe("interval", () => {
  test("groups are written at once and synced when the interval is over", async () => {
    const [commit, log] = await started("interval");
    values.note();
    commit.wake();
    await until(() => commit.writtenUpTo === 1 && commit.isIdle);
    assert.equal(commit.syncedUpTo, 0);
    assert.equal(commit.sendableUpTo, 0);
    assert.equal(clock.delayMs, 250);
    values.note();
    commit.wake();
    await until(() => commit.writtenUpTo === 2 && commit.isIdle);
    clock.fire();
    await until(() => commit.syncedUpTo === 2);
    assert.equal(commit.syncs, 1);
    await until(() => commit.isIdle);
    assert.equal(clock.callback, undefined, "nothing is left to sync, so no timer waits");
    await log.close(false);
  });

  test("somebody who waits does not wait for the interval", async () => {
    const [commit, log] = await started("interval");
    const version = values.note();
    commit.wake();
    await commit.gate(version);
    assert.equal(commit.syncedUpTo, version);
    await commit.settle();
    commit.stop();
    await log.close(false);
  });

  test("settling leaves nothing unsynced", async () => {
    const [commit, log] = await started("interval");
    values.note(3);
    commit.wake();
    await commit.settle();
    assert.equal(commit.syncedUpTo, 3);
    commit.stop();
    assert.equal(clock.callback, undefined);
    await log.close(false);
  });
});

describe("never", () => {
  test("what is written may be sent, and nothing is synced", async () => {
    const [commit, log] = await started("never");
    const version = values.note();
    commit.wake();
    await commit.gate(version);
    assert.equal(commit.sendableUpTo, version);
    await commit.settle();
    assert.equal(commit.syncs, 0);
    assert.equal(commit.syncedUpTo, 0);
    assert.equal(clock.callback, undefined);
    await log.close(false);
    assert.deepEqual(await recovered(), [1]);
  });
});

describe("rotation", () => {
  test("comes when it is asked for, between groups, and gives up what the source does not need", async () => {
    const [commit, log] = await started("always");
    values.note();
    commit.wake();
    await commit.settle();
    values.floor = 2;
    commit.rotateSoon();
    await until(() => log.segment === 2);
    await commit.settle();
    assert.equal(log.segmentCount, 1);
    values.note();
    commit.wake();
    await commit.settle();
    await log.close(false);
    assert.deepEqual(await recovered(), [2]);
  });

  test("comes when a segment is full", async () => {
    const [commit, log] = await started("always");
    values.valueBytes = 1024 * 1024;
    const risen: [number, number][] = [];
    values.onRisen = () => risen.push([commit.syncedUpTo, log.segment]);
    values.note(17);
    commit.wake();
    await commit.settle();
    assert.equal(log.segment, 2);
    // Whoever waits goes before the new segment is made.
    assert.deepEqual(risen[0], [17, 1]);
    assert.equal(commit.syncedUpTo, 17);
    await log.close(false);
    assert.equal((await recovered()).length, 17);
  });

  test("syncs first in the mode interval, so that nobody waits for what was left behind", async () => {
    const [commit, log] = await started("interval");
    const version = values.note();
    commit.wake();
    commit.rotateSoon();
    await until(() => commit.isIdle);
    assert.equal(log.segment, 2);
    assert.equal(commit.syncedUpTo, version);
    commit.stop();
    await log.close(false);
    assert.deepEqual(await recovered(), [1]);
  });
});
