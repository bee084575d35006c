/** Owners in processes of their own, which die by SIGKILL, hang, or are cut off. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { RedisAdapterOptions } from "@leakdb/redis";
import { startStandalone } from "@leakdb/redis-servers";
import { afterAll, beforeEach, expect, it } from "vitest";
import {
  afterThisTest,
  openAdapter,
  openStorage,
  proxyOfThisTest,
  rejection,
  urlOf,
} from "./standalone-servers.js";

const server = await startStandalone();
afterAll(() => server.stop());
beforeEach(() => server.command("FLUSHALL"));

const HOUR_MS = 3_600_000;

interface Owner {
  readonly process: ChildProcess;
  /** Of those that were stored. */
  readonly lastCount: () => number;
  /** Resolves with the next line that is not a count. */
  readonly word: Promise<string>;
  kill(): Promise<void>;
}

async function startOwner(options: RedisAdapterOptions): Promise<Owner> {
  const script = fileURLToPath(new URL("./owner-process.mjs", import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  afterThisTest(() => void child.kill("SIGKILL"));
  let count = 0;
  const lines = createInterface({ input: child.stdout });
  const word = new Promise<string>((resolve) => {
    lines.on("line", (line) => {
      if (/^\d+$/.test(line)) count = Number(line);
      else resolve(line);
    });
  });
  await once(lines, "line");
  return {
    process: child,
    lastCount: () => count,
    word,
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

it("keeps a second process out at once, and names itself", async () => {
  const owner = await startOwner({ url: server.url });
  const error = await rejection(openStorage({ url: server.url }));
  expect(error).toMatchObject({ code: "LEAKDB_LOCKED", retryable: true });
  expect(error.message).toContain(`process ${owner.process.pid} of `);
  const before = owner.lastCount();
  await expect.poll(owner.lastCount, { timeout: 10_000 }).toBeGreaterThan(before);
});

it("leaves its store to another as soon as it is killed, long before its lease ends", async () => {
  const owner = await startOwner({ url: server.url, lease: HOUR_MS });
  await owner.kill();
  const { storage } = await openStorage({ url: server.url });
  expect(storage.get("count")).toBeGreaterThanOrEqual(owner.lastCount());
  for (let count = 1; count <= owner.lastCount(); count += 1) expect(storage.get(`key ${count}`)).toBe(count);
});

it("keeps its store while it hangs, for as long as its lease lasts", async () => {
  const owner = await startOwner({ url: server.url, lease: 2_000 });
  owner.process.kill("SIGSTOP");
  expect(await rejection(openAdapter({ url: server.url }))).toMatchObject({ code: "LEAKDB_LOCKED" });
  const open = (): Promise<boolean> =>
    openAdapter({ url: server.url }).then(
      () => true,
      () => false,
    );
  await expect.poll(open, { timeout: 12_000 }).toBe(true);
  // What it still wants to say when it wakes is not heard.
  owner.process.kill("SIGCONT");
  expect(await owner.word).toBe("LEAKDB_FENCED");
});

it("is fenced off by a takeover while it writes, and nothing of it lands any more", async () => {
  const owner = await startOwner({ url: server.url });
  const second = await openStorage({ url: server.url, takeover: true });
  expect(await owner.word).toBe("LEAKDB_FENCED");
  const found = second.storage.get("count") as number;
  expect(found).toBeGreaterThanOrEqual(owner.lastCount());
  await second.storage.close();
  const third = await openAdapter({ url: server.url });
  const counted = (await third.keys()).filter((key) => key.startsWith("key "));
  expect(counted.length - found).toBeLessThanOrEqual(0);
});

it("of whom the server has not heard that the network is gone loses its store when its lease ends", async () => {
  const proxy = await proxyOfThisTest(server);
  const owner = await startOwner({ url: urlOf(proxy), lease: 2_000, commandTimeout: 1_000 });
  proxy.freeze();
  await proxy.refuse();
  expect(await rejection(openAdapter({ url: server.url }))).toMatchObject({ code: "LEAKDB_LOCKED" });
  const open = (): Promise<boolean> =>
    openAdapter({ url: server.url }).then(
      () => true,
      () => false,
    );
  await expect.poll(open, { timeout: 12_000 }).toBe(true);
  proxy.heal();
  await proxy.admit();
  expect(await owner.word).toBe("LEAKDB_FENCED");
});
