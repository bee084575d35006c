/**
 * Sustained `set` to stored: new records go in as fast as they can until the last one is in the database, against a
 * hand-written loop at its best batch size, for each backend. Both encode with the same codec and write the same columns
 * under the same settings; stores are new in each round, and opening and closing them is not timed.
 */

import { BACKENDS, type Backend, type BackendName } from "../contestants/backend.js";
import { newFilename } from "../contestants/write-behind.js";
import { countText } from "../count-text.js";
import { type BenchValue, type KeyOrder, keysOf, valuesOf } from "../records.js";
import { type Row, ratioRow } from "../row.js";
import { type BenchSettings, type InChild, nextTurn, verify, type Workload } from "../workload.js";

interface Params {
  readonly backend: BackendName;
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
  title: "sustained set until stored",

  async run(settings: BenchSettings, inChild: InChild<Params, Result>): Promise<Row[]> {
    const entries = Math.min(settings.entriesMax, ENTRIES_MAX);
    const rows: Row[] = [];
    for (const backend of Object.keys(BACKENDS) as BackendName[]) {
      for (const order of ["sequential", "random"] as const) {
        const rounds = settings.repeatsCostly;
        const { ours, bare, batch } = await inChild({ backend, order, entries, rounds });
        rows.push(
          ratioRow({
            workload: "set to stored",
            label: `${backend}, ${order} keys, ${countText(entries)}`,
            unit: "ops/s",
            peer: `bare loop of ${countText(batch)}`,
            ours,
            theirs: bare,
            target: { atLeast: 0.9 },
          }),
        );
      }
    }
    return rows;
  },

  async measure({ backend: name, order, entries, rounds }: Params, directory: string): Promise<Result> {
    const backend = await BACKENDS[name]();
    try {
      return await measurePairs(backend, order, entries, rounds, directory);
    } finally {
      await backend.stop();
    }
  },
};

async function measurePairs(
  backend: Backend,
  order: KeyOrder,
  entries: number,
  rounds: number,
  directory: string,
): Promise<Result> {
  const keys = keysOf(entries, order);
  const batch = await bestBatch(backend, keys, directory);
  const ours: number[] = [];
  const bare: number[] = [];
  await ourRate(backend, keys, valuesOf(entries), directory);
  for (let round = 1; round <= rounds; round += 1) {
    const values = valuesOf(entries, round * entries);
    ours.push(await ourRate(backend, keys, values, directory));
    bare.push(await bareRate(backend, keys, values, batch, directory));
  }
  return { ours, bare, batch };
}

/** Each is tried once, after a first try that warms up. */
async function bestBatch(backend: Backend, keys: readonly string[], directory: string): Promise<number> {
  const values = valuesOf(keys.length);
  let best = 0;
  let bestRate = 0;
  for (const batch of [BARE_BATCHES[1] as number, ...BARE_BATCHES]) {
    const rate = await bareRate(backend, keys, values, batch, directory);
    if (rate > bestRate) [best, bestRate] = [batch, rate];
  }
  return best;
}

async function bareRate(
  backend: Backend,
  keys: readonly string[],
  values: readonly BenchValue[],
  batch: number,
  directory: string,
): Promise<number> {
  const filename = newFilename(directory);
  const bare = backend.openBare(filename);
  bare.makeSchema();
  const start = performance.now();
  await bare.write(keys, values, batch);
  const ms = performance.now() - start;
  await bare.close();
  await verifyStored(backend, filename, values);
  await backend.clean();
  return (keys.length / ms) * 1_000;
}

async function ourRate(
  backend: Backend,
  keys: readonly string[],
  values: readonly BenchValue[],
  directory: string,
): Promise<number> {
  const filename = newFilename(directory);
  const storage = await backend.open(filename);
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
  await verifyStored(backend, filename, values);
  await backend.clean();
  return (keys.length / ms) * 1_000;
}

async function verifyStored(
  backend: Backend,
  filename: string,
  values: readonly BenchValue[],
): Promise<void> {
  const bare = backend.openBare(filename);
  const found = await bare.readAll();
  await bare.close();
  let sum = 0;
  for (const value of found.values()) sum += value.id;
  let expected = 0;
  for (const value of values) expected += value.id;
  verify("records stored", found.size, values.length);
  verify("ids stored", sum, expected);
}
