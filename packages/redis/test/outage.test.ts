/** A server that is away for long: an hour by a clock of the test's own, and fifteen seconds by the real one. */

import { setTimeout as delay } from "node:timers/promises";
import { isLeakDBError } from "@leakdb/core";
import { ManualClock } from "@leakdb/testkit";
import { expect, it } from "vitest";
import {
  openAdapter,
  openStorage,
  proxyOfThisTest,
  serverOfThisTest,
  storedNow,
  urlOf,
} from "./standalone-servers.js";
import { Traffic } from "./traffic.js";

it("for an hour: reads and writes go on within the bounds, and all is stored soon after", {
  timeout: 60_000,
}, async () => {
  const server = await serverOfThisTest();
  const proxy = await proxyOfThisTest(server);
  const clock = new ManualClock();
  const limits = { highWaterMark: 300, capacity: 500, batchMax: 100, retry: {} };
  const { storage, faults } = await openStorage({ url: urlOf(proxy) }, { clock, ...limits });
  /** Time goes on, and so does what waits for the network. */
  const pass = async (ms: number): Promise<void> => {
    await clock.advance(ms);
    await delay(2);
  };
  /** Slowly enough that no deadline of core's passes while a busy machine is at work on a call. */
  const passUntil = async (done: Promise<unknown>): Promise<void> => {
    let isDone = false;
    const end = (): void => {
      isDone = true;
    };
    done.then(end, end);
    while (!isDone) await pass(20);
    await done;
  };
  storage.set("before", 1);
  await passUntil(storage.flush());
  await proxy.refuse();
  proxy.cut();
  let refused = 0;
  for (let minute = 0; minute < 60; minute += 1) {
    for (let index = 0; index < 10; index += 1) {
      try {
        storage.set(`key ${minute} ${index}`, minute);
      } catch (error) {
        if (!isLeakDBError(error) || error.code !== "LEAKDB_QUEUE_FULL") throw error;
        refused += 1;
      }
    }
    storage.set("key 0 0", minute);
    expect(storage.get("key 0 0")).toBe(minute);
    expect(storage.get("before")).toBe(1);
    await pass(60_000);
    // A key in the hands of the lane and rewritten meanwhile counts twice.
    expect(storage.stats().queue?.waiting).toBeLessThanOrEqual(501);
  }
  expect(refused).toBeGreaterThanOrEqual(99);
  expect(storage.needDrain).toBe(true);
  expect(storage.deadLetters()).toEqual([]);
  // A server that is away is asked now and then, not all the time.
  expect(faults.length).toBeLessThan(500);
  await proxy.admit();
  await passUntil(storage.flush({ timeout: 3_600_000 }));
  expect(storage.needDrain).toBe(false);
  const memory = Object.fromEntries(storage.entries());
  await passUntil(storage.close());
  expect(await storedNow({ url: server.url })).toEqual(memory);
});

it("for fifteen seconds, with writes going on", { timeout: 60_000 }, async () => {
  const server = await serverOfThisTest({ appendOnly: true, appendFsync: "always" });
  const { storage } = await openStorage({ url: server.url });
  const traffic = new Traffic(storage);
  await traffic.more(20);
  await server.kill();
  const startMs = performance.now();
  let waitingMax = 0;
  while (performance.now() - startMs < 15_000) {
    await delay(250);
    waitingMax = Math.max(waitingMax, storage.stats().queue?.waiting ?? 0);
  }
  // Keys that wait wait once: 500 of them, `count`, and those in the hands of the lane besides.
  expect(waitingMax).toBeLessThanOrEqual(1_002);
  expect(waitingMax).toBeGreaterThan(0);
  await server.restart();
  await storage.persisted(storage.version, "stored", { timeout: 60_000 });
  await traffic.mustBeStored({ url: server.url });
});

it("holds a capacity of waiting keys while the server is away, and refuses what is more", async () => {
  const server = await serverOfThisTest({ appendOnly: true, appendFsync: "always" });
  const limits = { highWaterMark: 50, capacity: 100, batchMax: 20 };
  const { storage } = await openStorage({ url: server.url }, limits);
  await server.kill();
  let refused = 0;
  for (let index = 0; index < 1_000; index += 1) {
    try {
      storage.set(`key ${index}`, index);
    } catch (error) {
      if (!isLeakDBError(error) || error.code !== "LEAKDB_QUEUE_FULL") throw error;
      refused += 1;
      expect(storage.has(`key ${index}`)).toBe(false);
    }
  }
  expect(refused).toBeGreaterThanOrEqual(899);
  expect(storage.needDrain).toBe(true);
  await server.restart();
  await storage.drained();
  await storage.flush();
  const memory = [...storage.keys()].sort();
  await storage.close();
  expect(await (await openAdapter({ url: server.url })).keys()).toEqual(memory);
});
