/** How a Cluster is reached and what it is refused for, and what a batch costs it. */

import { redis } from "@leakdb/redis";
import { type RedisServer, startStandalone } from "@leakdb/redis-servers";
import { Cluster } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Layout } from "../src/layout.js";
import {
  afterThisTest,
  LIMIT_MS,
  openStore,
  put,
  puts,
  TestCluster,
  whyNoCluster,
} from "./cluster-servers.js";

const NOT_SUPPORTED = { kind: "permanent", code: "LEAKDB_NOT_SUPPORTED" };
const BATCH = 10_000;
/** One for each partition, and not one for each record. */
const SCRIPTS_MAX = 300;
const SECRET = "a secret / with @ signs";

let servers: TestCluster;

async function scriptsRun(): Promise<number> {
  const counts = await Promise.all(
    (await servers.cluster.masters()).map(async (master) => {
      const stats = String(await master.command("INFO", "commandstats"));
      return Number(/cmdstat_eval(?:sha)?:calls=(\d+)/.exec(stats)?.[1] ?? 0);
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Somebody's client, for another part of their program. */
function clientOf(cluster: TestCluster, options: ConstructorParameters<typeof Cluster>[1] = {}): Cluster {
  const client = new Cluster([...cluster.proxies.proxies], options);
  client.on("error", () => undefined);
  afterThisTest(() => client.disconnect());
  return client;
}

/** What keys there are with the prefix on one server. */
async function namesOn(server: RedisServer, prefix: string): Promise<unknown> {
  return ((await server.command("KEYS", `${prefix}*`)) as string[]).sort();
}

// A server that was given by URL is one server, which is no Cluster.
describe.skipIf(whyNoCluster)("a store in a Cluster", () => {
  beforeAll(async () => {
    servers = await TestCluster.start();
  }, LIMIT_MS);
  afterAll(() => servers[Symbol.asyncDispose]());

  test("takes the addresses and the map of a client that is in use, and leaves it alone", async () => {
    const { natMap } = servers.proxies;
    const client = clientOf(servers, { natMap });
    await client.set("theirs", "1");
    const store = await openStore({ client, keyPrefix: servers.prefix() });
    await store.write(...puts(1_000));
    expect(await store.records()).toHaveLength(1_000);
    expect(servers.proxies.of(servers.cluster.nodes[0]!).counts.open).toBeGreaterThan(1);
    await store.adapter.close();
    expect(client.status).toBe("ready");
    expect(await client.get("theirs")).toBe("1");
  });

  test.each([
    ["a url", (url: string, _port: number) => url],
    ["a port", (_url: string, port: number) => port],
  ])(
    "begins where a client begins that has not connected yet: %s, with a function as its map",
    async (_, node) => {
      const { natMap, proxies } = servers.proxies;
      const { port } = proxies[0]!;
      const client = new Cluster([node(`redis://127.0.0.1:${port}`, port)], {
        lazyConnect: true,
        natMap: (address) => natMap[address] ?? null,
      });
      const before = proxies[0]!.counts.accepted;
      const store = await openStore({ client, keyPrefix: servers.prefix() });
      await store.write(put("a", "first", 1));
      expect(proxies[0]!.counts.accepted).toBeGreaterThan(before);
      expect(client.status).toBe("wait");
    },
  );

  test("is refused for another database than 0", async () => {
    const { url } = servers.cluster.nodes[0]!;
    const keyPrefix = servers.prefix();
    for (const options of [{ url: `${url}/1` }, { url, connection: { db: 2 } }]) {
      const opening = openStore({ ...options, keyPrefix });
      await expect(opening).rejects.toMatchObject(NOT_SUPPORTED);
      await expect(opening).rejects.toThrow("database 0");
    }
  });

  test("is refused for a key prefix that lets no hash tag count", async () => {
    const opening = openStore(servers.direct(`${servers.prefix()}{}{shop}:`));
    await expect(opening).rejects.toMatchObject(NOT_SUPPORTED);
  });

  test("is found to be one by a user who may not ask for INFO", async () => {
    const keyPrefix = servers.prefix();
    for (const node of servers.cluster.nodes) {
      await node.command("ACL", "SETUSER", "shy", "on", ">pw", "~*", "&*", "+@all", "-info");
    }
    const nodes = servers.cluster.nodes.map(({ port }) => `redis://shy:pw@127.0.0.1:${port}`);
    const store = await openStore({ nodes, keyPrefix });
    await store.write(...puts(1_000));
    expect(await store.records()).toHaveLength(1_000);
    expect((await servers.names(keyPrefix)).has(`${keyPrefix}{9}`)).toBe(true);
  });

  test("is refused on a master that evicts, whichever it is", async () => {
    const master = (await servers.cluster.masters())[2]!;
    const set = (name: string, value: string) => master.command("CONFIG", "SET", name, value);
    afterThisTest(() => set("maxmemory", "0"));
    await set("maxmemory", "1gb");
    await set("maxmemory-policy", "allkeys-lru");
    await expect(openStore(servers.direct(servers.prefix()))).rejects.toMatchObject(NOT_SUPPORTED);
    await openStore({ ...servers.direct(servers.prefix()), acceptEviction: true });
  });

  test("is refused where it was made on one server, and the reverse, and nothing is changed", async () => {
    await using server = await startStandalone();
    const keyPrefix = servers.prefix();
    const layout = new Layout(keyPrefix, true);
    const alone = await openStore({ url: server.url, keyPrefix });
    await alone.adapter.close();
    const mark = (await server.command("HGETALL", keyPrefix)) as string[];
    // Its keys, as somebody may have brought them over.
    const owner = await servers.cluster.ownerOf(await servers.cluster.slotOf(keyPrefix));
    await owner.command("HSET", keyPrefix, ...mark);
    await expect(openStore(servers.direct(keyPrefix))).rejects.toMatchObject(NOT_SUPPORTED);
    expect([...(await servers.names(keyPrefix)).keys()]).toEqual([keyPrefix]);

    const other = servers.prefix();
    await server.command("HSET", `${other}{0}`, ...mark);
    await expect(openStore({ url: server.url, keyPrefix: other })).rejects.toMatchObject(NOT_SUPPORTED);
    expect(await namesOn(server, other)).toEqual([`${other}{0}`]);
    // A record that has the mark's name on one server is none.
    const third = servers.prefix();
    const store = await openStore({ url: server.url, keyPrefix: third });
    await store.write(put("{0}", "a record", 1));
    await store.adapter.close();
    await openStore({ url: server.url, keyPrefix: third });
    expect(layout.partitions).toBe(256);
  });

  test("takes a batch of ten thousand records as a script for each partition", async () => {
    const store = await openStore(servers.direct(servers.prefix()));
    const before = await scriptsRun();
    await store.write(...puts(BATCH));
    // Besides a beat of the lease, perhaps.
    expect((await scriptsRun()) - before).toBeLessThan(SCRIPTS_MAX);
  });
});

// A server that was given by URL is one server, which is no Cluster.
describe.skipIf(whyNoCluster)("a Cluster with passwords and TLS", () => {
  let secure: TestCluster;
  beforeAll(async () => {
    secure = await TestCluster.start({ password: SECRET, tls: true, replicasPerMaster: 0 });
  }, LIMIT_MS);
  afterAll(() => secure[Symbol.asyncDispose]());

  test("is opened with both, by url and by client, and refused without", { timeout: LIMIT_MS }, async () => {
    const { url, ca, port } = secure.cluster.nodes[0]!;
    const tls = { ca: ca! };
    const store = await openStore({ url, connection: { tls }, keyPrefix: "secure:" });
    await store.write(...puts(1_000));
    expect(await store.records()).toHaveLength(1_000);
    const place = { host: "127.0.0.1", port };
    const client = new Cluster([place], { lazyConnect: true, redisOptions: { password: SECRET, tls } });
    const other = await openStore({ client, keyPrefix: "other:" });
    await other.write(...puts(1_000));
    const wrong = redis({ url: `rediss://:wrong@127.0.0.1:${port}`, connection: { tls }, keyPrefix: "x:" });
    expect(wrong.name).not.toContain("wrong");
    const without = { connection: { ...place, tls }, keyPrefix: "secure:" };
    await expect(openStore(without)).rejects.toMatchObject({ kind: "permanent" });
    await expect(openStore({ url: `redis://127.0.0.1:${port}`, connectTimeout: 3_000 })).rejects.toThrow();
  });
});
