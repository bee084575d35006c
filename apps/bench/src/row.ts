/** One line of the result: what was measured, against what, and whether it meets its target. Pure. */

import { median, pairwiseRatios, type Spread, spreadOf } from "./statistics.js";

/** The bound that the figure has to keep. */
export type Target = { readonly atLeast: number } | { readonly atMost: number };

/** What the figure and both sides are counted in. */
export type Unit = "ops/s" | "ms" | "µs" | "bytes";

export interface Row {
  readonly workload: string;
  readonly label: string;
  readonly peer: string | undefined;
  /** Of our side and the peer's, the median of the repeats. */
  readonly ours: number;
  readonly theirs: number | undefined;
  readonly unit: Unit;
  /** A ratio of pairs, or where `isRatio` is false our own figure. */
  readonly figure: Spread;
  readonly isRatio: boolean;
  /** Without a target a row informs only. */
  readonly target: Target | undefined;
}

interface RowBasis {
  readonly workload: string;
  readonly label: string;
  readonly unit: Unit;
  readonly target?: Target | undefined;
}

/** A row whose figure is ours divided by the peer's; `ours` and `theirs` were measured in pairs. */
export function ratioRow(
  basis: RowBasis & {
    readonly peer: string;
    readonly ours: readonly number[];
    readonly theirs: readonly number[];
  },
): Row {
  return {
    ...basis,
    target: basis.target,
    ours: median(basis.ours),
    theirs: median(basis.theirs),
    figure: spreadOf(pairwiseRatios(basis.ours, basis.theirs)),
    isRatio: true,
  };
}

/** A row whose figure is our own; the peer's, where there is one, stands beside it. */
export function valueRow(
  basis: RowBasis & {
    readonly ours: readonly number[];
    readonly peer?: string | undefined;
    readonly theirs?: readonly number[];
  },
): Row {
  return {
    ...basis,
    peer: basis.peer,
    target: basis.target,
    ours: median(basis.ours),
    theirs: basis.theirs === undefined ? undefined : median(basis.theirs),
    figure: spreadOf(basis.ours),
    isRatio: false,
  };
}

/** Whether the median keeps the target; `undefined` for a row without one. */
export function isMet(row: Row): boolean | undefined {
  if (row.target === undefined) return undefined;
  const { median: figure } = row.figure;
  return "atLeast" in row.target ? figure >= row.target.atLeast : figure <= row.target.atMost;
}
