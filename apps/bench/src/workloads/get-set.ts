/**
 * `get` of present keys and `set` of present keys, in a random order, at several sizes.
 *
 * All contestants of a side are filled in one process and take turns, round by round. The event loop runs between
 * chunks of sets, so that the queue is at work meanwhile; only the calls themselves are timed, for all alike.
 */

import type { Contestant } from "../contestants/contestant.js";
import { contestantsOf, SIDES, type Side, sizesOf, withKeyv } from "../contestants/index.js";
import { type BenchValue, keysOf, shuffled, valuesOf } from "../records.js";
import type { Row } from "../row.js";
import { type BenchSettings, type InChild, nextTurn, verify, type Workload } from "../workload.js";
import { entriesLabel, getTarget, peerRows, type Rates, roundsOf, setTarget } from "./memory-rows.js";

interface Params {
  readonly side: Side;
  readonly entries: number;
  readonly rounds: number;
  readonly hasKeyv: boolean;
  readonly isQuick: boolean;
}

interface Result {
  readonly gets: Rates[];
  readonly sets: Rates[];
}

const WARM_UP_ROUNDS = 2;
const GETS = 300_000;
const SETS = 100_000;
/** Between two turns of the event loop. */
const CHUNK = 10_000;
const QUICK_OPERATIONS = 20_000;

/** The keys in the order in which they are visited, and the value that each was filled with, beside it. */
interface Visits {
  readonly keys: readonly string[];
  readonly values: readonly BenchValue[];
}

export const getSet: Workload<Params, Result> = {
  name: "get-set",
  title: "get and set of present keys",

  async run(settings: BenchSettings, inChild: InChild<Params, Result>): Promise<Row[]> {
    const gets: Row[] = [];
    const sets: Row[] = [];
    for (const side of SIDES) {
      for (const entries of sizesOf(side, settings.entries)) {
        const params = {
          side,
          entries,
          rounds: roundsOf(settings, entries, side),
          hasKeyv: withKeyv(side, entries, settings.isFull),
          isQuick: settings.isQuick,
        };
        const result = await inChild(params);
        const label = entriesLabel(side, entries);
        gets.push(...peerRows("get", label, result.gets, (peer) => getTarget(peer, entries)));
        sets.push(...peerRows("set, present keys", label, result.sets, setTarget));
      }
    }
    return [...gets, ...sets];
  },

  async measure(params: Params, directory: string): Promise<Result> {
    const { side, entries } = params;
    const contestants: Contestant[] = [];
    for (const make of contestantsOf(side, params.hasKeyv)) {
      contestants.push(await make({ entries, ttlEvery: side.ttlEvery, directory }));
    }
    const keys = keysOf(entries);
    const values = valuesOf(entries);
    for (const contestant of contestants) await fill(contestant, keys, values);
    const gets = await rounds(
      contestants,
      params.rounds,
      visitsOf(keys, values, operations(GETS, params)),
      readRound,
    );
    const sets = await rounds(
      contestants,
      params.rounds,
      visitsOf(keys, values, operations(SETS, params)),
      writeRound,
    );
    for (const contestant of contestants) await contestant.close();
    return { gets, sets };
  },
};

function operations(count: number, { isQuick }: Params): number {
  return isQuick ? QUICK_OPERATIONS : count;
}

async function fill(
  contestant: Contestant,
  keys: readonly string[],
  values: readonly BenchValue[],
): Promise<void> {
  for (let from = 0; from < keys.length; from += CHUNK) {
    await contestant.write(keys, values, from, Math.min(keys.length, from + CHUNK), 0);
    await nextTurn();
  }
  await contestant.settle();
}

/** Every key once, in a random order, and all of them again until there are as many as a sample has operations. */
function visitsOf(keys: readonly string[], values: readonly BenchValue[], least: number): Visits {
  const order = shuffled(keys.map((_, index) => index));
  const length = Math.max(least, keys.length);
  const at = (index: number): number => order[index % order.length] as number;
  return {
    keys: Array.from({ length }, (_, index) => keys[at(index)] as string),
    values: Array.from({ length }, (_, index) => values[at(index)] as BenchValue),
  };
}

type Round = (
  contestant: Contestant,
  visits: Visits,
  from: number,
  to: number,
  round: number,
) => Promise<number>;

/** Rates of each contestant, who take turns. Each round visits the next stretch of the keys. */
async function rounds(
  contestants: readonly Contestant[],
  count: number,
  visits: Visits,
  measureRound: Round,
): Promise<Rates[]> {
  const result = contestants.map(({ name }) => ({ name, rates: [] as number[] }));
  const stretch = Math.min(visits.keys.length, measureRound === readRound ? GETS : SETS);
  for (let round = 0; round < count + WARM_UP_ROUNDS; round += 1) {
    const from = (round * stretch) % (visits.keys.length - stretch + 1);
    for (const [index, contestant] of contestants.entries()) {
      const length = Math.min(stretch, contestant.operationsMax);
      const ms = await measureRound(contestant, visits, from, from + length, round);
      if (round >= WARM_UP_ROUNDS) result[index]?.rates.push((length / ms) * 1_000);
    }
  }
  return result;
}

async function readRound(contestant: Contestant, visits: Visits, from: number, to: number): Promise<number> {
  const start = performance.now();
  const outcome = contestant.read(visits.keys, from, to);
  const sum = typeof outcome === "number" ? outcome : await outcome;
  const ms = performance.now() - start;
  verify(`get of ${contestant.name}`, sum, sumOfIds(visits.values, from, to, 0));
  return ms;
}

async function writeRound(
  contestant: Contestant,
  visits: Visits,
  from: number,
  to: number,
  round: number,
): Promise<number> {
  const shift = round + 1;
  let ms = 0;
  for (let chunk = from; chunk < to; chunk += CHUNK) {
    const start = performance.now();
    const outcome = contestant.write(visits.keys, visits.values, chunk, Math.min(to, chunk + CHUNK), shift);
    if (outcome !== undefined) await outcome;
    ms += performance.now() - start;
    await nextTurn();
  }
  // Where keys were visited more than once the last visit counts.
  const distinct = Math.min(to - from, new Set(visits.keys.slice(from, to)).size);
  const sum = await contestant.read(visits.keys, to - distinct, to);
  verify(`set of ${contestant.name}`, sum, sumOfIds(visits.values, to - distinct, to, shift));
  await contestant.settle();
  return ms;
}

function sumOfIds(values: readonly BenchValue[], from: number, to: number, shift: number): number {
  let sum = 0;
  for (let index = from; index < to; index += 1) sum += values[(index + shift) % values.length]?.id ?? 0;
  return sum;
}
