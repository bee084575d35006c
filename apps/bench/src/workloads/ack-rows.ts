/** The rows of `journal-acks`: which contestants meet where, and what is compared with what. Pure. */

import type { AckContestantName } from "../contestants/acks/index.js";
import { countText } from "../count-text.js";
import { type Row, ratioRow, type Target } from "../row.js";

/** Contestants that take turns at one load. */
export interface AckCase {
  readonly writers: number;
  readonly keys: number;
  readonly contestants: readonly AckContestantName[];
}

/** What one process measured. */
export interface AckSample {
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

export type AckSamples = Partial<Record<AckContestantName, readonly AckSample[]>>;

const OURS: readonly AckContestantName[] = ["DefaultStorage", "write-behind SQLite", "write-behind LMDB"];
const BARE: AckContestantName = "bare append";
const LMDB: AckContestantName = "lmdb";
const LMDB_FLUSHED: AckContestantName = "lmdb, put().flushed";
/** What all of ours are compared with. */
const EMBEDDED: ReadonlySet<AckContestantName> = new Set([BARE, LMDB, LMDB_FLUSHED]);
const KEYS = 10_000;
/** The load that the targets are about. */
const JUDGED = { writers: 1_000, keys: KEYS };

/** Every peer at each number of writers; the memory table's size matters to ours alone, so there the bare one will do. */
export function ackCases(isQuick: boolean): AckCase[] {
  const everybody = [...OURS, BARE, LMDB, LMDB_FLUSHED, "SQLite, a commit a turn", "Redis"] as const;
  const loads = isQuick ? [1, JUDGED.writers] : [1, 64, JUDGED.writers, 10_000];
  const byWriters = loads.map((writers): AckCase => {
    const each = writers === 1 ? (["SQLite, a commit a write"] as const) : [];
    return { writers, keys: KEYS, contestants: [...everybody, ...each] };
  });
  const byKeys = [1_000, 100_000].map(
    (keys): AckCase => ({ writers: JUDGED.writers, keys, contestants: ["DefaultStorage", BARE] }),
  );
  return isQuick ? byWriters : [...byWriters, ...byKeys];
}

/** Each of ours against the bare one and lmdb, and the first of ours against every other peer. */
export function ackRows({ writers, keys }: AckCase, samples: AckSamples): Row[] {
  const names = Object.keys(samples) as AckContestantName[];
  const rows: Row[] = [];
  for (const our of names.filter((name) => OURS.includes(name))) {
    for (const peer of names.filter((name) => !OURS.includes(name))) {
      if (our !== "DefaultStorage" && !EMBEDDED.has(peer)) continue;
      const label = `${our}, ${countText(writers)} writer${writers === 1 ? "" : "s"}, ${countText(keys)} keys`;
      const isJudged = writers === JUDGED.writers;
      rows.push(...pairRows(label, peer, samples[our] ?? [], samples[peer] ?? [], isJudged));
    }
  }
  return rows;
}

function pairRows(
  label: string,
  peer: AckContestantName,
  ours: readonly AckSample[],
  theirs: readonly AckSample[],
  isJudged: boolean,
): Row[] {
  const { rate: rateTarget, p50: p50Target } = isJudged ? targetsOf(peer) : {};
  const row = (figure: string, unit: Row["unit"], of: (sample: AckSample) => number, target?: Target): Row =>
    ratioRow({
      workload: figure,
      label,
      unit,
      peer,
      ours: ours.map(of),
      theirs: theirs.map(of),
      target,
    });
  const rate = row("acks", "ops/s", (sample) => sample.rate, rateTarget);
  // The second form of the same peer tells how fast it can be, and that is enough.
  if (peer === LMDB_FLUSHED) return [rate];
  return [
    rate,
    row("ack p50", "ms", (sample) => sample.p50Ms, p50Target),
    row("ack p99", "ms", (sample) => sample.p99Ms),
    row("ack p99.9", "ms", (sample) => sample.p999Ms),
  ];
}

function targetsOf(peer: AckContestantName): { readonly rate?: Target; readonly p50?: Target } {
  if (peer === BARE) return { rate: { atLeast: 0.7 }, p50: { atMost: 2 } };
  return EMBEDDED.has(peer) ? { rate: { atLeast: 2.5 } } : {};
}
