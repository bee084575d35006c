/**
 * The files adapter against the contract. Groups about crashes and owners run in processes of their own, which are
 * ended by `kill -9`; the others beside the test.
 */

import { type ConformanceCase, conformanceCases, type ProcessAdapter } from "@leakdb/testkit";
import { describe, test } from "vitest";
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

describe.each([...new Set(cases.map(({ group }) => group))])("files: %s", (group) => {
  for (const one of cases) if (one.group === group) test(one.name, one.run, CASE_LIMIT_MS);
});
