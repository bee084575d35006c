/**
 * What a journal adds to `set`: loops that yield every thousand sets, of new and of present keys, with a journal in each of
 * its modes and without one. Wall time is that of the loop with its turns, up to its last; processor time is that of the whole
 * process, its threads included, until everything is flushed: what is put off is paid for.
 *
 * Every sample has a process and files of its own; the modes take turns.
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  type AnyStorage,
  type JournalMode,
  openJournaled,
  type StorageName,
} from "../contestants/journaled.js";
import { countText } from "../count-text.js";
import { type BenchValue, keysOf, valuesOf } from "../records.js";
import { type Row, ratioRow } from "../row.js";
import {
  type BenchSettings,
  collectGarbage,
  type InChild,
  nextTurn,
  verify,
  type Workload,
} from "../workload.js";

interface Params {
  readonly storage: StorageName;
  readonly mode: JournalMode;
  readonly keys: number;
}

/** Of one set, in microseconds. */
interface Cost {
  readonly wall: number;
  readonly processor: number;
}

interface Result {
  readonly newKeys: Cost;
  readonly presentKeys: Cost;
}

const STORAGES: readonly StorageName[] = ["DefaultStorage", "write-behind SQLite"];
const MODES: readonly JournalMode[] = ["none", "always", "interval", "never"];
const KEYS = 100_000;
const QUICK_KEYS = 10_000;
const PRESENT_PASSES = 3;
const SETS_PER_TURN = 1_000;
const WARM_UP_ROUNDS = 1;

export const journalSet: Workload<Params, Result> = {
  name: "journal-set",
  title: "set with a journal and without",
  isOptional: true,

  async run({ repeats, isQuick }: BenchSettings, inChild: InChild<Params, Result>): Promise<Row[]> {
    const keys = isQuick ? QUICK_KEYS : KEYS;
    const rows: Row[] = [];
    for (const storage of STORAGES) {
      const results = new Map<JournalMode, Result[]>(MODES.map((mode) => [mode, []]));
      for (let round = 0; round < repeats; round += 1) {
        for (const mode of MODES) results.get(mode)?.push(await inChild({ storage, mode, keys }));
      }
      const [bare = [], ...journaled] = MODES.map((mode) => results.get(mode) ?? []);
      for (const [index, ours] of journaled.entries()) {
        rows.push(...modeRows(`${storage}, ${MODES[index + 1]}, ${countText(keys)}`, ours, bare));
      }
    }
    return rows;
  },

  async measure({ storage: name, mode, keys: count }: Params, directory: string): Promise<Result> {
    const keys = keysOf(count);
    let result: Result | undefined;
    for (let round = 0; round <= WARM_UP_ROUNDS; round += 1) {
      const place = join(directory, String(round));
      mkdirSync(place);
      const storage = await openJournaled(name, mode, place);
      // A number of values that has no factor in common with the keys', so that each set changes its key's value.
      const values = valuesOf(count + 7, round);
      const newKeys = await costOf(storage, keys, values, 0, 1);
      const presentKeys = await costOf(storage, keys, values, 1, PRESENT_PASSES);
      result = { newKeys, presentKeys };
      verifyLast(storage, keys, values);
      await storage.close();
      if (name === "DefaultStorage" && mode === "none") continue;
      const opened = await openJournaled(name, mode, place);
      verifyLast(opened, keys, values);
      await opened.close();
    }
    return result as Result;
  },
};

function modeRows(label: string, ours: readonly Result[], bare: readonly Result[]): Row[] {
  const row = (what: string, of: (result: Result) => number): Row =>
    ratioRow({
      workload: what,
      label,
      unit: "µs",
      peer: "no journal",
      ours: ours.map(of),
      theirs: bare.map(of),
    });
  return [
    row("set, new keys, wall", ({ newKeys }) => newKeys.wall),
    row("set, new keys, processor", ({ newKeys }) => newKeys.processor),
    row("set, present keys, wall", ({ presentKeys }) => presentKeys.wall),
    row("set, present keys, processor", ({ presentKeys }) => presentKeys.processor),
  ];
}

async function costOf(
  storage: AnyStorage,
  keys: readonly string[],
  values: readonly BenchValue[],
  firstPass: number,
  passes: number,
): Promise<Cost> {
  collectGarbage();
  const processor = process.cpuUsage();
  const start = performance.now();
  for (let pass = firstPass; pass < firstPass + passes; pass += 1) {
    for (let from = 0; from < keys.length; from += SETS_PER_TURN) {
      const to = Math.min(keys.length, from + SETS_PER_TURN);
      for (let index = from; index < to; index += 1)
        storage.set(keys[index] as string, values[(index + pass) % values.length] as BenchValue);
      if (storage.needDrain) await storage.drained();
      else await nextTurn();
    }
  }
  const wallMs = performance.now() - start;
  await storage.flush();
  const { user, system } = process.cpuUsage(processor);
  const sets = passes * keys.length;
  return { wall: (wallMs * 1_000) / sets, processor: (user + system) / sets };
}

function verifyLast(storage: AnyStorage, keys: readonly string[], values: readonly BenchValue[]): void {
  for (const [index, key] of keys.entries()) {
    const last = values[(index + PRESENT_PASSES) % values.length]?.id ?? Number.NaN;
    verify("the last set of a key", storage.get(key)?.id ?? Number.NaN, last);
  }
}
