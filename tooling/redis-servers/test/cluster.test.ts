import { Cluster, Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  findServer,
  type RedisCluster,
  type RedisServer,
  startCluster,
  startProxies,
  whyNoServer,
  whyNotOurs,
} from "../src/index.js";

const reason = whyNotOurs(await findServer());
const LIMIT_MS = 60_000;

/** A key of one of the slots of `master`. */
async function keyOf(cluster: RedisCluster, master: RedisServer): Promise<string> {
  for (let index = 0; ; index++) {
    const key = `key${index}`;
    if ((await cluster.ownerOf(await cluster.slotOf(key))) === master) return key;
  }
}

function clientOf(cluster: RedisCluster, options: ConstructorParameters<typeof Cluster>[1] = {}): Cluster {
  const seeds = cluster.nodes.map(({ host, port }) => ({ host, port }));
  return new Cluster(seeds, { clusterRetryStrategy: () => 50, ...options });
}

// A server that is not ours is no cluster (see `reason`).
describe.skipIf(reason)("a cluster", () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startCluster({ nodeTimeoutMs: 1_000, appendOnly: true });
  }, LIMIT_MS);
  afterAll(() => cluster.stop());

  test("has three masters with all slots, and a replica of each", async () => {
    const masters = await cluster.masters();
    expect(masters).toEqual(cluster.nodes.slice(0, 3));
    for (const [index, master] of masters.entries()) {
      expect(await cluster.replicasOf(master)).toEqual([cluster.nodes[3 + index]]);
    }
    const owners = await Promise.all([0, 5_461, 16_383].map((slot) => cluster.ownerOf(slot)));
    expect(owners).toEqual(masters);
  });

  test("is held between two owners of a slot: ASK for what has moved, TRYAGAIN for half of it", async () => {
    const [from, to] = await cluster.masters();
    const key = await keyOf(cluster, from!);
    const keys = ["a", "b", "c"].map((name) => `{${key}}${name}`);
    for (const each of keys) await from!.command("SET", each, each);
    const migration = await cluster.beginMigration(await cluster.slotOf(key), to!);
    expect(await migration.moveKeys(1)).toBe(1);
    const answers = keys.map((each) => from!.command("GET", each).catch((error: Error) => error.message));
    const asked = (await Promise.all(answers)).filter((answer) => String(answer).startsWith("ASK "));
    expect(asked).toEqual([`ASK ${migration.slot} 127.0.0.1:${to!.port}`]);
    await expect(from!.command("MGET", ...keys)).rejects.toThrow("TRYAGAIN");

    const client = clientOf(cluster);
    expect(await Promise.all(keys.map((each) => client.get(each)))).toEqual(keys);
    client.disconnect();

    await migration.finish();
    expect(await cluster.ownerOf(migration.slot)).toBe(to);
    expect(await to!.command("MGET", ...keys)).toEqual(keys);
    await expect(from!.command("GET", keys[0]!)).rejects.toThrow("MOVED");
  });

  test("keeps a slot whose migration is abandoned", async () => {
    const [from, to] = await cluster.masters();
    const slot = await cluster.slotOf(await keyOf(cluster, from!));
    const migration = await cluster.beginMigration(slot, to!);
    await migration.abandon();
    await cluster.untilStable();
    expect(await cluster.ownerOf(slot)).toBe(from);
  });

  test("is reached through proxies by the map of addresses", async () => {
    await using proxies = await startProxies(cluster.nodes);
    const [master] = await cluster.masters();
    const key = await keyOf(cluster, master!);
    const seeds = proxies.proxies.map(({ host, port }) => ({ host, port }));
    const client = new Cluster(seeds, { natMap: proxies.natMap });
    const before = proxies.of(master!).counts.requestBytes;
    expect(await client.set(key, "1")).toBe("OK");
    expect(proxies.of(master!).counts.requestBytes).toBeGreaterThan(before);
    client.disconnect();
    expect(() => proxies.of({ port: 1 })).toThrow("has no proxy");
  });

  test(
    "fails over, when told to and when a master is killed; who was killed comes back as a replica",
    async () => {
      const [master] = await cluster.masters();
      const key = await keyOf(cluster, master!);
      const slot = await cluster.slotOf(key);
      const replica = await cluster.failOver(master!);
      expect(await cluster.ownerOf(slot)).toBe(replica);
      expect(await cluster.replicasOf(replica)).toEqual([master]);

      const client = clientOf(cluster);
      await client.set(key, "kept");
      // Else what was written may be lost with the master: it answers before its replica has it.
      await replica.command("WAIT", 1, 1_000);
      await replica.kill();
      await cluster.untilStable();
      expect(await cluster.ownerOf(slot)).toBe(master);
      expect(await client.get(key)).toBe("kept");
      client.disconnect();

      await replica.restart();
      await cluster.untilStable();
      expect(await cluster.replicasOf(master!)).toEqual([replica]);
    },
    LIMIT_MS,
  );
});

const noValkey = (await whyNoServer({ version: "valkey" })) ?? reason;
// Valkey can't be had on every machine (see `noValkey`).
test.skipIf(noValkey)(
  "a cluster of Valkey, with TLS and a password, without replicas",
  async () => {
    const server = await findServer({ version: "valkey" });
    await using cluster = await startCluster({ server, replicasPerMaster: 0, tls: true, password: "secret" });
    const [first] = cluster.nodes;
    const client = new Redis(first!.url, { tls: { ca: first!.ca! } });
    expect(await client.cluster("INFO")).toContain("cluster_size:3");
    client.disconnect();
  },
  LIMIT_MS,
);
