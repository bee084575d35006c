/**
 * The adapter against the contract: its thread and its process killed, and the directory taken away below it. Each case has a directory of its
 * own, so they run side by side: one computes while another waits for the disk.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { conformancePlace, writeByte } from "@leakdb/adapter-tests";
import { killThread, type ThreadAdapter } from "@leakdb/core/adapter-thread";
import { lmdb } from "@leakdb/lmdb";
import { conformanceCases, processAdapter } from "@leakdb/testkit";
import { describe, test } from "vitest";

/** Cases of a group run at once: dozens of openings and starts of processes on a machine that may be busy. */
const CASE_LIMIT_MS = 60_000;
const module = new URL("../dist/index.js", import.meta.url);

/** So many bytes apart a bit is flipped, from the first page of all on: heads, branches, leaves. */
const FLIPS_APART = 9_001;
/** Flips a bit, in another place for each index, and answers what flips it back. */
function damage(path: string, index: number): () => void {
  const at = 40 + index * FLIPS_APART;
  const byte = readFileSync(path)[at] as number;
  writeByte(path, at, byte ^ 0x10);
  return () => writeByte(path, at, byte);
}

function casesOn(disk: "shared" | "small") {
  return conformanceCases({
    name: "lmdb",
    create: () => {
      const { directory, outage, failWrites, dispose } = conformancePlace("lmdb", disk);
      const options = { directory: join(directory, "store") };
      return {
        adapter: () => lmdb(options),
        process: () => processAdapter({ module, factory: "lmdb", options }),
        kill: (adapter) => (adapter as ThreadAdapter)[killThread](),
        outage,
        damage: (index) => damage(join(directory, "store", "data.mdb"), index),
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

describe.concurrent.each([...new Set(cases.map(({ group }) => group))])("lmdb: %s", (group) => {
  for (const one of cases) if (one.group === group) test(one.name, one.run, CASE_LIMIT_MS);
});
