/** Ways to a server: TLS, users, databases, a client of one's own; and names that mean something to a server. */

import { findServer, startStandalone, whyNoServer } from "@leakdb/redis-servers";
import { Redis } from "ioredis";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { openAdapter, openStorage, put, puts, rejection, serverOfThisTest } from "./standalone-servers.js";

const server = await startStandalone();
afterAll(() => server.stop());
beforeEach(() => server.command("FLUSHALL"));

const missing = await whyNoServer({ version: "valkey" });

describe("TLS", () => {
  it("is spoken with an authority of one's own, and refused without it", async () => {
    const own = await serverOfThisTest({ tls: true });
    const connection = { tls: { ca: own.ca as string } };
    const store = await openAdapter({ url: own.url, connection });
    await store.write(...puts(1_000));
    expect(await store.records()).toHaveLength(1_000);
    await store.adapter.close();
    const error = await rejection(openAdapter({ url: own.url }));
    expect(error.message).toMatch(/certificate/);
  });
});

/**
 * All that the adapter asks of a server, as `docs/redis.md` lists it. Those below may be left out: without `INFO` nobody sees
 * an eviction policy, without `CLIENT LIST` a dead owner's lease has to end, without `ROLE` and `WAIT` no replica is asked.
 */
const NEEDED = [
  "+hello +auth +select +client|setname",
  "+eval +mget +mset +scan +type +unlink +pexpire +hmget +hget +hset +hdel +hincrby +time",
].join(" ");
const USEFUL = "+info +client|list +role +wait";

describe("a user with the commands that docs/redis.md lists, and the keys of the prefix,", () => {
  const allowed = `on >secret ~leakdb:* ${NEEDED}`;

  async function worksFor(rules: string, version: "7" | "valkey"): Promise<void> {
    const own = await serverOfThisTest({ server: await findServer({ version }), users: { app: rules } });
    const options = { url: own.url, connection: { username: "app", password: "secret", db: 3 } };
    const store = await openAdapter({ ...options, lease: 1_000 });
    await store.write(...puts(100), put("expiring", "x", 1_000, Date.now() + 60_000));
    await store.write({ type: "delete", key: "key 000000", version: 2_000 });
    await store.write({ type: "clear", prefix: "key 00001", version: 2_001 });
    expect(await store.keys()).toHaveLength(90);
    expect(await store.adapter.load(["key 000001", "missing"])).toEqual([expect.anything(), undefined]);
    await store.adapter.sync();
    await store.adapter.close();
    expect(await store.open()).toMatchObject({ highVersion: 2_001 });
    expect(store.reports).toEqual([]);
  }

  it("works", () => worksFor(`${allowed} ${USEFUL}`, "7"));
  it("works without those that it can do without", () => worksFor(allowed, "7"));
  // Where no Valkey is to be had there is nothing to ask; the other tests ask Redis the same.
  it.skipIf(missing !== undefined)("works on Valkey", () => worksFor(`${allowed} ${USEFUL}`, "valkey"));

  it.each(NEEDED.split(" ").filter((name) => !/hello|auth|select/.test(name)))("needs %s", async (name) => {
    const rules = `${allowed} ${USEFUL}`.replace(` ${name} `, " ");
    const own = await serverOfThisTest({ users: { app: rules } });
    const connection = { username: "app", password: "secret" };
    const works = async (): Promise<void> => {
      const store = await openAdapter({ url: own.url, connection, lease: 1_000 });
      await store.write(put("a", "1", 1, Date.now() + 60_000), put("b", "1", 1));
      await store.write({ type: "delete", key: "b", version: 2 });
      await store.records();
      await store.adapter.load(["missing"]);
      await store.adapter.close();
      const owner = await own.command("HGET", "leakdb:", "owner");
      if (owner !== null) throw new Error("lacks a permission to give the store back");
    };
    expect((await rejection(works())).message).toContain("lacks a permission");
  });
});

describe("databases and prefixes", () => {
  it("keep stores apart", async () => {
    const { host, port } = server;
    const stores = [
      await openAdapter({ url: `redis://${host}:${port}/1` }),
      await openAdapter({ url: `redis://${host}:${port}/2` }),
      await openAdapter({ url: `redis://${host}:${port}/2`, keyPrefix: "other:" }),
    ];
    for (const [index, store] of stores.entries()) await store.write(put(`key ${index}`, "x", index + 1));
    for (const [index, store] of stores.entries()) expect(await store.keys()).toEqual([`key ${index}`]);
    await stores[1]?.write({ type: "clear", prefix: "", version: 100 });
    expect(await stores[1]?.keys()).toEqual([]);
    expect(await stores[2]?.keys()).toEqual(["key 2"]);
  });

  it.each(["a*", "[ab]", "a?", "a\\", "^[^a]", "{tag}:", "é\u0000 \n", "__proto__"])(
    "may hold what means something to a server (%j), in keys too",
    async (keyPrefix) => {
      const store = await openAdapter({ url: server.url, keyPrefix });
      // What a pattern would take as well, and what no one may touch.
      const others = ["ab", "aXtheirs", "a", "b", "abc", "{tag}"].filter(
        (name) => !name.startsWith(keyPrefix),
      );
      for (const name of others) await server.command("SET", name, "theirs");
      const keys = ["*", "?", "[a-z]", "\\", "{0}x", "a", "é", "\u0000", "__proto__", "😀", " "];
      await store.write(...keys.map((key, index) => put(key, key, index + 1)));
      expect(await store.keys()).toEqual([...keys].sort());
      for (const prefix of ["*", "?", "[", "\\", "{0}"]) {
        const found: string[] = [];
        for await (const page of store.adapter.scan({ prefix })) found.push(...page.map(({ key }) => key));
        expect(found).toEqual(keys.filter((key) => key.startsWith(prefix)));
      }
      await store.write({ type: "clear", prefix: "*", version: 1_000 });
      await store.write({ type: "clear", prefix: "[a-z]", version: 1_001 });
      expect(await store.keys()).toEqual(keys.filter((key) => !/^[*[]/.test(key)).sort());
      for (const name of others) expect(await server.command("GET", name)).toBe("theirs");
    },
  );
});

describe("a client of one's own", () => {
  it("lends its settings, and is neither used nor changed nor closed", async () => {
    const client = new Redis({
      host: server.host,
      port: server.port,
      db: 5,
      keyPrefix: "mine:",
      protocol: 2,
    });
    await client.set("a", "1");
    const before = JSON.stringify(client.options);
    const id = await client.client("ID");
    const commands = async (): Promise<string> => {
      const list = String(await server.command("CLIENT", "LIST", "ID", Number(id)));
      return `${/ name=(\S*)/.exec(list)?.[1]} ${/ db=(\d+)/.exec(list)?.[1]} ${/ cmd=(\S+)/.exec(list)?.[1]}`;
    };
    const told = await commands();
    const { storage } = await openStorage({ client });
    storage.set("a", 2);
    await storage.flush();
    await storage.close();
    expect(await commands()).toBe(told);
    expect(JSON.stringify(client.options)).toBe(before);
    expect(client.status).toBe("ready");
    expect(await client.get("a")).toBe("1");
    const plain = new Redis({ host: server.host, port: server.port, db: 5 });
    expect((await plain.keys("*")).sort()).toEqual(["leakdb:", "leakdb:a", "mine:a"]);
    plain.disconnect();
    client.disconnect();
  });
});
