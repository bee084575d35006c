/**
 * The files adapter against the contract. Groups about crashes and owners run in processes of their own, which are
 * ended by `kill -9`; the others beside the test. Cases of ten thousand files and more take longer than all others
 * together, and are left to `npm run prove`.
 */

import { type ConformanceCase, conformanceCases, type ProcessAdapter } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { files } from "../src/files-adapter/files-adapter.js";
import { filesInProcess } from "./files-process.js";
import { caseDirectory } from "./store-directory.js";

/** Thousands of files in one case, each synced, on a machine that may be busy. */
const CASE_LIMIT_MS = 60_000;
const DEADLINE_MS = 30_000;

function casesOn(disk: "shared" | "small"): ConformanceCase[] {
  return conformanceCases({
    name: "files",
    deadlineMs: DEADLINE_MS,
    create: async () => {
      const { directory, ...place } = await caseDirectory(disk);
      return { ...place, adapter: () => files({ directory }), process: () => filesInProcess(directory) };
    },
  });
}

/** Each file is synced: what other adapters do in a batch takes this one seconds. */
const MANY_FILES: ReadonlySet<string> = new Set([
  "a batch of 10,000 mixed puts, deletes and clears is applied in its order",
  "a kill in the middle of a write leaves each key old or new",
  "a kill -9 in the middle of a write leaves each key old or new",
  "the largest batch core sends is stored whole",
  "ten thousand records are there after a close and a reopening",
  "a write that the backend fails says truly what was applied, and can be sent again",
  "the first and the last of a batch are kept, whatever its size",
  "every key comes once around the border of a page",
  "a large batch sent again changes nothing",
  "a scan that a close interrupts settles, and the backend opens again",
  "thousands of keys are cleared by one mutation, their neighbours kept",
  "ten thousand keys at once, half of them absent, are each answered",
  "a write that is aborted in its middle says truly what was applied",
]);
const isProving = process.env["LEAKDB_PROVE"] === "1";

const inProcesses = conformanceCases({
  name: "files",
  deadlineMs: DEADLINE_MS,
  create: async () => {
    const { directory, ...place } = await caseDirectory("shared");
    return {
      ...place,
      adapter: () => filesInProcess(directory),
      process: () => filesInProcess(directory),
      kill: (adapter) => (adapter as ProcessAdapter).kill(),
    };
  },
});
const onSmallDisk = casesOn("small");

const cases = casesOn("shared").map((one, index) => {
  const needs = (part: string): boolean => one.requires?.reason.includes(part) === true;
  if (needs("fixture.failWrites")) return onSmallDisk[index] ?? one;
  return one.group === "crash and reopen" || needs("fixture.kill") ? (inProcesses[index] ?? one) : one;
});

test("the cases that are left to npm run prove are there", () => {
  const names = new Set(cases.map(({ name }) => name));
  expect([...MANY_FILES].filter((name) => !names.has(name))).toEqual([]);
});

describe.each([...new Set(cases.map(({ group }) => group))])("files: %s", (group) => {
  for (const one of cases) {
    if (one.group !== group) continue;
    const isLeftOut = MANY_FILES.has(one.name) && !isProving;
    // Skipped here alone: npm run prove runs it, and says so in the name.
    test.skipIf(isLeftOut)(isLeftOut ? `${one.name} (by npm run prove)` : one.name, one.run, CASE_LIMIT_MS);
  }
});
