/**
 * The longest stall while a store fills: the longest time between two looks at the clock, taken after each hundred
 * sets and after each turn of the event loop, so that growth, the garbage collector and the queue's own work all
 * count. Waiting because the storage asked for it (`drained`) is no stall. A `Map` filled by the same loop stands
 * beside it.
 */

import { newFilename, openWriteBehind } from "../contestants/write-behind.js";
import { countText } from "../count-text.js";
import { type BenchValue, recordKey, recordValue } from "../records.js";
import { type Row, valueRow } from "../row.js";
import { type BenchSettings, type InChild, nextTurn, verify, type Workload } from "../workload.js";

interface Params {
  readonly contestant: "write-behind" | "Map";
  readonly entries: number;
}

const FULL_ENTRIES = 10_000_000;
const SETS_PER_LOOK = 100;
const SETS_PER_TURN = 1_000;
/** Ten million small objects with their keys take about 2 GiB by themselves. */
const HEAP_MB = 8_192;

export const stalls: Workload<Params, number> = {
  name: "stalls",
  title: "longest stall while filling",

  async run(settings: BenchSettings, inChild: InChild<Params, number>): Promise<Row[]> {
    const entries = settings.isFull ? FULL_ENTRIES : settings.entriesMax;
    const rounds = settings.isFull ? 1 : settings.repeatsCostly;
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      ours.push(await inChild({ contestant: "write-behind", entries }, { heapMb: HEAP_MB }));
      theirs.push(await inChild({ contestant: "Map", entries }, { heapMb: HEAP_MB }));
    }
    return [
      valueRow({
        workload: "longest stall",
        label: `filling to ${countText(entries)}`,
        unit: "ms",
        peer: "Map",
        ours,
        theirs,
        target: { atMost: 100 },
      }),
    ];
  },

  async measure({ contestant, entries }: Params, directory: string): Promise<number> {
    if (contestant === "Map") {
      const map = new Map<string, BenchValue>();
      const longestMs = await longestStall(entries, (key, value) => map.set(key, value), nextTurn);
      verify("filled", map.size, entries);
      return longestMs;
    }
    const storage = await openWriteBehind(newFilename(directory));
    const wait = async (): Promise<boolean> => {
      const mustWait = storage.needDrain;
      await (mustWait ? storage.drained() : nextTurn());
      return mustWait;
    };
    const longestMs = await longestStall(entries, (key, value) => storage.set(key, value), wait);
    verify("filled", storage.size, entries);
    // Storing the rest is not the subject.
    storage.clear();
    await storage.close();
    return longestMs;
  },
};

/** `pause` lets the event loop run, and resolves to true when it waited for more than its turn. */
async function longestStall(
  entries: number,
  set: (key: string, value: BenchValue) => unknown,
  pause: () => Promise<boolean | void>,
): Promise<number> {
  let longestMs = 0;
  let last = performance.now();
  for (let done = 0; done < entries; ) {
    for (const end = Math.min(entries, done + SETS_PER_LOOK); done < end; done += 1)
      set(recordKey(done), recordValue(done));
    last = look(last);
    if (done % SETS_PER_TURN !== 0) continue;
    if ((await pause()) === true) last = performance.now();
    else last = look(last);
  }
  return longestMs;

  function look(before: number): number {
    const now = performance.now();
    longestMs = Math.max(longestMs, now - before);
    return now;
  }
}
