/**
 * Hot keys: a million sets over a thousand keys, the event loop running after each thousand, all stored at the end;
 * against the same loop on memory alone.
 */

import { DefaultStorage } from "@leakdb/core";
import { BareSqlite } from "../contestants/bare-sqlite.js";
import { newFilename, openWriteBehind } from "../contestants/write-behind.js";
import { countText } from "../count-text.js";
import { type BenchValue, keysOf, valuesOf } from "../records.js";
import { type Row, ratioRow } from "../row.js";
import { type BenchSettings, type InChild, nextTurn, verify, type Workload } from "../workload.js";

interface Params {
  readonly sets: number;
  readonly rounds: number;
}

interface Result {
  readonly ours: number[];
  readonly memory: number[];
}

const KEYS = 1_000;
const SETS = 1_000_000;
const QUICK_SETS = 100_000;
const WARM_UP_ROUNDS = 1;

export const hotKeys: Workload<Params, Result> = {
  name: "hot-keys",
  title: "a million sets over a thousand keys, all stored",

  async run(settings: BenchSettings, inChild: InChild<Params, Result>): Promise<Row[]> {
    const sets = settings.isQuick ? QUICK_SETS : SETS;
    const { ours, memory } = await inChild({ sets, rounds: settings.repeats });
    return [
      ratioRow({
        workload: "hot keys",
        label: `${countText(sets)} sets over ${countText(KEYS)} keys`,
        unit: "ops/s",
        peer: "DefaultStorage",
        ours,
        theirs: memory,
        target: { atLeast: 0.5 },
      }),
    ];
  },

  async measure({ sets, rounds }: Params, directory: string): Promise<Result> {
    const keys = keysOf(KEYS);
    const ours: number[] = [];
    const memory: number[] = [];
    for (let round = 0; round < rounds + WARM_UP_ROUNDS; round += 1) {
      // A number of values that has no factor in common with the keys', so that each set changes its key's value.
      const values = valuesOf(KEYS + 7, round);
      const ourRate = await writeBehindRate(keys, values, sets, directory);
      const memoryRate = await defaultStorageRate(keys, values, sets);
      if (round < WARM_UP_ROUNDS) continue;
      ours.push(ourRate);
      memory.push(memoryRate);
    }
    return { ours, memory };
  },
};

async function writeBehindRate(
  keys: readonly string[],
  values: readonly BenchValue[],
  sets: number,
  directory: string,
): Promise<number> {
  const filename = newFilename(directory);
  const storage = await openWriteBehind(filename);
  const start = performance.now();
  for (let done = 0; done < sets; done += KEYS) {
    for (let key = 0; key < KEYS; key += 1) {
      storage.set(keys[key] as string, values[(done + key) % values.length] as BenchValue);
    }
    await nextTurn();
  }
  await storage.flush();
  const ms = performance.now() - start;
  await storage.close();
  const bare = new BareSqlite(filename);
  const found = bare.readAll();
  bare.close();
  for (const [index, key] of keys.entries()) {
    verify("hot key stored", found.get(key)?.id ?? Number.NaN, lastId(values, sets, index));
  }
  return (sets / ms) * 1_000;
}

async function defaultStorageRate(
  keys: readonly string[],
  values: readonly BenchValue[],
  sets: number,
): Promise<number> {
  const storage = new DefaultStorage<BenchValue>();
  const start = performance.now();
  for (let done = 0; done < sets; done += KEYS) {
    for (let key = 0; key < KEYS; key += 1) {
      storage.set(keys[key] as string, values[(done + key) % values.length] as BenchValue);
    }
    await nextTurn();
  }
  const ms = performance.now() - start;
  for (const [index, key] of keys.entries()) {
    verify("hot key", storage.get(key)?.id ?? Number.NaN, lastId(values, sets, index));
  }
  await storage.close();
  return (sets / ms) * 1_000;
}

function lastId(values: readonly BenchValue[], sets: number, key: number): number {
  return values[(sets - KEYS + key) % values.length]?.id ?? Number.NaN;
}
