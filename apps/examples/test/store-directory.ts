/** Directories of stores in tests: in memory where the system has such a disk, as each of thousands of files is synced. */

import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Fixture } from "@leakdb/testkit";
import { onTestFinished } from "vitest";

const PLACE = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** A directory for one test. */
export async function storeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(PLACE, "leakdb-files-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

/** A directory for one conformance case, which can be taken away and brought back. */
export async function caseDirectory(): Promise<
  Pick<Required<Fixture>, "outage" | "dispose"> & { directory: string }
> {
  const root = await mkdtemp(join(PLACE, "leakdb-files-"));
  const directory = join(root, "data");
  const away = join(root, "away");
  await mkdir(directory);
  return {
    directory,
    outage: { begin: () => rename(directory, away), end: () => rename(away, directory) },
    dispose: () => rm(root, { recursive: true }),
  };
}
