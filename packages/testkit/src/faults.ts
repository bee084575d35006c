/**
 * The faults a {@link FaultyAdapter} can inject, by name, and how often they strike when a seed draws them.
 */

import type { AdapterOperation } from "./recording-adapter.js";
import type { SeededRandom } from "./seeded-random.js";

/** What may befall any call. */
export type CommonFault =
  /** Nothing: the call passes. */
  | "none"
  /** Throws `transient`; nothing was applied. */
  | "transient"
  /** Throws `permanent`; nothing was applied. */
  | "permanent"
  /** Throws a plain `Error`, which counts as ambiguous; nothing was applied. */
  | "plain"
  /** Throws `ambiguous`; nothing was applied. */
  | "ambiguous"
  /** Throws at the call instead of rejecting; nothing was applied. */
  | "throw-sync"
  /** Never settles and applies nothing. */
  | "hang"
  /** Takes effect at once and answers later; rejects as ambiguous when aborted meanwhile. */
  | "slow"
  | { readonly slowMs: number };

/** What may befall a write besides. */
export type WriteFault =
  | CommonFault
  /** Applied, then throws `ambiguous`: the reply was lost. */
  | "ambiguous-after"
  /** Applied, and never settles. */
  | "hang-after"
  /** Applied; answers, with success, only after its signal was aborted. */
  | "late-answer"
  /** Applied only after its signal was aborted, unless closed by then. Without an abort it hangs. */
  | "late-landing"
  /** Applies the first half, then throws `ambiguous`. Needs an adapter that declares `atomicBatch: false`. */
  | "die-midway";

/** What may befall a scan besides. */
export type ScanFault =
  | CommonFault
  /** Yields half of its first page, then throws `transient`. */
  | "midway";

export interface FaultsOf {
  open: CommonFault;
  write: WriteFault;
  load: CommonFault;
  scan: ScanFault;
  sync: CommonFault;
  close: CommonFault;
}

export type FaultName = Extract<FaultsOf[AdapterOperation], string>;

/** The probability of each fault at each call of an operation; those left out never strike. */
export type FaultRates = { readonly [O in AdapterOperation]?: Partial<Record<FaultName, number>> };

const DRAWN: Readonly<Record<AdapterOperation, readonly FaultName[]>> = {
  // A hung or failed closing leaves the backend owned, so nobody could ever open it again: scripted only.
  close: ["slow"],
  open: ["transient", "plain", "slow"],
  write: [
    "transient",
    "plain",
    "ambiguous",
    "ambiguous-after",
    "throw-sync",
    "hang",
    "hang-after",
    "slow",
    "late-answer",
    "late-landing",
    "die-midway",
  ],
  load: ["transient", "plain", "slow"],
  scan: ["transient", "plain", "midway"],
  sync: ["transient", "plain", "slow"],
};

/** The longest `slow` answer, in milliseconds of the clock. */
export const SLOW_MAX_MS = 500;

/**
 * Draws how often each fault strikes: about half of them never, the others at up to `most` of the calls. Some runs
 * are calm so, and some meet one fault again and again; fixed rates would try the same mixture each time.
 */
export function drawFaultRates(random: SeededRandom, most = 0.1): FaultRates {
  const rates: Partial<Record<AdapterOperation, Partial<Record<FaultName, number>>>> = {};
  for (const [operation, faults] of Object.entries(DRAWN) as [AdapterOperation, readonly FaultName[]][]) {
    const drawn: Partial<Record<FaultName, number>> = {};
    for (const fault of faults)
      if (random.chance(0.5)) drawn[fault] = Number((random.next() * most).toFixed(3));
    rates[operation] = drawn;
  }
  return rates;
}

/** The fault that strikes one call, `"none"` mostly. */
export function drawFault(rates: FaultRates, operation: AdapterOperation, random: SeededRandom): FaultName {
  let left = random.next();
  for (const [fault, rate] of Object.entries(rates[operation] ?? {}) as [FaultName, number][]) {
    if (left < rate) return fault;
    left -= rate;
  }
  return "none";
}
