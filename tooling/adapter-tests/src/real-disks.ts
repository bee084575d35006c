/**
 * Disks that are full or read-only for the kernel, not for a shim. Where this machine or its user cannot have one, the
 * test is skipped and says why.
 */

import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "vitest";
import { afterThisTest, makeDirectory } from "./after-this-test.js";
import { skipWithout } from "./skip-with-reason.js";

export interface RealDisk {
  readonly directory: string;
  remount(options: string): void;
}

/** A file system of its own of some KiB; needs Linux and the right to mount. */
export function mountSmallDisk(kibibytes: number, context: TestContext): RealDisk {
  skipWithout(context, process.platform === "linux" ? undefined : "it needs a tmpfs, which Linux alone has");
  const directory = join(makeDirectory(), "disk");
  mkdirSync(directory);
  const options = ["-t", "tmpfs", "-o", `size=${kibibytes}k`, "leakdb-test", directory];
  const { status, stderr } = spawnSync("mount", options, { encoding: "utf8" });
  const refusal = stderr?.trim().split("\n")[0] ?? "there is no mount command";
  skipWithout(context, status === 0 ? undefined : `it needs the right to mount (${refusal})`);
  afterThisTest(() => void execFileSync("umount", ["--lazy", directory]));
  return {
    directory,
    remount: (change) => void execFileSync("mount", ["-o", `remount,${change}`, directory]),
  };
}

/** Writes to `path` until there is no room left. */
export function fillUp(path: string): void {
  const descriptor = openSync(path, "w");
  try {
    for (;;) writeSync(descriptor, Buffer.alloc(4096));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  } finally {
    closeSync(descriptor);
  }
}

const isRoot = (): boolean => process.getuid?.() === 0;

/**
 * Makes a file or a directory one that cannot be changed.
 * @returns what makes it as it was; also done after the test.
 */
export function makeReadOnly(path: string, isDirectory: boolean, context: TestContext): () => void {
  let undo = (): void => chmodSync(path, isDirectory ? 0o700 : 0o600);
  if (isRoot()) {
    // Permissions do not bind root.
    const { status, stderr } = spawnSync("chattr", ["+i", path], { encoding: "utf8" });
    const refusal = stderr?.trim() ?? "there is no chattr command";
    skipWithout(context, status === 0 ? undefined : `root needs an immutable file (${refusal})`);
    undo = () => void execFileSync("chattr", ["-i", path]);
  } else {
    chmodSync(path, isDirectory ? 0o500 : 0o400);
  }
  afterThisTest(undo);
  return undo;
}
