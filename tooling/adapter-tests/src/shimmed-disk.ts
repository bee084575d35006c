/**
 * Runs a program in a process whose disk is watched, and fails when told to, by `disk-shim.cc`: without rights of any
 * kind, on every Linux with a C++ compiler.
 */

import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { makeDirectory } from "./after-this-test.js";
import type { Step } from "./scripted-store.js";

/** Beside this file or what is compiled from it. */
const SOURCE = fileURLToPath(new URL("../src/disk-shim.cc", import.meta.url));

/** The built shim, or why there is none. */
export type Shim = { readonly library: string } | { readonly missing: string };

/** Builds the shim into a directory of its own, which `removeShim` takes away. */
export function buildShim(): Shim {
  if (process.platform !== "linux") return { missing: "the disk is watched by LD_PRELOAD, on Linux alone" };
  const compilers = [process.env["CXX"], "c++", "g++", "clang++"].filter((name) => name !== undefined);
  const compiler = compilers.find(
    (name) => name !== "" && spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0,
  );
  if (compiler === undefined)
    return { missing: `there is no C++ compiler (looked for ${compilers.join(", ")})` };
  const directory = mkdtempSync(join(tmpdir(), "leakdb-shim-"));
  const library = join(directory, "disk-shim.so");
  const options = ["-std=c++14", "-O1", "-Wall", "-shared", "-fPIC", "-o", library];
  const { status, stderr } = spawnSync(compiler, [...options, SOURCE, "-ldl"], { encoding: "utf8" });
  if (status === 0) return { library };
  rmSync(directory, { recursive: true });
  return { missing: `${compiler} cannot build disk-shim.cc: ${stderr}` };
}

export function removeShim(shim: Shim): void {
  if ("library" in shim) rmSync(join(shim.library, ".."), { recursive: true });
}

export interface Run {
  /** What the program printed. */
  readonly output: string;
  /**
   * What reached the disk, in its order: the name of a file that was synced, with ` (O_DSYNC)` behind it where a write
   * did both at once, and whatever lines the program added to the file `calls` in the control directory.
   */
  readonly calls: readonly string[];
}

/**
 * Runs `program` with `args`, which may be made of the two paths: `files`, such that the files whose path begins with
 * it are minded, and the `control` directory, where a file named after a {@link Fault} makes the disk fail.
 */
export async function runShimmed(
  shim: Shim,
  program: URL,
  args: (files: string, control: string) => readonly string[],
): Promise<Run> {
  if ("missing" in shim) throw new Error(shim.missing);
  // The shim sees paths with their links followed.
  const directory = realpathSync(makeDirectory());
  const files = join(directory, "store");
  const control = join(directory, "control");
  mkdirSync(control);
  const env = {
    ...process.env,
    LD_PRELOAD: shim.library,
    LEAKDB_SHIM_FILES: files,
    LEAKDB_SHIM_CONTROL: control,
  };
  const command = [fileURLToPath(program), ...args(files, control)];
  const { stdout } = await promisify(execFile)(process.execPath, command, { env });
  return { output: stdout, calls: linesOf(join(control, "calls")) };
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n").slice(0, -1);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

export interface Played {
  /** What each step gave, or `{ error }`. */
  readonly outcomes: readonly unknown[];
  /** As in {@link Run}, with the marks of the script. */
  readonly calls: readonly string[];
}

/** Plays the steps on a new store by `program`, which calls `playScript`; `more` is what its adapter is made with. */
export async function playShimmed(
  shim: Shim,
  program: URL,
  steps: readonly Step[],
  ...more: string[]
): Promise<Played> {
  const script = JSON.stringify(steps);
  const { output, calls } = await runShimmed(shim, program, (path, control) => [
    path,
    control,
    script,
    ...more,
  ]);
  return { outcomes: JSON.parse(output) as unknown[], calls };
}
