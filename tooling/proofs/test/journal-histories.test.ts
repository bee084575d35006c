/** Random histories with crashes: a turn boundary, nothing acknowledged lost, and a backend that agrees in the end. */

import { test } from "vitest";
import { liveThrough } from "../src/journal/crash-history.js";

/** `LEAKDB_RUNS` tries more; a failure names the seed. */
const RUNS = Number(process.env["LEAKDB_RUNS"] ?? 60);
const FIRST = Number(process.env["LEAKDB_SEED"] ?? 1);

test.each([
  ["DefaultStorage", false],
  ["PersistentQueueStorage", true],
] as const)(
  "a %s comes back from every crash as it was at the end of a turn",
  async (_name, isBehind) => {
    for (let seed = FIRST; seed < FIRST + RUNS; seed += 1) await liveThrough(seed, isBehind);
  },
  600_000,
);
