/**
 * How late the event loop runs while the storage flushes as fast as it can: what anybody else's request would wait.
 *
 * Writers put in a few records each turn and wait when the storage asks them to. The histogram of `perf_hooks` counts
 * the interval of its own timer, so an idle loop does not read 0: the idle median is measured first, in the same
 * process, and taken away. Nothing else of the idle loop is, so what the machine itself adds counts against us; the
 * idle loop's own figures stand beside ours.
 */

import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { newFilename, openWriteBehind } from "../contestants/write-behind.js";
import { countText } from "../count-text.js";
import { keysOf, recordValue } from "../records.js";
import { type Row, valueRow } from "../row.js";
import { type BenchSettings, type InChild, nextTurn, verify, type Workload } from "../workload.js";

interface Params {
  readonly entries: number;
  readonly windows: number;
  readonly windowMs: number;
}

interface Delay {
  readonly p99Ms: number;
  readonly maxMs: number;
}

interface Result {
  readonly idle: Delay[];
  readonly flushing: Delay[];
  /** Records stored a second meanwhile. */
  readonly storedPerSecond: number;
}

/** A small request's worth a turn, so that the writers' own time does not count as the storage's. */
const SETS_PER_TURN = 100;
const WARM_UP_MS = 1_500;
const WINDOW_MS = 2_500;
const IDLE_MS = 1_000;
const QUICK_MS = 500;
const ENTRIES_MAX = 500_000;
const NANOSECONDS_PER_MS = 1e6;

export const loopDelay: Workload<Params, Result> = {
  name: "loop-delay",
  title: "event-loop delay while flushing at full rate, idle median taken away",

  async run(settings: BenchSettings, inChild: InChild<Params, Result>): Promise<Row[]> {
    const windowMs = settings.isQuick ? QUICK_MS : WINDOW_MS;
    const entries = Math.min(settings.entriesMax, ENTRIES_MAX);
    const result = await inChild({ entries, windows: settings.repeatsCostly, windowMs });
    const rate = countText(Math.round(result.storedPerSecond / 1_000) * 1_000);
    const row = (label: string, ofDelay: (delay: Delay) => number, atMost: number): Row =>
      valueRow({
        workload: "event-loop delay",
        label: `${label}, ${rate} records/s`,
        unit: "ms",
        peer: "idle loop",
        ours: result.flushing.map(ofDelay),
        theirs: result.idle.map(ofDelay),
        target: { atMost },
      });
    return [row("p99", (delay) => delay.p99Ms, 10), row("max", (delay) => delay.maxMs, 30)];
  },

  async measure({ entries, windows, windowMs }: Params, directory: string): Promise<Result> {
    const storage = await openWriteBehind(newFilename(directory));
    const keys = keysOf(entries);
    const storedCount = (): number => storage.stats().queue?.stored ?? 0;
    const idle: Delay[] = [];
    const { p50Ms } = await watchLoop(() => pause(IDLE_MS));
    for (let window = 0; window < windows; window += 1) {
      idle.push(beyond(await watchLoop(() => pause(IDLE_MS)), p50Ms));
    }
    let sets = 0;
    const writeFor = async (durationMs: number): Promise<void> => {
      const end = performance.now() + durationMs;
      while (performance.now() < end) {
        for (let count = 0; count < SETS_PER_TURN; count += 1) {
          storage.set(keys[sets % keys.length] as string, recordValue(sets));
          sets += 1;
        }
        if (storage.needDrain) await storage.drained();
        else await nextTurn();
      }
    };
    await writeFor(Math.min(windowMs, WARM_UP_MS));
    const storedBefore = storedCount();
    const start = performance.now();
    const flushing: Delay[] = [];
    for (let window = 0; window < windows; window += 1) {
      flushing.push(beyond(await watchLoop(() => writeFor(windowMs)), p50Ms));
    }
    const storedPerSecond = ((storedCount() - storedBefore) / (performance.now() - start)) * 1_000;
    verify("last set", storage.get(keys[(sets - 1) % keys.length] as string)?.id ?? Number.NaN, sets - 1);
    await storage.close();
    return { idle, flushing, storedPerSecond };
  },
};

async function watchLoop(work: () => Promise<unknown>): Promise<Delay & { p50Ms: number }> {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  await work();
  histogram.disable();
  return {
    p50Ms: histogram.percentile(50) / NANOSECONDS_PER_MS,
    p99Ms: histogram.percentile(99) / NANOSECONDS_PER_MS,
    maxMs: histogram.max / NANOSECONDS_PER_MS,
  };
}

function beyond({ p99Ms, maxMs }: Delay, idleMs: number): Delay {
  return { p99Ms: Math.max(0, p99Ms - idleMs), maxMs: Math.max(0, maxMs - idleMs) };
}
