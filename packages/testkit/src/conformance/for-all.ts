/**
 * A conformance case over values that fast-check draws: each is tried on a storage of its own, and the one that fails
 * is made as small as it can be. The failure says what it was and how to repeat it.
 *
 * - The seed is `LEAKDB_SEED` of the environment, else the harness's, else 1; `LEAKDB_SEED=random` draws a new one.
 * - `LEAKDB_PATH` beside it goes straight to the smallest value that failed. It belongs to one case: run that alone.
 * - `LEAKDB_RUNS` values are tried however long that takes; without it as many as a second allows, 100 at most.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { ConformanceRun } from "./conformance-run.js";

const RUNS_MAX = 100;
/** No new value is begun after this time, so that a slow backend tries fewer rather than breaking off. */
const SEARCH_MS = 1_000;
/** Time for making a failure smaller, counted from the beginning of the run that failed. */
const SHRINK_MS = 5_000;
const DEFAULT_SEED = 1;

/** Tries `body` with values from `arbitrary`. @throws AssertionError with the smallest value that failed. */
export async function forAll<T>(
  run: ConformanceRun,
  arbitrary: fc.Arbitrary<T>,
  body: (fresh: ConformanceRun, value: T) => Promise<void>,
): Promise<void> {
  const { LEAKDB_PATH: path, LEAKDB_RUNS: runs } = process.env;
  const isTimed = path === undefined && runs === undefined;
  let endMs = performance.now() + SEARCH_MS;
  let tried = 0;
  let hasFailed = false;
  const property = fc.asyncProperty(arbitrary, async (value) => {
    const startMs = performance.now();
    if (isTimed && tried > 0 && startMs > endMs) return;
    tried += 1;
    try {
      await onFreshStorage(run, (fresh) => body(fresh, value));
    } catch (error) {
      if (!hasFailed) endMs = startMs + SHRINK_MS;
      hasFailed = true;
      throw error;
    }
  });
  const seed = seedOf(run.seed);
  const details = await fc.check(property, {
    numRuns: runs === undefined ? RUNS_MAX : Number(runs),
    ...(seed === undefined ? {} : { seed }),
    ...(path === undefined ? {} : { path }),
  });
  if (details.failed) throw failureOf(details);
}

/** Runs `body` over a storage of its own, and disposes of that. */
export async function onFreshStorage(
  run: ConformanceRun,
  body: (fresh: ConformanceRun) => Promise<void>,
): Promise<void> {
  const fresh = await run.anew();
  try {
    await body(fresh);
  } catch (error) {
    // What was found matters more than what the cleaning up stumbles on because of it.
    await fresh.dispose().catch(() => undefined);
    throw error;
  }
  await fresh.dispose();
}

/** `undefined` for one that is to be drawn. */
export function seedOf(ofHarness: number | undefined): number | undefined {
  const { LEAKDB_SEED: given } = process.env;
  if (given === "random") return undefined;
  const seed = given === undefined ? (ofHarness ?? DEFAULT_SEED) : Number(given);
  if (!Number.isSafeInteger(seed))
    throw new RangeError(`a seed is an integer or "random", not ${given ?? seed}`);
  return seed;
}

function failureOf<T>(details: fc.RunDetails<T>): assert.AssertionError {
  const { counterexample, counterexamplePath, errorInstance, numShrinks, seed } = details;
  const reason = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
  const smaller = numShrinks === 0 ? "as it was drawn" : `made smaller ${numShrinks} times`;
  const message = [
    reason,
    `after this, ${smaller}:`,
    counterexample === null ? "nothing was drawn" : fc.stringify((counterexample as unknown as [T])[0]),
    `Repeat it by running this case alone with LEAKDB_SEED=${seed} LEAKDB_PATH="${counterexamplePath}"`,
  ].join("\n");
  const failure = new assert.AssertionError({ message, operator: "forAll" });
  failure.cause = errorInstance;
  return failure;
}
