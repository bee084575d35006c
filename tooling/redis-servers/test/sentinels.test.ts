import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  findServer,
  type RedisSentinels,
  startProxies,
  startSentinels,
  whyNoServer,
  whyNotOurs,
} from "../src/index.js";

const reason = whyNotOurs(await findServer());
const LIMIT_MS = 60_000;

function addresses(servers: readonly { host: string; port: number }[]) {
  return servers.map(({ host, port }) => ({ host, port }));
}

// Nobody watches a server that is not ours (see `reason`).
describe.skipIf(reason)("a pair with three Sentinels", () => {
  let group: RedisSentinels;
  beforeAll(async () => {
    group = await startSentinels({ password: "secret" });
  }, LIMIT_MS);
  afterAll(() => group.stop());

  test("is a primary and a replica that has what the primary has", async () => {
    const primary = await group.primary();
    expect([primary, ...(await group.replicas())]).toEqual(group.servers);
    await primary.command("SET", "a", "1");
    await primary.command("WAIT", 1, 1_000);
    expect(await group.servers[1]!.command("GET", "a")).toBe("1");
  });

  test("is reached through proxies by the map of addresses", async () => {
    await using before = await startProxies(group.sentinels);
    await using servers = await startProxies(group.servers);
    const client = new Redis({
      name: group.name,
      sentinels: addresses(before.proxies),
      natMap: servers.natMap,
      password: "secret",
    });
    expect(await client.set("a", "1")).toBe("OK");
    expect(servers.of(await group.primary()).counts.accepted).toBe(1);
    client.disconnect();
  });

  test(
    "fails over, when told to and when the primary is killed; who was killed comes back as a replica",
    async () => {
      const [first, second] = group.servers;
      expect(await group.failOver()).toBe(second);
      await expect(first!.command("SET", "a", "2")).rejects.toThrow("READONLY");

      await second!.kill();
      await group.untilStable();
      expect(await group.primary()).toBe(first);
      const client = new Redis({
        name: group.name,
        sentinels: addresses(group.sentinels),
        password: "secret",
      });
      expect(await client.get("a")).toBe("1");
      client.disconnect();

      await second!.restart();
      await group.untilStable();
      expect(await group.replicas()).toEqual([second]);
    },
    LIMIT_MS,
  );
});

const noValkey = (await whyNoServer({ version: "valkey" })) ?? reason;
// Valkey can't be had on every machine (see `noValkey`).
test.skipIf(noValkey)(
  "Sentinels of Valkey, with TLS and two replicas",
  async () => {
    const server = await findServer({ version: "valkey" });
    await using group = await startSentinels({ server, tls: true, replicas: 2 });
    expect(await group.replicas()).toHaveLength(2);
  },
  LIMIT_MS,
);
