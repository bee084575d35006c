/** One owner at a time, in a Cluster whose nodes fail over: nothing that a former owner sent lands, however late. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { RedisAdapterOptions } from "@leakdb/redis";
import { type RedisServer, until } from "@leakdb/redis-servers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Layout } from "../src/layout.js";
import {
  afterThisTest,
  DEADLINE_MS,
  LIMIT_MS,
  never,
  type OpenedStore,
  openStore,
  put,
  puts,
  TestCluster,
  whyNoCluster,
} from "./cluster-servers.js";

const OWNER_PROCESS = fileURLToPath(new URL("./cluster-owner-process.mjs", import.meta.url));
const LOCKED = { code: "LEAKDB_LOCKED" };
const FENCED = { code: "LEAKDB_FENCED" };
const PARTITIONS = 256;

let servers: TestCluster;
let prefix: string;

/** Resolves when it owns the store and has written, with what it says it has written until it is killed. */
async function ownerProcess(options: RedisAdapterOptions) {
  const child = spawn(process.execPath, [OWNER_PROCESS, JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  afterThisTest(() => child.kill("SIGKILL"));
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  await until(async () => said !== "", { what: "a process to own the store", deadlineMs: DEADLINE_MS });
  return {
    /** @returns the last version that it knew to be stored */
    async kill(): Promise<number> {
      child.kill("SIGKILL");
      await once(child, "exit");
      return Number(said.slice(0, said.lastIndexOf("\n")).split("\n").at(-1));
    },
  };
}

/** Opens until it is not refused any more. */
function openSoon(options: RedisAdapterOptions): Promise<OpenedStore> {
  return until(() => openStore(options), { what: "the store to be free", deadlineMs: DEADLINE_MS });
}

/** An owner through proxies that has a connection to each node, and then a write whose commands are on their way. */
async function withLateWrite() {
  const first = await openStore({ ...servers.proxied(prefix), commandTimeout: DEADLINE_MS });
  await first.write(...puts(2_000, 1, "before"));
  for (const proxy of servers.proxies.proxies) proxy.freeze("requests");
  const late = first.adapter.write(puts(2_000, 10_001, "late"), { signal: never });
  late.catch(() => undefined);
  return { first, late };
}

function valuesOf(records: readonly { readonly value: Uint8Array }[]): Set<string> {
  return new Set(records.map(({ value }) => Buffer.from(value).toString()));
}

async function markOf(partition: number): Promise<{ mark: string; owner: RedisServer }> {
  return {
    mark: new Layout(prefix, true).markOf(partition),
    owner: await servers.ownerOf(prefix, partition),
  };
}

// A server that was given by URL is one server, which is no Cluster.
describe.skipIf(whyNoCluster)("the owner of a store in a Cluster", () => {
  beforeAll(async () => {
    servers = await TestCluster.start();
  }, LIMIT_MS);
  afterAll(() => servers[Symbol.asyncDispose]());
  const owning = (name: string, body: () => Promise<void>): void => {
    test(name, { timeout: LIMIT_MS }, async () => {
      prefix = servers.prefix();
      afterThisTest(() => servers.comeBack());
      await body();
    });
  };

  owning("is a process that keeps another out, until kill -9 leaves the store free in seconds", async () => {
    const owner = await ownerProcess(servers.direct(prefix));
    await expect(openStore(servers.direct(prefix))).rejects.toMatchObject(LOCKED);
    const stored = await owner.kill();
    const store = await openSoon(servers.direct(prefix));
    expect(store.state.highVersion).toBeGreaterThanOrEqual(stored);
    const keys = new Set((await store.records()).map(({ key }) => key));
    for (let version = 1; version <= stored; version += 1) expect(keys.has(`key ${version}`)).toBe(true);
  });

  owning("is fenced by a takeover: what it has on its way does not land", async () => {
    const { first, late } = await withLateWrite();
    const second = await openStore({ ...servers.direct(prefix), takeover: true });
    expect(valuesOf(await second.records())).toEqual(new Set(["before"]));
    await second.write(put("new", "second", 20_000));
    const before = servers.proxies.proxies.map(({ counts }) => counts.requestBytes);
    await servers.comeBack();
    await expect(late).rejects.toMatchObject(FENCED);
    const passed = servers.proxies.proxies.filter(({ counts }, at) => counts.requestBytes > before[at]!);
    expect(passed.length).toBeGreaterThanOrEqual(3);
    await expect(first.write(put("another", "late", 30_000))).rejects.toMatchObject(FENCED);
    expect(first.reports).toEqual([expect.objectContaining(FENCED)]);
    await first.adapter.close();
    await second.write(put("newer", "second", 20_001));
    expect(valuesOf(await second.records())).toEqual(new Set(["before", "second"]));
    expect(second.reports).toEqual([]);
  });

  owning("is fenced also where a master fails over while its commands are on their way", async () => {
    const { late } = await withLateWrite();
    const second = await openStore({ ...servers.direct(prefix), takeover: true });
    const [master] = await servers.cluster.masters();
    await servers.cluster.failOver(master!);
    await servers.comeBack();
    await expect(late).rejects.toMatchObject(FENCED);
    expect(valuesOf(await second.records())).toEqual(new Set(["before"]));
  });

  for (const [way, cutsFirst] of [
    ["over the connections it had", false],
    ["over new connections", true],
  ] as const) {
    owning(`is fenced ${way} also where a failover has forgotten the takeover`, async () => {
      const { first, late } = await withLateWrite();
      const { mark, owner } = await markOf(0);
      const forgotten = (await owner.command("HGETALL", mark)) as string[];
      const second = await openStore({ ...servers.direct(prefix), takeover: true });
      await second.write(...puts(2_000, 20_001, "second"));
      // As the replica knew it, had it been promoted before it heard of the takeover.
      await owner.command("HSET", mark, ...forgotten);
      if (cutsFirst) for (const proxy of servers.proxies.proxies) proxy.cut();
      await servers.comeBack();
      await expect(late).rejects.toMatchObject(cutsFirst ? { kind: "ambiguous" } : FENCED);
      await expect(first.write(put("late", "late", 30_000))).rejects.toMatchObject(FENCED);
      const layout = new Layout(prefix, true);
      const others = (await second.records()).filter(({ key }) => layout.partitionOf(key) !== 0);
      expect(valuesOf(others)).toEqual(new Set(["second"]));
    });
  }

  owning("opens above the epochs that a failover has forgotten", async () => {
    const { mark, owner } = await markOf(0);
    const first = await openStore(servers.direct(prefix));
    await first.write(...puts(2_000, 1, "before"));
    await first.adapter.close();
    const epoch = Number(await owner.command("HGET", mark, "epoch"));
    await owner.command("HSET", mark, "epoch", epoch - 2);
    const second = await openStore(servers.direct(prefix));
    expect(Number(await owner.command("HGET", mark, "epoch"))).toBeGreaterThan(epoch);
    await second.write(...puts(2_000, 10_001, "after"));
    expect(valuesOf(await second.records())).toEqual(new Set(["after"]));
    expect(second.reports).toEqual([]);
  });

  owning("goes on after a mark was set back, under a new epoch", async () => {
    const store = await openStore(servers.direct(prefix));
    const { mark, owner } = await markOf(7);
    await owner.command("HINCRBY", mark, "epoch", -1);
    const key = servers.keyIn(7);
    await expect(store.write(put(key, "first", 1))).rejects.toMatchObject({ kind: "transient" });
    await store.write(put(key, "first", 1));
    expect(await store.adapter.load([key])).toMatchObject([{ version: 1 }]);
  });

  owning("notices that a mark is gone: nothing is written beside it, and nothing given up", async () => {
    const store = await openStore(servers.direct(prefix));
    const { mark, owner } = await markOf(7);
    await store.write(put(servers.keyIn(7), "first", 1));
    await owner.command("UNLINK", mark);
    const write = (): Promise<void> => store.write(put(servers.keyIn(7, 1), "second", 2));
    await expect(write()).rejects.toMatchObject({ kind: "transient" });
    await expect(write()).rejects.toMatchObject({ kind: "transient", code: "LEAKDB_CORRUPTION" });
    expect(await owner.command("EXISTS", mark)).toBe(0);
  });

  owning("has partitions on all masters, within reason", async () => {
    const counts = new Map<RedisServer, number>();
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      const { owner } = await markOf(partition);
      counts.set(owner, (counts.get(owner) ?? 0) + 1);
    }
    expect(counts.size).toBe(3);
    for (const count of counts.values()) expect(count).toBeGreaterThan(PARTITIONS / 3 / 1.5);
  });
});
