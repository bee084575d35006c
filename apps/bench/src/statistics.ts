/** The few statistics the benchmark reports. Pure. */

/** What repeats of one measurement came to. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** @throws RangeError for no values */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("the median of nothing");
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >>> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/** @throws RangeError for no values */
export function spreadOf(values: readonly number[]): Spread {
  return { min: Math.min(...values), median: median(values), max: Math.max(...values) };
}

/**
 * The ratio of each pair that was measured side by side. A machine that slows down slows both halves of a pair, so
 * the median of these says more than the ratio of two medians.
 * @throws RangeError when the two have not been measured equally often
 */
export function pairwiseRatios(ours: readonly number[], peers: readonly number[]): number[] {
  if (ours.length !== peers.length) throw new RangeError("pairs need as many values on both sides");
  return ours.map((value, index) => value / (peers[index] as number));
}

/** The value that a fraction of them does not exceed, by nearest rank. @throws RangeError for no values */
export function percentile(sorted: ArrayLike<number>, fraction: number): number {
  if (sorted.length === 0) throw new RangeError("a percentile of nothing");
  const rank = Math.ceil(fraction * sorted.length);
  return sorted[Math.min(sorted.length, Math.max(1, rank)) - 1] as number;
}
