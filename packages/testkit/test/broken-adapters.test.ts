/**
 * The suite against planted bugs: each must be caught, by the cases that name its behaviour. The README's table of
 * them is held by `readme.test.ts`.
 */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test, vi } from "vitest";
import { conformanceCases } from "../src/index.js";
import { harnessOf } from "./broken-adapter.js";
import { brokenAdapters } from "./broken-adapters.js";
import { closeLeaks } from "./broken-ends.js";

// As many histories on a slow machine as on a fast one: what they catch must not depend on the clock.
beforeEach(() => void vi.stubEnv("LEAKDB_RUNS", "100"));
afterEach(() => {
  vi.unstubAllEnvs();
  closeLeaks();
});

describe("an adapter that", () => {
  for (const broken of brokenAdapters) {
    test(`${broken.bug} is caught`, async () => {
      const cases = conformanceCases(harnessOf(broken));
      for (const caseName of broken.caughtBy) {
        const found = cases.filter(({ name }) => name === caseName);
        assert.equal(found.length, 1, `there must be one case named ${caseName}`);
        await assert.rejects(
          async () => found[0]?.run(),
          broken.failsWith ?? { name: "AssertionError" },
          `"${caseName}" must fail`,
        );
      }
    });
  }
});

test("each planted bug has a name of its own", () => {
  const bugs = brokenAdapters.map(({ bug }) => bug);
  assert.deepEqual(bugs, [...new Set(bugs)]);
});
