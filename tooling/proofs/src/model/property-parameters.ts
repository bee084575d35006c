/**
 * How often properties are tried, and how one failure is tried again. fast-check prints the seed and the path of the
 * smallest counterexample with each failure; this adds the command line that repeats it.
 *
 * - `LEAKDB_RUNS` runs of each property instead of its own number.
 * - `LEAKDB_SEED` the seed of a failure, and `LEAKDB_PATH` its path; `LEAKDB_SEED=random` draws a new one.
 *
 * The tests use one seed, so that a change is judged by what it changes; searching for more is for whoever has time.
 */

import fc from "fast-check";

const SEED = 20_261_122;
/** Of a long search: what a run takes on a busy machine. */
const MS_PER_RUN_MAX = 100;

/** @param runs how often, unless the environment says otherwise */
export function propertyParameters<T>(runs: number): fc.Parameters<T> {
  const { LEAKDB_RUNS, LEAKDB_SEED, LEAKDB_PATH } = process.env;
  const numRuns = LEAKDB_RUNS === undefined ? runs : Number(LEAKDB_RUNS);
  return {
    numRuns,
    ...(LEAKDB_SEED === "random" ? {} : { seed: Number(LEAKDB_SEED ?? SEED) }),
    ...(LEAKDB_PATH === undefined ? {} : { path: LEAKDB_PATH, endOnFailure: true }),
    // Shrinking must not outlast the test's own limit; runs that did not happen prove nothing.
    interruptAfterTimeLimit: Math.max(100_000, numRuns * MS_PER_RUN_MAX),
    markInterruptAsFailure: true,
  };
}

/** Asserts a property; a failure says how to repeat it. */
export async function assertProperty<T>(property: fc.IAsyncProperty<T>, runs: number): Promise<void> {
  const details = await fc.check(property, propertyParameters<T>(runs));
  if (!details.failed) return;
  const { seed, counterexamplePath } = details;
  const replay = `Repeat it with LEAKDB_SEED=${seed} LEAKDB_PATH="${counterexamplePath}"`;
  const report = await fc.asyncDefaultReportMessage(details as fc.RunDetails<T>);
  throw new Error(`${replay}\n${report}`, { cause: details.errorInstance });
}
