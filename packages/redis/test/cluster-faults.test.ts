/** What a Cluster does to a storage: after each of these all that was stored is there, and work goes on by itself. */

import { type RedisServer, until } from "@leakdb/redis-servers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClusterLoad, hasLost } from "./cluster-load.js";
import { afterThisTest, DEADLINE_MS, LIMIT_MS, TestCluster, whyNoCluster } from "./cluster-servers.js";

let servers: TestCluster;

async function masterAt(index: number): Promise<RedisServer> {
  return (await servers.cluster.masters())[index]!;
}

/** Kills a server until the end of the test; it comes back as the replica of whom the Cluster has promoted. */
async function die(server: RedisServer): Promise<void> {
  afterThisTest(async () => {
    await server.restart();
    await servers.cluster.untilStable();
  });
  await server.kill();
}

/** Its replica hears no more of what it writes. */
async function cutReplication(master: RedisServer): Promise<RedisServer> {
  const [replica] = await servers.cluster.replicasOf(master);
  await replica!.command("CONFIG", "SET", "masteruser", "nobody");
  await master.command("CLIENT", "KILL", "TYPE", "replica");
  return replica!;
}

// A server that was given by URL is one server, which is no Cluster.
describe.skipIf(whyNoCluster)("a storage over a Cluster", () => {
  beforeAll(async () => {
    servers = await TestCluster.start();
  }, LIMIT_MS);
  afterAll(() => servers[Symbol.asyncDispose]());
  const survives = (name: string, body: () => Promise<void>): void => {
    test(name, { timeout: 2 * LIMIT_MS }, async () => {
      afterThisTest(() => servers.comeBack());
      await body();
    });
  };

  survives("goes on after the master that it began at was killed, and its replica promoted", async () => {
    const load = await ClusterLoad.start(servers);
    const master = servers.cluster.nodes[0]!;
    await die(master);
    await servers.cluster.untilStable();
    await load.verify();
    expect(load.faults.length).toBeGreaterThan(0);
  });

  survives("goes on after a master was failed over", async () => {
    const load = await ClusterLoad.start(servers);
    const promoted = await servers.cluster.failOver(await masterAt(0));
    await load.more();
    await servers.cluster.failOver(promoted);
    expect(await load.verify()).toBe(0);
    expect(hasLost(load.faults)).toBe(false);
  });

  survives("goes on after a master stood still and was replaced", async () => {
    const load = await ClusterLoad.start(servers);
    const master = await masterAt(1);
    const [replica] = await servers.cluster.replicasOf(master);
    await master.pause();
    await until(async () => String(await replica!.command("ROLE")).startsWith("master"), {
      what: "the replica to be promoted",
      deadlineMs: DEADLINE_MS,
    });
    await load.more();
    await master.resume();
    await servers.cluster.untilStable();
    await load.verify();
  });

  survives("is told what a failover has lost of what was stored", async () => {
    const load = await ClusterLoad.start(servers);
    const master = await masterAt(2);
    const replica = await cutReplication(master);
    await load.more();
    await die(master);
    await servers.cluster.untilStable();
    await load.more();
    expect(hasLost(load.faults)).toBe(true);
    expect(await load.verify()).toBeGreaterThan(0);
    await replica.command("CONFIG", "SET", "masteruser", String(await administratorOf(replica)));
  });
});

/** As whom this server copies another: the others know it. */
async function administratorOf(server: RedisServer): Promise<unknown> {
  const other = servers.cluster.nodes.find((each) => each !== server && each.pid !== undefined);
  const [, name] = (await other!.command("CONFIG", "GET", "masteruser")) as string[];
  return name;
}
