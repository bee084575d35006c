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

async function failureOf(call: () => Promise<void>): Promise<Error | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof Error);
    return error;
  }
}

describe("an adapter that", () => {
  for (const broken of brokenAdapters) {
    test(`${broken.bug} is caught`, async () => {
      const cases = conformanceCases(harnessOf(broken));
      for (const caseName of broken.caughtBy) {
        const found = cases.filter(({ name }) => name === caseName);
        assert.equal(found.length, 1, `there must be one case named ${caseName}`);
        const error = await failureOf(async () => found[0]?.run());
        assert.ok(error !== undefined, `"${caseName}" must fail`);
        if (broken.failsWith !== undefined) assert.match(error.message, broken.failsWith);
        else assert.equal(error.name, "AssertionError", error.stack);
        assert.equal(/has not after \d+ ms/.test(error.message), broken.hangs === true, error.message);
      }
    });
  }
});

test("each planted bug has a name of its own", () => {
  const bugs = brokenAdapters.map(({ bug }) => bug);
  assert.deepEqual(bugs, [...new Set(bugs)]);
});
