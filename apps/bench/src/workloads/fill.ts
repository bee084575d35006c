/**
 * `set` of new keys: an empty store is filled, several times over where it is small. Each round makes the store anew;
 * making, clearing and closing it are not timed.
 */

import type { Contestant } from "../contestants/contestant.js";
import { contestantsOf, SIDES, type Side, sizesOf, withKeyv } from "../contestants/index.js";
import { type BenchValue, keysOf, valuesOf } from "../records.js";
import type { Row } from "../row.js";
import { type BenchSettings, type InChild, nextTurn, verify, type Workload } from "../workload.js";
import { entriesLabel, peerRows, type Rates, roundsOf, setTarget } from "./memory-rows.js";

interface Params {
  readonly side: Side;
  readonly entries: number;
  readonly rounds: number;
  readonly hasKeyv: boolean;
  readonly isQuick: boolean;
}

const WARM_UP_ROUNDS = 1;
/** A sample has at least so many sets. */
const SETS = 100_000;
const QUICK_SETS = 20_000;
/** Between two turns of the event loop. */
const CHUNK = 10_000;

export const fill: Workload<Params, Rates[]> = {
  name: "fill",
  title: "set of new keys, from empty to full",

  async run(settings: BenchSettings, inChild: InChild<Params, Rates[]>): Promise<Row[]> {
    const rows: Row[] = [];
    for (const side of SIDES) {
      for (const entries of sizesOf(side, settings.entries)) {
        const rounds = roundsOf(settings, entries, side);
        const hasKeyv = withKeyv(side, entries, settings.isFull);
        const rates = await inChild({ side, entries, rounds, hasKeyv, isQuick: settings.isQuick });
        rows.push(...peerRows("set, new keys", entriesLabel(side, entries), rates, setTarget));
      }
    }
    return rows;
  },

  async measure({ side, entries, rounds, hasKeyv, isQuick }: Params, directory: string): Promise<Rates[]> {
    const keys = keysOf(entries);
    const values = valuesOf(entries);
    const makers = contestantsOf(side, hasKeyv);
    const result: Rates[] = [];
    for (let round = 0; round < rounds + WARM_UP_ROUNDS; round += 1) {
      for (const [index, make] of makers.entries()) {
        const contestant = await make({ entries, ttlEvery: side.ttlEvery, directory });
        result[index] ??= { name: contestant.name, rates: [] };
        const rate = await fillRound(contestant, keys, values, round, isQuick ? QUICK_SETS : SETS);
        await contestant.close();
        if (round >= WARM_UP_ROUNDS) result[index].rates.push(rate);
      }
    }
    return result;
  },
};

async function fillRound(
  contestant: Contestant,
  keys: readonly string[],
  values: readonly BenchValue[],
  round: number,
  setsLeast: number,
): Promise<number> {
  const count = Math.min(keys.length, contestant.operationsMax);
  const fills = Math.max(1, Math.round(Math.min(setsLeast, contestant.operationsMax) / count));
  let ms = 0;
  for (let fill = 0; fill < fills; fill += 1) {
    const shift = round + fill;
    for (let from = 0; from < count; from += CHUNK) {
      const start = performance.now();
      const outcome = contestant.write(keys, values, from, Math.min(count, from + CHUNK), shift);
      if (outcome !== undefined) await outcome;
      ms += performance.now() - start;
      await nextTurn();
    }
    let expected = 0;
    for (let index = 0; index < count; index += 1)
      expected += values[(index + shift) % values.length]?.id ?? 0;
    verify(`set of ${contestant.name}`, await contestant.read(keys, 0, count), expected);
    // Cancels what still waits, so that the next sample is not measured beside the rest of this one.
    await contestant.clear();
    await contestant.settle();
  }
  return ((fills * count) / ms) * 1_000;
}
