/**
 * Memory an entry beyond a bare `Map` and its keys and values: heap and array buffers after a full collection, each
 * kind of store in a process of its own, everything stored and nothing waiting. The buffers that a storage keeps for
 * its next batches count; the code it loads does not.
 */

import type { Contestant } from "../contestants/contestant.js";
import { makeDefaultStorage } from "../contestants/default-storage.js";
import { makeLruCache } from "../contestants/lru-cache.js";
import { makeMap } from "../contestants/map.js";
import { makeWriteBehind } from "../contestants/write-behind.js";
import { countText } from "../count-text.js";
import { recordKey, recordValue } from "../records.js";
import { type Row, valueRow } from "../row.js";
import {
  type BenchSettings,
  collectGarbage,
  type InChild,
  nextTurn,
  verify,
  type Workload,
} from "../workload.js";

const MAKERS = {
  "write-behind": makeWriteBehind,
  DefaultStorage: makeDefaultStorage,
  "lru-cache": makeLruCache,
  Map: makeMap,
};

interface Params {
  readonly contestant: keyof typeof MAKERS;
  readonly entries: number;
}

/** Between two turns of the event loop. */
const CHUNK = 10_000;

export const memory: Workload<Params, number> = {
  name: "memory",
  title: "memory an entry beyond a Map and its values",

  async run(settings: BenchSettings, inChild: InChild<Params, number>): Promise<Row[]> {
    const entries = settings.entriesMax;
    const bare = await inChild({ contestant: "Map", entries });
    const rows: Row[] = [];
    for (const contestant of ["write-behind", "DefaultStorage", "lru-cache"] as const) {
      const bytes = await inChild({ contestant, entries });
      rows.push(
        valueRow({
          workload: "memory",
          label: `${contestant}, ${countText(entries)}`,
          unit: "bytes",
          ours: [bytes - bare],
          peer: "Map and values",
          theirs: [bare],
          target: contestant === "lru-cache" ? undefined : { atMost: 60 },
        }),
      );
    }
    return rows;
  },

  async measure({ contestant: name, entries }: Params, directory: string): Promise<number> {
    // What the first of its kind loads is not the entries'; what a store reserves for them beforehand is.
    await (await MAKERS[name]({ entries: 1, ttlEvery: 0, directory })).close();
    const before = bytesUsed();
    const contestant = await MAKERS[name]({ entries, ttlEvery: 0, directory });
    for (let from = 0; from < entries; from += CHUNK) {
      await writeChunk(contestant, from, Math.min(entries, from + CHUNK));
      await nextTurn();
    }
    await contestant.settle();
    const bytes = bytesUsed() - before;
    verify(
      "first and last value",
      await contestant.read([recordKey(0), recordKey(entries - 1)], 0, 2),
      entries - 1,
    );
    await contestant.close();
    return bytes / entries;
  },
};

async function writeChunk(contestant: Contestant, from: number, to: number): Promise<void> {
  const keys = Array.from({ length: to - from }, (_, index) => recordKey(from + index));
  const values = Array.from({ length: to - from }, (_, index) => recordValue(from + index));
  await contestant.write(keys, values, 0, keys.length, 0);
}

function bytesUsed(): number {
  collectGarbage();
  // `external` includes the array buffers.
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
