/** The proof of crashes can fail: each lie that a disk or a backend may tell is caught within a few runs. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { plans } from "../src/crashes/crash-plan.js";
import { CrashRun } from "../src/crashes/crash-run.js";
import { PLANTED } from "../src/crashes/planted-faults.js";

const SEED = 20_261_122;
const RUNS_MAX = 400;
/** What the checkers say of what was lost, invented, brought back, or could not be opened. */
const BREACH = /^(I1|I3|I6|I7|I9|I10|invented|.* was done, told of|the last)/;

const PLANS = fc.sample(plans(), { numRuns: RUNS_MAX, seed: SEED });

test.each(Object.keys(PLANTED))("%s, is reported", async (name) => {
  for (const plan of PLANS) {
    const breaches = await new CrashRun(plan, PLANTED[name]).check();
    if (breaches.length === 0) continue;
    expect(breaches[0]).toMatch(BREACH);
    return;
  }
  throw new Error(`no run of ${RUNS_MAX} saw it`);
});
