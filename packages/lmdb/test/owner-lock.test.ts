/** The owner's lock among processes that fight for it, and die with it. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeDirectory } from "@leakdb/adapter-tests";
import { expect, it } from "vitest";

const PROCESSES = 4;
const TAKES = 40;

it("is held by one at a time, however its owners end", { timeout: 30_000 }, async () => {
  const root = makeDirectory();
  const [directory, control] = [join(root, "store"), join(root, "control")];
  mkdirSync(directory);
  mkdirSync(control);
  const script = fileURLToPath(new URL("./contending-process.mjs", import.meta.url));
  const exits = Array.from({ length: PROCESSES }, async () => {
    const args = [script, directory, control, String(TAKES)];
    const [, signal] = await once(spawn(process.execPath, args, { stdio: "inherit" }), "exit");
    return signal;
  });
  expect(await Promise.all(exits)).toEqual(Array.from({ length: PROCESSES }, () => "SIGKILL"));
  expect(readdirSync(control)).toEqual([]);
  // One number each time, and only the last one is left, with what a killed newcomer may have left beside it.
  const names = readdirSync(directory).filter((name) => !name.startsWith("owner-new-"));
  expect(names).toEqual([`owner-${PROCESSES * TAKES}`]);
});
