/**
 * Opening a `DefaultStorage`, whose all is in its journal, against a read of a plain file with as many records from beginning
 * to end, which decodes each into a `Map`. Each has a process of its own; the two take turns.
 *
 * Two journals: one entry for each of many keys; and entries of few keys, as many as a journal holds before it is compacted.
 */

import { appendFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type AnyStorage, openJournaled } from "../contestants/journaled.js";
import { RecordBuffer, readRecords } from "../contestants/record-file.js";
import { countText } from "../count-text.js";
import { type BenchValue, keysOf, recordValue } from "../records.js";
import { type Row, ratioRow } from "../row.js";
import { type BenchSettings, type InChild, verify, type Workload } from "../workload.js";

interface Params {
  readonly step: "make" | "ours" | "bare";
  readonly sets: number;
  readonly keys: number;
  /** Of what was made; the first step makes its own. */
  readonly path: string;
}

interface Result {
  readonly ms: number;
  readonly path: string;
  /** In the journal. */
  readonly entries: number;
}

const SETS = 1_000_000;
const QUICK_SETS = 50_000;
/** The next compaction is due at 64 MiB of entries that are no longer needed: this many are just below that. */
const SETS_OF_FEW_KEYS = 500_000;
const FEW_KEYS = 1_000;
const SETS_PER_GROUP = 1_000;
const SETTLED_MS = 300;

export const journalRecovery: Workload<Params, Result> = {
  name: "journal-recovery",
  title: "opening a journal",
  isOptional: true,

  async run({ repeats, isQuick }: BenchSettings, inChild: InChild<Params, Result>): Promise<Row[]> {
    const many = isQuick ? QUICK_SETS : SETS;
    const few = isQuick ? QUICK_SETS : SETS_OF_FEW_KEYS;
    return [await pairs(many, many, repeats, inChild), await pairs(few, FEW_KEYS, repeats, inChild)];
  },

  async measure({ step, sets, keys, path }: Params, directory: string): Promise<Result> {
    if (step === "make") return make(sets, keys, directory);
    return step === "ours" ? openOurs(sets, keys, path) : readBare(sets, keys, path);
  },
};

async function pairs(
  sets: number,
  keys: number,
  rounds: number,
  inChild: InChild<Params, Result>,
): Promise<Row> {
  const { path, entries } = await inChild({ step: "make", sets, keys, path: "" }, { keepsFiles: true });
  const ours: number[] = [];
  const theirs: number[] = [];
  try {
    // The first pair brings the files into the system's cache.
    for (let round = 0; round <= rounds; round += 1) {
      const own = await inChild({ step: "ours", sets, keys, path });
      const bare = await inChild({ step: "bare", sets, keys, path });
      if (round === 0) continue;
      ours.push(own.ms);
      theirs.push(bare.ms);
    }
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
  return ratioRow({
    workload: "journal opening",
    label: `${countText(entries)} entries of ${countText(keys)} keys`,
    unit: "ms",
    peer: "read, decode, Map",
    ours,
    theirs,
    target: { atMost: 1.3 },
  });
}

async function make(sets: number, keyCount: number, directory: string): Promise<Result> {
  const start = performance.now();
  const keys = keysOf(keyCount);
  const storage = await openJournaled("DefaultStorage", "always", directory);
  let last = 0;
  for (let set = 0; set < sets; set += 1) {
    last = storage.set(keys[set % keyCount] as string, recordValue(set));
    if ((set + 1) % SETS_PER_GROUP === 0) await storage.persisted(last, "journaled");
  }
  await storage.flush();
  await compacted(storage);
  await storage.close();
  const opened = await openJournaled("DefaultStorage", "always", directory);
  const entries = opened.stats().journal?.recovery.entries ?? 0;
  await opened.close();
  writeBare(directory, keys, sets, entries);
  return { ms: performance.now() - start, path: directory, entries };
}

/** A compaction goes on by itself until it has ended. */
async function compacted(storage: AnyStorage): Promise<void> {
  for (let known = -1; ; ) {
    const groups = storage.stats().journal?.groups ?? 0;
    if (groups === known) return;
    known = groups;
    await pause(SETTLED_MS);
  }
}

/** As many records as the journal has entries, the last one of each key with the value it has there. */
function writeBare(directory: string, keys: readonly string[], sets: number, entries: number): void {
  const path = barePath(directory);
  const buffer = new RecordBuffer();
  for (let record = sets - entries; record < sets; record += 1) {
    // A compaction that was under way leaves more entries than there were sets: some come twice.
    const set = record < 0 ? record + sets : record;
    buffer.add(keys[set % keys.length] as string, recordValue(set));
    if ((record + 1) % SETS_PER_GROUP !== 0 && record + 1 < sets) continue;
    appendFileSync(path, buffer.records);
    buffer.reset();
  }
}

async function openOurs(sets: number, keys: number, path: string): Promise<Result> {
  const start = performance.now();
  const storage = await openJournaled("DefaultStorage", "always", path);
  const ms = performance.now() - start;
  verifyAll(storage.size, storage.values(), sets, keys);
  const entries = storage.stats().journal?.recovery.entries ?? 0;
  await storage.close();
  return { ms, path, entries };
}

async function readBare(sets: number, keys: number, path: string): Promise<Result> {
  const start = performance.now();
  const map = readRecords(barePath(path));
  const ms = performance.now() - start;
  verifyAll(map.size, map.values(), sets, keys);
  return { ms, path, entries: 0 };
}

function verifyAll(size: number, values: Iterable<BenchValue>, sets: number, keys: number): void {
  let sum = 0;
  for (const { id } of values) sum += id;
  verify("keys", size, keys);
  // The last set of each key: the last `keys` of all sets.
  verify("ids", sum, keys * (sets - keys) + (keys * (keys - 1)) / 2);
}

function barePath(directory: string): string {
  return join(directory, "bare-records");
}
