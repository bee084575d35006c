/**
 * The suite against planted bugs: each must be caught, by the case that names its behaviour.
 */

import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { type ConformanceHarness, conformanceCases, ReferenceBackend } from "../src/index.js";
import { type BrokenAdapter, plantBug } from "./broken-adapter.js";
import { brokenLives } from "./broken-lives.js";
import { brokenReads } from "./broken-reads.js";
import { brokenWrites } from "./broken-writes.js";

/** Short, because a bug that hangs is waited for in real time. */
const DEADLINE_MS = 200;

function harnessOf(broken: BrokenAdapter): ConformanceHarness {
  return {
    name: broken.bug,
    deadlineMs: DEADLINE_MS,
    create: () => {
      const backend = new ReferenceBackend();
      return {
        adapter: () => plantBug(broken, backend),
        kill: () => {
          if (broken.loseAtKill === true) backend.records.clear();
          backend.owner = undefined;
        },
        dispose: () => undefined,
      };
    },
  };
}

describe("an adapter that", () => {
  for (const broken of [...brokenWrites, ...brokenReads, ...brokenLives]) {
    test(`${broken.bug} is caught`, async () => {
      const found = conformanceCases(harnessOf(broken)).filter(({ name }) => name === broken.caughtBy);
      assert.equal(found.length, 1, `there must be one case named ${broken.caughtBy}`);
      await assert.rejects(async () => found[0]?.run(), broken.failsWith ?? { name: "AssertionError" });
    });
  }
});
