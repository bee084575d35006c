/**
 * The adapter against the contract: its thread and its process killed, and the file taken away below it. Each case has a directory of its
 * own, so they run side by side: one computes while another waits for the disk.
 */

import { mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { killThread, type ThreadAdapter } from "@leakdb/core/adapter-thread";
import { sqlite } from "@leakdb/sqlite";
import { conformanceCases, processAdapter } from "@leakdb/testkit";
import { describe, test } from "vitest";

const module = new URL("../dist/index.js", import.meta.url);

const cases = conformanceCases({
  name: "sqlite",
  create: () => {
    const root = mkdtempSync(join(tmpdir(), "leakdb-sqlite-"));
    const directory = join(root, "data");
    const hidden = join(root, "away");
    mkdirSync(directory);
    const options = { filename: join(directory, "store.db") };
    return {
      adapter: () => sqlite(options),
      process: () => processAdapter({ module, factory: "sqlite", options }),
      kill: (adapter) => (adapter as ThreadAdapter)[killThread](),
      outage: {
        begin: () => renameSync(directory, hidden),
        end: () => renameSync(hidden, directory),
      },
      dispose: () => rmSync(root, { recursive: true, force: true }),
    };
  },
});

describe.concurrent.each([...new Set(cases.map(({ group }) => group))])("sqlite: %s", (group) => {
  for (const one of cases) if (one.group === group) test(one.name, one.run);
});
