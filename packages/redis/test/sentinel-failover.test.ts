/**
 * Failovers of Sentinels under traffic. Redis replicates behind its answers, so that one after a kill loses what the
 * primary had acknowledged and not yet handed on, and a graceful one what it acknowledges after the replica's promotion. That is measured here, and told by a fault.
 */

import type { RedisAdapterOptions } from "@leakdb/redis";
import {
  type RedisSentinels,
  type RedisServer,
  type SentinelsOptions,
  startSentinels,
  until,
} from "@leakdb/redis-servers";
import { afterEach, describe, expect, it } from "vitest";
import { openAdapter, openStorage, put, puts } from "./standalone-servers.js";
import { Traffic } from "./traffic.js";

let group: RedisSentinels;
afterEach(() => group.stop());

async function start(settings: SentinelsOptions = {}): Promise<RedisServer> {
  group = await startSentinels(settings);
  return group.primary();
}

const options = (): RedisAdapterOptions => ({
  connection: { sentinels: group.sentinels.map(({ host, port }) => ({ host, port })), name: group.name },
  commandTimeout: 1_000,
  connectTimeout: 2_000,
});

describe.sequential("under traffic", { timeout: 60_000 }, () => {
  it.each([
    ["nothing that its replica had", {}],
    ["nothing, where the primary wants a replica (min-replicas-to-write 1)", { "min-replicas-to-write": 1 }],
  ])("a graceful failover loses %s; what it loses beside is told", async (_what, config) => {
    const primary = await start({ config });
    const { storage, faults } = await openStorage(options());
    for (let index = 0; index < 100; index += 1) storage.set(`before ${index}`, index);
    await storage.flush();
    await until(async () => (await primary.command("WAIT", 1, 1_000)) === 1, {
      what: "a replica that has all",
    });
    const traffic = new Traffic(storage);
    await traffic.more(50);
    expect(await group.failOver()).not.toBe(primary);
    await storage.persisted(storage.version, "stored", { timeout: 60_000 });
    await traffic.more(50);
    const { memory, stored } = await traffic.end(options());
    const lost = Object.keys(memory).filter((key) => memory[key] !== stored[key]);
    // A Sentinel promotes the replica first and tells the primary later: what that acknowledges in between, it loses.
    const isTold = faults.some(({ message }) => message.includes("lost writes that were acknowledged"));
    console.info(
      `a graceful failover, ${JSON.stringify(config)}: ${lost.length} of ${traffic.count} writes lost`,
    );
    expect(lost.filter((key) => key.startsWith("before"))).toEqual([]);
    if (lost.length > 0) expect(isTold).toBe(true);
  });

  it("a failover after a kill, when the replica has everything, loses nothing either", async () => {
    const primary = await start();
    const { storage } = await openStorage(options());
    for (let index = 0; index < 100; index += 1) storage.set(`key ${index}`, index);
    await storage.flush();
    await until(async () => (await primary.command("WAIT", 1, 1_000)) === 1, {
      what: "a replica that has all",
    });
    const traffic = new Traffic(storage);
    await primary.kill();
    await storage.persisted(storage.version, "stored", { timeout: 60_000 });
    await traffic.more(1);
    await storage.flush({ timeout: 60_000 });
    // The adapter goes by one Sentinel; the others may not have heard of it yet.
    await group.untilStable();
    expect(await (await group.primary()).command("EXISTS", "leakdb:key 99")).toBe(1);
  });

  it("a primary that stood still is told by its READONLY, and the store finds the new one", async () => {
    const primary = await start();
    const { storage } = await openStorage(options());
    const traffic = new Traffic(storage);
    await traffic.more(50);
    await primary.pause();
    await until(async () => (await group.primary()) !== primary, { what: "another primary" });
    await primary.resume();
    await group.untilStable();
    await storage.persisted(storage.version, "stored", { timeout: 60_000 });
    await traffic.mustBeStored(options());
  });
});

it("what a replica had not been sent when its primary died is lost, and told with how much", {
  timeout: 60_000,
}, async () => {
  const primary = await start();
  const store = await openAdapter(options());
  await store.write(...puts(100));
  await until(async () => (await primary.command("WAIT", 1, 1_000)) === 1, {
    what: "a replica that has all",
  });
  // The primary answers, and its replica hears no more than what fits between the two.
  const [replica] = await group.replicas();
  await replica?.pause();
  const value = Buffer.alloc(1024 * 1024);
  for (let version = 101; version <= 130; version += 1)
    await store.write(put(`late ${version}`, value, version));
  await primary.kill();
  await replica?.resume();
  await group.untilStable();
  await until(
    async () => {
      await store.write(put("after", "x", 200));
      return true;
    },
    { what: "a write to the new primary", deadlineMs: 40_000 },
  );
  const lost = 30 - (await store.keys()).filter((key) => key.startsWith("late ")).length;
  const told = store.reports.find(({ message }) => message.includes("lost writes that were acknowledged"));
  console.info(`a failover after a kill lost ${lost} of 30 acknowledged writes of 1 MiB`);
  expect(lost).toBeGreaterThan(0);
  expect(told).toMatchObject({ code: "LEAKDB_CORRUPTION" });
  expect(told?.message).toContain(`versions to 130, and one of them knows none above ${130 - lost};`);
  expect((await store.keys()).filter((key) => key.startsWith("key "))).toHaveLength(100);
});
