/**
 * The adapter against the contract: its thread and its process killed, and the directory taken away below it. Each case has a directory of its
 * own, so they run side by side: one computes while another waits for the disk.
 */

import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { killThread, type ThreadAdapter } from "@leakdb/core/adapter-thread";
import { lmdb } from "@leakdb/lmdb";
import { conformanceCases, type Outage, processAdapter } from "@leakdb/testkit";
import { describe, test } from "vitest";
import { fillUp } from "./real-disks.js";

/** Cases of a group run at once: dozens of openings and starts of processes on a machine that may be busy. */
const CASE_LIMIT_MS = 60_000;
const module = new URL("../dist/index.js", import.meta.url);

/** So many bytes apart a bit is flipped, from the first page of all on: heads, branches, leaves. */
const FLIPS_APART = 9_001;
/** A file system of its own for one case, as large as `failWrites` wants to see it full. */
const DISK_OPTIONS = ["-t", "tmpfs", "-o", "size=48m", "leakdb-test"];

/** What fills the disk of `directory` and empties it again; `undefined` where the system or its user cannot have one. */
function mountDisk(directory: string): Outage | undefined {
  if (spawnSync("mount", [...DISK_OPTIONS, directory]).status !== 0) return undefined;
  const ballast = join(directory, "ballast");
  return { begin: () => fillUp(ballast), end: () => rmSync(ballast) };
}

/** Flips a bit, in another place for each index, and answers what flips it back. */
function damage(path: string, index: number): () => void {
  const at = 40 + index * FLIPS_APART;
  const byte = readFileSync(path)[at] as number;
  writeByte(path, at, byte ^ 0x10);
  return () => writeByte(path, at, byte);
}

function writeByte(path: string, at: number, byte: number): void {
  const descriptor = openSync(path, "r+");
  writeSync(descriptor, Uint8Array.of(byte), 0, 1, at);
  closeSync(descriptor);
}

function casesOn(disk: "shared" | "small") {
  return conformanceCases({
    name: "lmdb",
    create: () => {
      const root = mkdtempSync(join(tmpdir(), "leakdb-lmdb-"));
      const directory = join(root, "data");
      const hidden = join(root, "away");
      mkdirSync(directory);
      const failWrites = disk === "small" ? mountDisk(directory) : undefined;
      const options = { directory: join(directory, "store") };
      return {
        adapter: () => lmdb(options),
        process: () => processAdapter({ module, factory: "lmdb", options }),
        kill: (adapter) => (adapter as ThreadAdapter)[killThread](),
        outage: {
          begin: () => renameSync(directory, hidden),
          end: () => renameSync(hidden, directory),
        },
        damage: (index) => damage(join(directory, "store", "data.mdb"), index),
        failWrites,
        failInBackground: (adapter) => (adapter as ThreadAdapter)[killThread](),
        dispose: () => {
          if (failWrites !== undefined) execFileSync("umount", ["--lazy", directory]);
          rmSync(root, { recursive: true, force: true });
        },
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
