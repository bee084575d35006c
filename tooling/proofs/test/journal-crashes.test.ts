/**
 * Nothing acknowledged is lost: stores with a journal live and die again and again on one simulated disk, by a seed.
 * `LEAKDB_RUNS=20000` searches longer; a failure prints the seed and path that repeat its smallest form.
 */

import fc from "fast-check";
import { test } from "vitest";
import { plans } from "../src/crashes/crash-plan.js";
import { CrashRun } from "../src/crashes/crash-run.js";
import { assertProperty } from "../src/model/property-parameters.js";

const RUNS = 300;

test("whenever it dies, what was acknowledged is there, nothing is invented, and everything comes right", {
  timeout: 3_600_000,
}, async () => {
  const property = fc.asyncProperty(plans(), async (plan) => {
    const breaches = await new CrashRun(plan).check();
    if (breaches.length > 0) throw new Error(breaches.join("\n"));
  });
  await assertProperty(property, RUNS);
});
