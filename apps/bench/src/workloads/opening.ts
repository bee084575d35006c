/**
 * Opening a full store: `PersistentQueueStorage.open` over a SQLite file, against a bare scan that decodes each record
 * with the same codec into a `Map`. Each opening has a process of its own, as it has in life; the two take turns.
 */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { BareSqlite } from "../contestants/bare-sqlite.js";
import { openWriteBehind } from "../contestants/write-behind.js";
import { keysOf, valuesOf } from "../records.js";
import { type Row, ratioRow } from "../row.js";
import { type BenchSettings, type InChild, verify, type Workload } from "../workload.js";
import { countText } from "./memory-rows.js";

interface Params {
  readonly step: "make" | "ours" | "bare";
  readonly entries: number;
  /** The full store; made in the directory of the first step. */
  readonly filename: string;
}

interface Result {
  readonly ms: number;
  readonly filename: string;
}

/** Written by the hand-written loop, into the file that the adapter made. */
const BATCH = 50_000;

export const opening: Workload<Params, Result> = {
  name: "opening",
  title: "opening a full store",

  async run(settings: BenchSettings, inChild: InChild<Params, Result>): Promise<Row[]> {
    const entries = settings.entriesMax;
    const { filename } = await inChild({ step: "make", entries, filename: "" }, { keepsFiles: true });
    const ours: number[] = [];
    const theirs: number[] = [];
    // The first pair brings the file into the system's cache.
    for (let round = 0; round <= settings.repeatsCostly; round += 1) {
      const own = await inChild({ step: "ours", entries, filename });
      const bare = await inChild({ step: "bare", entries, filename });
      if (round === 0) continue;
      ours.push(own.ms);
      theirs.push(bare.ms);
    }
    for (const suffix of ["", "-wal", "-shm", "-lock"]) rmSync(filename + suffix, { force: true });
    return [
      ratioRow({
        workload: "opening",
        label: `${countText(entries)} entries`,
        unit: "ms",
        peer: "scan, decode, Map",
        ours,
        theirs,
        target: { atMost: 1.3 },
      }),
    ];
  },

  async measure({ step, entries, filename }: Params, directory: string): Promise<Result> {
    if (step === "make") return makeStore(join(directory, "full.db"), entries);
    return {
      ms: step === "ours" ? await openOurs(filename, entries) : openBare(filename, entries),
      filename,
    };
  },
};

async function makeStore(filename: string, entries: number): Promise<Result> {
  const storage = await openWriteBehind(filename);
  await storage.close();
  const bare = new BareSqlite(filename);
  const start = performance.now();
  bare.write(keysOf(entries), valuesOf(entries), BATCH);
  const ms = performance.now() - start;
  bare.close();
  return { ms, filename };
}

async function openOurs(filename: string, entries: number): Promise<number> {
  const start = performance.now();
  const storage = await openWriteBehind(filename);
  const ms = performance.now() - start;
  let sum = 0;
  for (const value of storage.values()) sum += value.id;
  verify("entries opened", storage.size, entries);
  verify("ids opened", sum, sumTo(entries));
  await storage.close();
  return ms;
}

function openBare(filename: string, entries: number): number {
  const start = performance.now();
  const bare = new BareSqlite(filename);
  const map = bare.readAll();
  const ms = performance.now() - start;
  let sum = 0;
  for (const value of map.values()) sum += value.id;
  verify("entries scanned", map.size, entries);
  verify("ids scanned", sum, sumTo(entries));
  bare.close();
  return ms;
}

function sumTo(count: number): number {
  return (count * (count - 1)) / 2;
}
