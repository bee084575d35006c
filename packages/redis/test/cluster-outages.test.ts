/** What becomes of a storage while nodes cannot be reached or do not serve, none of which loses what was stored. */

import { systemClock } from "@leakdb/core/adapter";
import { redis } from "@leakdb/redis";
import { type RedisServer, type TcpProxy, until } from "@leakdb/redis-servers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClusterLoad, hasLost } from "./cluster-load.js";
import {
  afterThisTest,
  DEADLINE_MS,
  LIMIT_MS,
  never,
  openStore,
  put,
  puts,
  TestCluster,
  urlOf,
  whyNoCluster,
} from "./cluster-servers.js";

const IMPATIENT = { commandTimeout: 2_000, connectTimeout: 2_000 };

let servers: TestCluster;

async function proxyOf(index: number): Promise<TcpProxy> {
  return servers.proxies.of((await servers.cluster.masters())[index]!);
}

function untilSays(server: RedisServer, state: "ok" | "fail"): Promise<unknown> {
  const asks = async (): Promise<boolean> =>
    String(await server.command("CLUSTER", "INFO")).includes(`cluster_state:${state}`);
  return until(asks, { what: `a Cluster that says ${state}`, deadlineMs: DEADLINE_MS });
}

/** A further fault that has that in its message. */
function untilFault(load: ClusterLoad, part: RegExp): Promise<unknown> {
  const from = load.faults.length;
  return until(async () => load.faults.slice(from).some(({ message }) => part.test(message)), {
    what: `a fault like ${part}`,
    deadlineMs: DEADLINE_MS,
    detail: () => load.faults.map(({ message }) => message).join("\n"),
  });
}

async function losesNothing(load: ClusterLoad): Promise<void> {
  expect(await load.verify()).toBe(0);
  expect(hasLost(load.faults)).toBe(false);
}

// A server that was given by URL is one server, which is no Cluster.
describe.skipIf(whyNoCluster)("a storage over a Cluster that is away", () => {
  beforeAll(async () => {
    servers = await TestCluster.start();
  }, LIMIT_MS);
  afterAll(() => servers[Symbol.asyncDispose]());
  const survives = (name: string, body: () => Promise<void>): void => {
    test(name, { timeout: LIMIT_MS }, async () => {
      afterThisTest(() => servers.comeBack());
      await body();
    });
  };

  survives("goes on after replies were lost, the commands of which were done", async () => {
    const load = await ClusterLoad.start(servers);
    const proxy = await proxyOf(0);
    await proxy.arm({ on: "replies", bytes: 200, effect: "drop-replies" });
    await untilFault(load, /timed out|no answer|given up/);
    await proxy.arm({ on: "replies", bytes: 0, effect: "reset" });
    await losesNothing(load);
  });

  survives("goes on after commands were lost half-way", async () => {
    const load = await ClusterLoad.start(servers);
    const proxy = await proxyOf(1);
    await proxy.arm({ on: "requests", bytes: 1_000, effect: "reset" });
    await load.more();
    await losesNothing(load);
  });

  survives("goes on after its connections were left half-open", async () => {
    const load = await ClusterLoad.start(servers);
    (await proxyOf(2)).halfOpen();
    await untilFault(load, /timed out|no answer|given up/);
    await losesNothing(load);
  });

  survives("goes on after all nodes were away", async () => {
    const load = await ClusterLoad.start(servers);
    await servers.goAway();
    await untilFault(load, /ECONNREFUSED/);
    await servers.comeBack();
    await losesNothing(load);
  });

  survives("says at the opening that all nodes are away, and opens when they are back", async () => {
    const adapter = redis({ ...servers.proxied(servers.prefix()), ...IMPATIENT });
    const limits = { batchMax: 10_000, batchBytesMax: 8 * 1024 * 1024 };
    const context = { clock: systemClock, signal: never, limits, report: () => undefined };
    await servers.goAway();
    await expect(adapter.open(context)).rejects.toMatchObject({ kind: "transient" });
    await adapter.close();
    await servers.comeBack();
    await adapter.open(context);
    await adapter.close();
  });

  survives("closes while all nodes are away, and the store is free soon after", async () => {
    const prefix = servers.prefix();
    const first = await openStore(servers.proxied(prefix));
    await first.write(...puts(2_000));
    await servers.goAway();
    await first.adapter.close();
    await servers.comeBack();
    const second = await openStore(servers.proxied(prefix));
    expect(await second.records()).toHaveLength(2_000);
  });

  survives("does not close for certain while what it sent may still land", async () => {
    const prefix = servers.prefix();
    const store = await openStore({ ...servers.proxied(prefix), ...IMPATIENT });
    await store.write(...puts(2_000));
    for (const proxy of servers.proxies.proxies) proxy.freeze();
    const late = store.adapter.write(puts(2_000, 10_001, "late"), { signal: AbortSignal.timeout(200) });
    await expect(late).rejects.toMatchObject({ kind: "ambiguous" });
    await expect(store.adapter.close()).rejects.toMatchObject({ kind: "ambiguous" });
    await servers.comeBack();
    await store.adapter.close();
    const second = await openStore(servers.direct(prefix));
    const sorted = async () => (await second.records()).sort((a, b) => (a.key < b.key ? -1 : 1));
    const before = await sorted();
    expect(await sorted()).toEqual(before);
  });

  survives("goes on after a slot had no owner", async () => {
    const load = await ClusterLoad.start(servers);
    const masters = await servers.cluster.masters();
    const owner = await servers.cluster.ownerOf(0);
    for (const node of servers.cluster.nodes) await node.command("CLUSTER", "DELSLOTS", 0);
    afterThisTest(() => owner.command("CLUSTER", "ADDSLOTS", 0).catch(() => undefined));
    await untilFault(load, /serves not all of its slots/);
    await owner.command("CLUSTER", "ADDSLOTS", 0);
    await Promise.all(masters.map((master) => untilSays(master, "ok")));
    await losesNothing(load);
  });

  survives("goes on after most masters were gone", async () => {
    const load = await ClusterLoad.start(servers);
    const [first, second, third] = await servers.cluster.masters();
    await Promise.all([first!.pause(), second!.pause()]);
    afterThisTest(() => Promise.all([first!.resume(), second!.resume()]));
    await untilSays(third!, "fail");
    await untilFault(load, /serves not all of its slots|did not answer|timed out|given up|ETIMEDOUT/);
    await Promise.all([first!.resume(), second!.resume()]);
    await servers.cluster.untilStable();
    await load.verify();
  });

  survives("begins at the second node where the first is down", async () => {
    const prefix = servers.prefix();
    await servers.proxies.proxies[0]!.refuse();
    const [{ url }, nodes] = [servers.proxied(prefix), [urlOf(servers.proxies.proxies[4]!)]];
    await expect(openStore({ ...servers.proxied(prefix), natMap: {} })).rejects.toThrow("ECONNREFUSED");
    // Past the proxies, as nothing maps what the second node says of the others.
    const store = await openStore({ url: url!, nodes, keyPrefix: prefix });
    await store.write(put("a", "first", 1));
    expect(await store.records()).toHaveLength(1);
  });
});
