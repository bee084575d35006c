/**
 * What befalls a server and the way to it while a store is written to: nothing acknowledged as stored is lost, reads go on,
 * and service catches up by itself.
 */

import { setTimeout as delay } from "node:timers/promises";
import type { PersistentQueueStorage } from "@leakdb/core";
import { type RedisServer, type TcpProxy, until } from "@leakdb/redis-servers";
import { describe, expect, it } from "vitest";
import {
  type OpenedStorage,
  openAdapter,
  openStorage,
  proxyOfThisTest,
  put,
  puts,
  rejection,
  serverOfThisTest,
  urlOf,
} from "./standalone-servers.js";
import { Traffic } from "./traffic.js";

interface Behind extends OpenedStorage {
  readonly server: RedisServer;
  readonly proxy: TcpProxy;
  readonly traffic: Traffic;
}

/** A store behind a proxy, on a server of its own, with traffic. */
async function underTraffic(commandTimeout = 1_000): Promise<Behind> {
  const server = await serverOfThisTest({ appendOnly: true, appendFsync: "always" });
  const proxy = await proxyOfThisTest(server);
  const opened = await openStorage({ url: urlOf(proxy), commandTimeout, connectTimeout: 2_000 });
  const traffic = new Traffic(opened.storage);
  await traffic.more(20);
  return { ...opened, server, proxy, traffic };
}

const isStoring = async (storage: PersistentQueueStorage<number>): Promise<void> => {
  await storage.persisted(storage.version, "stored", { timeout: 60_000 });
};

describe("nothing is lost, and service catches up alone, when", () => {
  it.each([1, 2, 3])("the server is killed with writes under way and started again (%i)", async () => {
    const { server, storage, traffic } = await underTraffic();
    await server.kill();
    await traffic.more(50);
    await server.restart();
    await isStoring(storage);
    await traffic.mustBeStored({ url: server.url });
  });

  it("connections are cut before the batch has come to the server", async () => {
    const { server, proxy, storage, traffic, faults } = await underTraffic();
    for (let cuts = 0; cuts < 3; cuts += 1) {
      const cut = proxy.arm({ on: "requests", marker: "unpack(KEYS, 2)", effect: "reset" });
      await cut;
      await isStoring(storage);
    }
    await traffic.mustBeStored({ url: server.url });
    expect(faults.length).toBeGreaterThan(0);
  });

  it("connections are cut after the batch was applied, and its reply is lost", async () => {
    const { server, proxy, storage, traffic } = await underTraffic();
    for (const effect of ["reset", "end", "drop-replies", "half-open"] as const) {
      await proxy.arm({ on: "replies", bytes: 0, effect });
      await isStoring(storage);
    }
    await traffic.mustBeStored({ url: server.url });
  });

  it("connections become half-open: nothing passes, and no end is seen", async () => {
    const { server, proxy, storage, traffic } = await underTraffic();
    proxy.halfOpen();
    await traffic.more(50);
    await isStoring(storage);
    await traffic.mustBeStored({ url: server.url });
  });

  it("the server stands still for longer than a command may take, and goes on", async () => {
    const { server, storage, traffic } = await underTraffic(500);
    await server.pause();
    await delay(1_500);
    await traffic.more(50);
    await server.resume();
    await isStoring(storage);
    await traffic.mustBeStored({ url: server.url });
  });

  it("bytes are slow", async () => {
    const { server, proxy, storage, traffic } = await underTraffic();
    proxy.delay(200);
    await isStoring(storage);
    await traffic.mustBeStored({ url: server.url });
  });
});

describe("a server that is down", () => {
  it("at the opening is told with its address, and nothing stays open", async () => {
    const server = await serverOfThisTest();
    await server.kill();
    const error = await rejection(openStorage({ url: server.url }));
    expect(error).toMatchObject({ code: "LEAKDB_OPEN_FAILED", retryable: true });
    expect(error.message).toContain(`127.0.0.1:${server.port}`);
    expect(error.message).toContain("ECONNREFUSED");
    await server.restart();
    await openStorage({ url: server.url });
  });

  it("and does not even refuse ends an opening by its deadline", async () => {
    const server = await serverOfThisTest();
    await server.pause();
    const error = await rejection(openStorage({ url: server.url, connectTimeout: 500 }));
    expect(error).toMatchObject({ code: "LEAKDB_OPEN_FAILED", retryable: true });
    await server.resume();
  });

  it.each(["down", "paused"])("at the close gives back what was not stored, in time (%s)", async (how) => {
    const server = await serverOfThisTest();
    const { storage } = await openStorage({ url: server.url, commandTimeout: 500, connectTimeout: 500 });
    storage.set("a", 1);
    await storage.flush();
    if (how === "down") await server.kill();
    else await server.pause();
    storage.set("b", 2);
    const startMs = performance.now();
    const error = await rejection(storage.close({ timeout: 1_000 }));
    expect(error).toMatchObject({
      code: "LEAKDB_CLOSE_INCOMPLETE",
      unwritten: [expect.objectContaining({ operation: "put", key: "b", value: 2 })],
    });
    // Bounded; how fast it is, is not the question on a busy machine.
    expect(performance.now() - startMs).toBeLessThan(20_000);
    await server.resume();
  });
});

describe("a store whose keys somebody removes (FLUSHALL)", () => {
  it("writes nothing more, says so, and can be opened anew", async () => {
    const server = await serverOfThisTest();
    const { storage, fault } = await openStorage({ url: server.url });
    storage.set("a", 1);
    await storage.flush();
    await server.command("FLUSHALL");
    storage.set("b", 2);
    const error = await fault(({ message }) => message.includes("another one than before"));
    expect(error).toMatchObject({ code: "LEAKDB_CORRUPTION" });
    expect(storage.get("a")).toBe(1);
    expect(await server.command("EXISTS", "leakdb:b")).toBe(0);
    const closing = await rejection(storage.close({ timeout: 300 }));
    expect(closing).toMatchObject({ code: "LEAKDB_CLOSE_INCOMPLETE", unwritten: [{ key: "b" }] });
    const again = await openAdapter({ url: server.url });
    expect(await again.keys()).toEqual([]);
  });
});

it("sends what comes after a lost connection over a new one, under a new epoch, in order", async () => {
  const server = await serverOfThisTest();
  const proxy = await proxyOfThisTest(server);
  const { adapter, write, reports, records } = await openAdapter({ url: urlOf(proxy) });
  await write(...puts(100));
  const epoch = await server.command("HGET", "leakdb:", "epoch");
  proxy.cut();
  await until(async () => write(put("a", "1", 1_000)).then(() => true), { what: "a new connection" });
  expect(Number(await server.command("HGET", "leakdb:", "epoch"))).toBeGreaterThan(Number(epoch));
  expect(await records()).toHaveLength(101);
  expect(reports).toEqual([]);
  await adapter.close();
  expect(await server.command("HGET", "leakdb:", "owner")).toBeNull();
});
