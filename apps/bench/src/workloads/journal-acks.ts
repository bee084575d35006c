/**
 * Durable acknowledgements: so many writers at once, each of which writes a record, waits until it is on the disk, and
 * writes the next one; how many are acknowledged a second, and how long each waits.
 *
 * Every sample has a process and files of its own; contestants take turns. Afterwards each is opened anew, and has to hold
 * the value that was acknowledged last, of every key.
 */

import { closedLoop } from "../closed-loop.js";
import { ACK_CONTESTANTS, type AckContestantName } from "../contestants/acks/index.js";
import { keysOf, valuesOf } from "../records.js";
import type { Row } from "../row.js";
import { type BenchSettings, type InChild, verify, type Workload } from "../workload.js";
import { type AckCase, type AckSample, ackCases, ackRows } from "./ack-rows.js";

interface Params {
  readonly contestant: AckContestantName;
  readonly writers: number;
  readonly keys: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
}

/** A prime above all numbers of keys: a key gets another value each time. */
const VALUES = 100_003;
const WARM_UP_MS = 700;
const MEASURED_MS = 1_500;
const QUICK_MS = 200;

export const journalAcks: Workload<Params, AckSample> = {
  name: "journal-acks",
  title: "durable acknowledgements of closed-loop writers",
  isOptional: true,

  async run({ repeats, isQuick }: BenchSettings, inChild: InChild<Params, AckSample>): Promise<Row[]> {
    const rows: Row[] = [];
    const times = isQuick
      ? { warmUpMs: QUICK_MS, measuredMs: QUICK_MS }
      : { warmUpMs: WARM_UP_MS, measuredMs: MEASURED_MS };
    for (const load of ackCases(isQuick)) {
      const samples = await takeTurns(load, repeats, (contestant) =>
        inChild({ contestant, writers: load.writers, keys: load.keys, ...times }),
      );
      rows.push(...ackRows(load, samples));
    }
    return rows;
  },

  async measure({ contestant: name, writers, keys: count, ...times }, directory): Promise<AckSample> {
    const keys = keysOf(count);
    const values = valuesOf(VALUES);
    const contestant = await ACK_CONTESTANTS[name](directory);
    const { acknowledged, ...sample } = await closedLoop(contestant, { writers, keys, values, ...times });
    const found = await contestant.readBack();
    for (const [index, key] of keys.entries()) {
      const value = acknowledged[index] as number;
      verify(`${name}: the last value of a key`, found.get(key)?.id ?? -1, value);
    }
    return sample;
  },
};

async function takeTurns(
  { contestants }: AckCase,
  rounds: number,
  measure: (contestant: AckContestantName) => Promise<AckSample>,
): Promise<Partial<Record<AckContestantName, AckSample[]>>> {
  const samples: Partial<Record<AckContestantName, AckSample[]>> = {};
  for (let round = 0; round < rounds; round += 1) {
    for (const contestant of contestants) {
      const ofContestant = samples[contestant] ?? [];
      samples[contestant] = ofContestant;
      ofContestant.push(await measure(contestant));
    }
  }
  return samples;
}
