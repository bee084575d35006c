/** The contestants of the in-memory rows, by the side or peer that they are. */

import type { MakeContestant } from "./contestant.js";
import { makeDefaultStorage } from "./default-storage.js";
import { makeKeyv } from "./keyv.js";
import { makeLruCache } from "./lru-cache.js";
import { makeMap } from "./map.js";
import { makeWriteBehind } from "./write-behind.js";

/** Which of our storages a measurement is about, and whether some of the entries have a TTL. */
export interface Side {
  readonly storage: "write-behind" | "DefaultStorage";
  readonly ttlEvery: number;
}

/** In each group of rows: write-behind, the same with a TTL on each tenth entry, and memory alone. */
export const SIDES: readonly Side[] = [
  { storage: "write-behind", ttlEvery: 0 },
  { storage: "write-behind", ttlEvery: 10 },
  { storage: "DefaultStorage", ttlEvery: 0 },
];

/**
 * The sizes a side is measured at, which keeps the run short: all for write-behind, the two largest with TTL, and the one
 * before the largest for memory alone.
 */
export function sizesOf({ storage, ttlEvery }: Side, entries: readonly number[]): readonly number[] {
  if (storage === "DefaultStorage") return entries.slice(-2, -1).concat(entries.length === 1 ? entries : []);
  return ttlEvery === 0 ? entries : entries.slice(-2);
}

/** Filling keyv takes longer than all else together, so it is left out beyond this but for `--full`. */
const KEYV_ENTRIES_MAX = 100_000;

/** keyv has no target and takes part once. */
export function withKeyv({ storage, ttlEvery }: Side, entries: number, isFull: boolean): boolean {
  return storage === "write-behind" && ttlEvery === 0 && (isFull || entries <= KEYV_ENTRIES_MAX);
}

export function sideLabel({ storage, ttlEvery }: Side): string {
  return ttlEvery === 0 ? storage : `${storage}, TTL on 1/${ttlEvery}`;
}

/** Ours first, then its peers; keyv, which has no target, where it is asked for. */
export function contestantsOf(side: Side, hasKeyv: boolean): MakeContestant[] {
  const ours = side.storage === "write-behind" ? makeWriteBehind : makeDefaultStorage;
  return [ours, makeMap, makeLruCache, ...(hasKeyv ? [makeKeyv] : [])];
}
