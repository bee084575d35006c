/**
 * Sustained `set` to stored: new records go in as fast as they can until the last one is in the database, against a
 * hand-written loop at its best batch size. Both encode with the same codec and write the same columns under the same
 * settings; files are new in each round, and opening and closing them is not timed.
 */

import { BareSqlite } from "../contestants/bare-sqlite.js";
import { newFilename, openWriteBehind } from "../contestants/write-behind.js";
import { type BenchValue, type KeyOrder, keysOf, valuesOf } from "../records.js";
import { type Row, ratioRow } from "../row.js";
import { type BenchSettings, type InChild, nextTurn, verify, type Workload } from "../workload.js";
import { countText } from "./memory-rows.js";

interface Params {
  readonly order: KeyOrder;
  readonly entries: number;
  readonly rounds: number;
}

interface Result {
  readonly ours: number[];
  readonly bare: number[];
  /** The bare loop's best batch size. */
  readonly batch: number;
}

const ENTRIES_MAX = 200_000;
const BARE_BATCHES = [1_000, 10_000, 50_000];
/** As a server would: some writes each turn of the event loop. */
const SETS_PER_TURN = 1_000;

export const sustained: Workload<Params, Result> = {
  name: "sustained",
  title: "sustained set until stored, SQLite",

  async run(settings: BenchSettings, inChild: InChild<Params, Result>): Promise<Row[]> {
    const entries = Math.min(settings.entriesMax, ENTRIES_MAX);
    const rows: Row[] = [];
    for (const order of ["sequential", "random"] as const) {
      const { ours, bare, batch } = await inChild({ order, entries, rounds: settings.repeatsCostly });
      rows.push(
        ratioRow({
          workload: "set to stored",
          label: `${order} keys, ${countText(entries)}`,
          unit: "ops/s",
          peer: `bare loop of ${countText(batch)}`,
          ours,
          theirs: bare,
          target: { atLeast: 0.9 },
        }),
      );
    }
    return rows;
  },

  async measure({ order, entries, rounds }: Params, directory: string): Promise<Result> {
    const keys = keysOf(entries, order);
    const batch = bestBatch(keys, directory);
    const ours: number[] = [];
    const bare: number[] = [];
    await ourRate(keys, valuesOf(entries), directory);
    for (let round = 1; round <= rounds; round += 1) {
      const values = valuesOf(entries, round * entries);
      ours.push(await ourRate(keys, values, directory));
      bare.push(bareRate(keys, values, batch, directory));
    }
    return { ours, bare, batch };
  },
};

/** Each is tried once, after a first try that warms up. */
function bestBatch(keys: readonly string[], directory: string): number {
  const values = valuesOf(keys.length);
  let best = 0;
  let bestRate = 0;
  for (const batch of [BARE_BATCHES[1] as number, ...BARE_BATCHES]) {
    const rate = bareRate(keys, values, batch, directory);
    if (rate > bestRate) [best, bestRate] = [batch, rate];
  }
  return best;
}

function bareRate(
  keys: readonly string[],
  values: readonly BenchValue[],
  batch: number,
  directory: string,
): number {
  const filename = newFilename(directory);
  const bare = new BareSqlite(filename);
  bare.makeSchema();
  const start = performance.now();
  bare.write(keys, values, batch);
  const ms = performance.now() - start;
  bare.close();
  verifyStored(filename, values);
  return (keys.length / ms) * 1_000;
}

async function ourRate(
  keys: readonly string[],
  values: readonly BenchValue[],
  directory: string,
): Promise<number> {
  const filename = newFilename(directory);
  const storage = await openWriteBehind(filename);
  const start = performance.now();
  for (let from = 0; from < keys.length; from += SETS_PER_TURN) {
    const to = Math.min(keys.length, from + SETS_PER_TURN);
    for (let index = from; index < to; index += 1)
      storage.set(keys[index] as string, values[index] as BenchValue);
    if (storage.needDrain) await storage.drained();
    else await nextTurn();
  }
  await storage.flush();
  const ms = performance.now() - start;
  await storage.close();
  verifyStored(filename, values);
  return (keys.length / ms) * 1_000;
}

function verifyStored(filename: string, values: readonly BenchValue[]): void {
  const bare = new BareSqlite(filename);
  const found = bare.readAll();
  bare.close();
  let sum = 0;
  for (const value of found.values()) sum += value.id;
  let expected = 0;
  for (const value of values) expected += value.id;
  verify("records stored", found.size, values.length);
  verify("ids stored", sum, expected);
}
