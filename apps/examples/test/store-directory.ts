/** Directories of stores in tests: in memory where the system has such a disk, as each of thousands of files is synced. */

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Fixture } from "@leakdb/testkit";
import { onTestFinished } from "vitest";

const PLACE = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

const DISK_OPTIONS = ["-t", "tmpfs", "-o", "size=48m", "leakdb-test"];

/** A directory for one test. */
export async function storeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(PLACE, "leakdb-files-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

/**
 * A directory for one conformance case, which can be taken away and brought back, and whose files can be damaged. On a
 * disk of its own that can be filled, where `disk` is "small" and this user may mount one.
 */
export async function caseDirectory(
  disk: "shared" | "small",
): Promise<Pick<Fixture, "outage" | "dispose" | "damage" | "failWrites"> & { directory: string }> {
  const root = await mkdtemp(join(PLACE, "leakdb-files-"));
  const directory = join(root, "data");
  const away = join(root, "away");
  await mkdir(directory);
  const isMounted = disk === "small" && spawnSync("mount", [...DISK_OPTIONS, directory]).status === 0;
  const ballast = join(directory, "ballast");
  return {
    directory,
    outage: { begin: () => rename(directory, away), end: () => rename(away, directory) },
    damage: (index) => damage(directory, index),
    failWrites: isMounted ? { begin: () => fillUp(ballast), end: () => rm(ballast) } : undefined,
    dispose: async () => {
      if (isMounted) execFileSync("umount", ["--lazy", directory]);
      await rm(root, { recursive: true });
    },
  };
}

const DAMAGES: readonly ((bytes: Buffer) => Buffer)[] = [
  (bytes) => Buffer.concat([bytes.subarray(0, -3), Buffer.from("?"), bytes.subarray(-2)]),
  (bytes) => bytes.subarray(0, -1),
  () => Buffer.alloc(0),
];

/** Damages a record, or with an index beyond {@link DAMAGES} takes the store's own away; answers what undoes it. */
async function damage(directory: string, index: number): Promise<() => Promise<void>> {
  const change = DAMAGES[index];
  const names = (await readdir(directory)).filter((name) => name.endsWith(".record")).sort();
  // The store's own record is that of the empty key, whose name has no words of its own.
  const own = /^key-[0-9a-f]{32}\./;
  const path = join(directory, names.find((name) => own.test(name) === (change === undefined)) ?? "missing");
  const whole = await readFile(path);
  await (change === undefined ? rm(path) : writeFile(path, change(whole)));
  return () => writeFile(path, whole);
}

/** Writes to `path` until there is no room left. */
async function fillUp(path: string): Promise<void> {
  const file = await open(path, "w");
  try {
    for (;;) await file.write(Buffer.alloc(4_096));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  } finally {
    await file.close();
  }
}
