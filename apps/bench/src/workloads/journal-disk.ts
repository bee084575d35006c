/**
 * Bytes written to the disk for a byte of what the user has set (keys and encoded values, each set counted): by a journal alone,
 * by one that is compacted while keys are set again and again, and by write-behind with a journal and without.
 * Counted by Linux for the whole process, from the first set until the storage has closed (`disk-bytes.ts`).
 */

import { msgpackCodec } from "@leakdb/core";
import {
  type AnyStorage,
  type JournalMode,
  openJournaled,
  type StorageName,
} from "../contestants/journaled.js";
import { countText } from "../count-text.js";
import { diskBytes } from "../disk-bytes.js";
import { keysOf, recordValue } from "../records.js";
import { type Row, ratioRow, valueRow } from "../row.js";
import { type BenchSettings, type InChild, nextTurn, verify, type Workload } from "../workload.js";

interface Params {
  readonly storage: StorageName;
  readonly mode: JournalMode;
  readonly keys: number;
  readonly passes: number;
  /** Sets that go together; without a backend each such group is awaited. */
  readonly together: number;
}

interface Result {
  /** For each byte that was set. */
  readonly written: number;
}

const KEYS = 100_000;
const FEW_KEYS = 2_000;
const OVERWRITES = 30;
const BACKEND_PASSES = 5;
const TOGETHER = 1_000;
const QUICK_DIVISOR = 10;

export const journalDisk: Workload<Params, Result> = {
  name: "journal-disk",
  title: "bytes on the disk for each byte set",
  isOptional: true,

  async run(settings: BenchSettings, inChild: InChild<Params, Result>): Promise<Row[]> {
    const keys = settings.isQuick ? KEYS / QUICK_DIVISOR : KEYS;
    const alone = { storage: "DefaultStorage", mode: "always", keys, passes: 1, together: TOGETHER } as const;
    const cases: readonly Params[] = [
      alone,
      { ...alone, keys: FEW_KEYS, together: 1 },
      { ...alone, passes: OVERWRITES },
    ];
    const rows: Row[] = [];
    for (const params of cases) {
      const ours: number[] = [];
      for (let round = 0; round < settings.repeatsCostly; round += 1)
        ours.push((await inChild(params)).written);
      rows.push(valueRow({ workload: "disk bytes", label: labelOf(params), unit: "bytes", ours }));
    }
    for (const storage of ["write-behind SQLite", "write-behind LMDB"] as const) {
      rows.push(await backendRow({ ...alone, storage, passes: BACKEND_PASSES }, settings, inChild));
    }
    return rows;
  },

  async measure(params: Params, directory: string): Promise<Result> {
    const { storage: name, mode, keys: count, passes } = params;
    const keys = keysOf(count);
    const storage = await openJournaled(name, mode, directory);
    const before = diskBytes();
    for (let pass = 0; pass < passes; pass += 1) await setAll(storage, keys, pass, params);
    await storage.close();
    const bytes = diskBytes() - before;
    const opened = await openJournaled(name, mode, directory);
    for (const [index, key] of keys.entries()) {
      verify("the last set of a key", opened.get(key)?.id ?? Number.NaN, idOf(index, passes - 1, count));
    }
    await opened.close();
    return { written: bytes / userBytes(keys, passes) };
  },
};

function labelOf({ storage, keys, passes, together }: Params): string {
  const sets = passes === 1 ? "" : `, ${countText(keys * passes)} sets`;
  return `${storage}, ${countText(keys)} keys${sets}, ${countText(together)} together`;
}

async function backendRow(
  params: Params,
  { repeatsCostly }: BenchSettings,
  inChild: InChild<Params, Result>,
): Promise<Row> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < repeatsCostly; round += 1) {
    ours.push((await inChild(params)).written);
    theirs.push((await inChild({ ...params, mode: "none" })).written);
  }
  const basis = {
    workload: "disk bytes",
    label: labelOf(params),
    unit: "bytes",
    peer: "no journal",
  } as const;
  return ratioRow({ ...basis, ours, theirs });
}

/** Every key once; with a backend all of it is stored before the next pass, which otherwise could replace what waits. */
async function setAll(
  storage: AnyStorage,
  keys: readonly string[],
  pass: number,
  { storage: name, together }: Params,
): Promise<void> {
  for (let from = 0; from < keys.length; from += together) {
    const to = Math.min(keys.length, from + together);
    let last = 0;
    for (let index = from; index < to; index += 1)
      last = storage.set(keys[index] as string, recordValue(idOf(index, pass, keys.length)));
    if (name === "DefaultStorage") await storage.persisted(last, "journaled");
    else await nextTurn();
  }
  await storage.flush();
}

function idOf(index: number, pass: number, keys: number): number {
  return pass * keys + index;
}

function userBytes(keys: readonly string[], passes: number): number {
  const codec = msgpackCodec();
  let bytes = 0;
  for (let pass = 0; pass < passes; pass += 1) {
    for (const [index, key] of keys.entries())
      bytes += key.length + codec.encode(recordValue(idOf(index, pass, keys.length))).length;
  }
  return bytes;
}
