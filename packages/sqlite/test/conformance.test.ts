/**
 * The adapter against the contract: its thread and its process killed, and the file taken away below it. Each case has a directory of its
 * own, so they run side by side: one computes while another waits for the disk.
 */

import { appendFileSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { conformancePlace, writeByte } from "@leakdb/adapter-tests";
import { killThread, type ThreadAdapter } from "@leakdb/core/adapter-thread";
import { sqlite } from "@leakdb/sqlite";
import { conformanceCases, processAdapter } from "@leakdb/testkit";
import { describe, test } from "vitest";

/** Cases of a group run at once: dozens of openings and starts of processes on a machine that may be busy. */
const CASE_LIMIT_MS = 60_000;
const module = new URL("../dist/index.js", import.meta.url);

/** Where a bit is flipped: the magic, the page size, the type of the first page. SQLite has no checksums of records. */
const FLIPPED = [3, 16, 100];
const CUT_BYTES = 4096;
/** Damages the file, in another way for each index, and answers what undoes it. */
function damage(path: string, index: number): () => void {
  const whole = readFileSync(path);
  const at = FLIPPED[index];
  if (at === undefined) truncateSync(path, whole.byteLength - CUT_BYTES);
  else writeByte(path, at, (whole[at] as number) ^ 0x41);
  return () => {
    if (at === undefined) appendFileSync(path, whole.subarray(-CUT_BYTES));
    else writeByte(path, at, whole[at] as number);
  };
}

function casesOn(disk: "shared" | "small") {
  return conformanceCases({
    name: "sqlite",
    create: () => {
      const { directory, outage, failWrites, dispose } = conformancePlace("sqlite", disk);
      const options = { filename: join(directory, "store.db") };
      return {
        adapter: () => sqlite(options),
        process: () => processAdapter({ module, factory: "sqlite", options }),
        kill: (adapter) => (adapter as ThreadAdapter)[killThread](),
        outage,
        damage: (index) => damage(join(directory, "store.db"), index),
        failWrites,
        failInBackground: (adapter) => (adapter as ThreadAdapter)[killThread](),
        dispose,
      };
    },
  });
}

// Only where a disk has to be full a case has one of its own.
const onSmallDisk = casesOn("small");
const cases = casesOn("shared").map((one, index) =>
  one.requires?.reason.includes("fixture.failWrites") ? (onSmallDisk[index] ?? one) : one,
);

describe.concurrent.each([...new Set(cases.map(({ group }) => group))])("sqlite: %s", (group) => {
  for (const one of cases) if (one.group === group) test(one.name, one.run, CASE_LIMIT_MS);
});
