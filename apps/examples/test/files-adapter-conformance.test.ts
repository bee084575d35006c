/**
 * The files adapter against the contract. Groups about crashes and owners run in processes of their own, which are
 * ended by `kill -9`; the others beside the test.
 */

import { type ConformanceCase, conformanceCases, type ProcessAdapter } from "@leakdb/testkit";
import { describe, test } from "vitest";
import { files } from "../src/files-adapter/files-adapter.js";
import { filesInProcess } from "./files-process.js";
import { caseDirectory } from "./store-directory.js";

/** Thousands of files in one case, each synced. */
const CASE_LIMIT_MS = 60_000;

const beside = conformanceCases({
  name: "files",
  create: async () => {
    const { directory, outage, dispose } = await caseDirectory();
    return { adapter: () => files({ directory }), process: () => filesInProcess(directory), outage, dispose };
  },
});

const inProcesses = conformanceCases({
  name: "files",
  create: async () => {
    const { directory, outage, dispose } = await caseDirectory();
    return {
      adapter: () => filesInProcess(directory),
      process: () => filesInProcess(directory),
      kill: (adapter) => (adapter as ProcessAdapter).kill(),
      outage,
      dispose,
    };
  },
});

const needsProcess = ({ group, requires }: ConformanceCase): boolean =>
  group === "crash and reopen" || requires?.reason.includes("fixture.kill") === true;
const cases = beside.map((one, index) => (needsProcess(one) ? (inProcesses[index] ?? one) : one));

describe.each([...new Set(cases.map(({ group }) => group))])("files: %s", (group) => {
  for (const one of cases) if (one.group === group) test(one.name, one.run, CASE_LIMIT_MS);
});
