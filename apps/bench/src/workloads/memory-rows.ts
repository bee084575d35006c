/** What the in-memory workloads share: how rates of several contestants become rows with their targets. */

import { type Side, sideLabel } from "../contestants/index.js";
import { countText } from "../count-text.js";
import { type Row, ratioRow, type Target } from "../row.js";
import type { BenchSettings } from "../workload.js";

/** Samples of one contestant, one a round, in operations a second. */
export interface Rates {
  readonly name: string;
  readonly rates: number[];
}

/** A row for each peer of the first contestant. */
export function peerRows(
  workload: string,
  label: string,
  rates: readonly Rates[],
  targetOf: (peer: string) => Target | undefined,
): Row[] {
  const [ours, ...peers] = rates;
  if (ours === undefined) return [];
  return peers.map((peer) =>
    ratioRow({
      workload,
      label,
      unit: "ops/s",
      peer: peer.name,
      ours: ours.rates,
      theirs: peer.rates,
      target: targetOf(peer.name),
    }),
  );
}

/** From here on a round takes seconds. */
const COSTLY_ENTRIES = 500_000;

/** Fewer rounds where each takes seconds, and of the sides that differ little from the plain one. */
export function roundsOf(settings: BenchSettings, entries: number, side: Side): number {
  const isPlain = side.storage === "write-behind" && side.ttlEvery === 0;
  return isPlain && entries < COSTLY_ENTRIES ? settings.repeats : settings.repeatsCostly;
}

export function entriesLabel(side: Side, entries: number): string {
  return `${sideLabel(side)}, ${countText(entries)}`;
}

export function getTarget(peer: string, entries: number): Target | undefined {
  if (peer === "lru-cache") return { atLeast: 1 };
  if (peer !== "Map") return undefined;
  return { atLeast: entries <= 100_000 ? 0.7 : 0.5 };
}

export function setTarget(peer: string): Target | undefined {
  if (peer === "lru-cache") return { atLeast: 1 };
  return peer === "Map" ? { atLeast: 0.4 } : undefined;
}
