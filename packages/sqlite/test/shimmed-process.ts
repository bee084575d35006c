/**
 * Runs a store in a process whose disk is watched, and fails when told to, by `disk-shim.cc`: without rights of any
 * kind, on every Linux with a C++ compiler.
 */

import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { makeDirectory } from "./opened-store.js";

export type Fault = "full" | "fail-syncs" | "fail-writes";

export type Step =
  | { readonly do: "open" | "close" | "sync" | "versions" | "reports" }
  | { readonly do: "write"; readonly count?: number; readonly firstVersion: number }
  | { readonly do: "begin" | "end"; readonly fault: Fault }
  | { readonly do: "remove"; readonly suffix: "-wal" | "-shm" }
  | { readonly do: "mark"; readonly name: string };

export interface Played {
  /** What each step gave, or `{ error }`. */
  readonly outcomes: readonly unknown[];
  /** Names of the files that were synced, and marks, in their order. */
  readonly calls: readonly string[];
}

const fileHere = (name: string): string => fileURLToPath(new URL(`./${name}`, import.meta.url));

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
  const args = [...options, fileHere("disk-shim.cc"), "-ldl"];
  const { status, stderr } = spawnSync(compiler, args, { encoding: "utf8" });
  if (status === 0) return { library };
  rmSync(directory, { recursive: true });
  return { missing: `${compiler} cannot build disk-shim.cc: ${stderr}` };
}

export function removeShim(shim: Shim): void {
  if ("library" in shim) rmSync(join(shim.library, ".."), { recursive: true });
}

/** Plays the steps on a new store, in a process of its own. */
export async function play(
  shim: Shim,
  synchronous: "NORMAL" | "FULL",
  steps: readonly Step[],
): Promise<Played> {
  if ("missing" in shim) throw new Error(shim.missing);
  // The shim sees paths with their links followed.
  const directory = realpathSync(makeDirectory());
  const filename = join(directory, "store.db");
  const control = join(directory, "control");
  mkdirSync(control);
  const environment = {
    ...process.env,
    LD_PRELOAD: shim.library,
    LEAKDB_SHIM_FILES: filename,
    LEAKDB_SHIM_CONTROL: control,
  };
  const script = [{ do: "mark", name: "start" }, ...steps];
  const args = [fileHere("scripted-process.mjs"), filename, synchronous, control, JSON.stringify(script)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: environment });
  return {
    outcomes: (JSON.parse(stdout) as unknown[]).slice(1),
    calls: readFileSync(join(control, "calls"), "utf8").trim().split("\n").slice(1),
  };
}
