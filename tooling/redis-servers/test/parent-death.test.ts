import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { findServer, until, whyNotOurs } from "../src/index.js";

const CHILD = fileURLToPath(new URL("child/start-and-tell.mjs", import.meta.url));
const reason = whyNotOurs(await findServer());

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

// A server that is not ours to start has no parent here (see `reason`).
test.skipIf(reason).each([
  ["is killed", "stay"],
  ["ends of itself", "leave"],
])(
  "a server ends, paused even, and its folder goes, when the process that started it %s",
  async (_, what) => {
    const child = spawn(process.execPath, [CHILD, what], { stdio: ["ignore", "pipe", "inherit"] });
    const exit = once(child, "exit");
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const { pid, folder } = JSON.parse(String(line)) as { pid: number; folder: string };
    if (what === "stay") {
      expect([isAlive(pid), existsSync(folder)]).toEqual([true, true]);
      child.kill("SIGKILL");
    }
    await exit;
    await until(async () => !isAlive(pid), { what: "the end of the server" });
    await until(async () => !existsSync(folder), { what: "the end of its folder" });
  },
);
