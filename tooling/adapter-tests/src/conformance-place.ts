/**
 * A place for one case of the conformance suite, for adapters that keep files: a directory that can be taken away, on
 * a disk of its own where the case needs it full.
 */

import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fillUp } from "./real-disks.js";

/** As large as the suite's cases of full disks want it. */
const SMALL_DISK = ["-t", "tmpfs", "-o", "size=48m", "leakdb-test"];

interface Trouble {
  begin(): void;
  end(): void;
}

export interface ConformancePlace {
  readonly directory: string;
  readonly outage: Trouble;
  /** Fills the disk and empties it; `undefined` on a shared disk, and where the system or its user cannot have another. */
  readonly failWrites: Trouble | undefined;
  dispose(): void;
}

export function conformancePlace(name: string, disk: "shared" | "small"): ConformancePlace {
  const root = mkdtempSync(join(tmpdir(), `leakdb-${name}-`));
  const directory = join(root, "data");
  const hidden = join(root, "away");
  mkdirSync(directory);
  const isMounted = disk === "small" && spawnSync("mount", [...SMALL_DISK, directory]).status === 0;
  const ballast = join(directory, "ballast");
  return {
    directory,
    outage: { begin: () => renameSync(directory, hidden), end: () => renameSync(hidden, directory) },
    failWrites: isMounted ? { begin: () => fillUp(ballast), end: () => rmSync(ballast) } : undefined,
    dispose() {
      if (isMounted) execFileSync("umount", ["--lazy", directory]);
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Changes one byte of a file in place. */
export function writeByte(path: string, at: number, byte: number): void {
  const descriptor = openSync(path, "r+");
  writeSync(descriptor, Uint8Array.of(byte), 0, 1, at);
  closeSync(descriptor);
}
