/**
 * Closed-loop writers: each writes one record under the next key of its own, waits until that is acknowledged, and
 * begins again. What they wait is kept one by one, for percentiles.
 */

import type { AckContestant } from "./contestants/acks/ack-contestant.js";
import type { BenchValue } from "./records.js";
import { percentile } from "./statistics.js";

export interface LoopPlan {
  readonly writers: number;
  readonly keys: readonly string[];
  readonly values: readonly BenchValue[];
  readonly warmUpMs: number;
  readonly measuredMs: number;
}

export interface LoopResult {
  /** Acknowledgements a second. */
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** For each key the index of the value that was acknowledged last; -1 for none. */
  readonly acknowledged: Int32Array;
}

/** The key after this one of the same writer, whose keys are each `writers`-th of `count`, over and over. */
export function nextKey(key: number, writers: number, count: number): number {
  const next = key + writers;
  return next < count ? next : key % writers;
}

/** Resolves when every writer has got its last acknowledgement. */
export async function closedLoop(contestant: AckContestant, plan: LoopPlan): Promise<LoopResult> {
  const { writers, keys, values, warmUpMs, measuredMs } = plan;
  if (writers > keys.length) throw new RangeError("each writer needs a key of its own");
  const waits = new WaitLog();
  const acknowledged = new Int32Array(keys.length).fill(-1);
  const from = performance.now() + warmUpMs;
  const until = from + measuredMs;
  let value = 0;
  const write = async (first: number): Promise<void> => {
    let start = performance.now();
    for (let key = first; ; key = nextKey(key, writers, keys.length)) {
      const written = value;
      value = value + 1 === values.length ? 0 : value + 1;
      const waiting = contestant.write(keys[key] as string, values[written] as BenchValue);
      if (waiting !== undefined) await waiting;
      const end = performance.now();
      acknowledged[key] = written;
      if (end > until) return;
      if (end > from) waits.add(end - start);
      start = end;
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  const sorted = waits.sorted();
  return {
    rate: (sorted.length / measuredMs) * 1_000,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    p999Ms: percentile(sorted, 0.999),
    acknowledged,
  };
}

const WAITS_FIRST = 1 << 20;

/** Milliseconds, as many as come. */
class WaitLog {
  #waits = new Float64Array(WAITS_FIRST);
  #count = 0;

  add(ms: number): void {
    if (this.#count === this.#waits.length) {
      const former = this.#waits;
      this.#waits = new Float64Array(former.length * 2);
      this.#waits.set(former);
    }
    this.#waits[this.#count] = ms;
    this.#count += 1;
  }

  sorted(): Float64Array {
    return this.#waits.slice(0, this.#count).sort();
  }
}
