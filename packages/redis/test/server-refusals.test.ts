/** What a server refuses, each by its own word: the error that tells it, memory that goes on, and service when it has passed. */

import { mkdir, rename } from "node:fs/promises";
import type { RedisServer, StandaloneOptions } from "@leakdb/redis-servers";
import { until } from "@leakdb/redis-servers";
import { describe, expect, it } from "vitest";
import {
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

const transient = { kind: "transient" };

/** Sets the server so that it refuses writes with `word`, and back: traffic goes on, and all is stored in the end. */
async function passesOver(
  options: StandaloneOptions,
  word: string,
  begin: (server: RedisServer) => Promise<unknown>,
  end: (server: RedisServer) => Promise<unknown>,
): Promise<void> {
  const server = await serverOfThisTest(options);
  const { storage, faults } = await openStorage({ url: server.url, lease: 1_000 });
  const traffic = new Traffic(storage);
  await traffic.more(20);
  await begin(server);
  await until(async () => faults.some(({ message }) => message.includes(word)), {
    what: `an error that says ${word}`,
    detail: () => faults.map(({ message }) => message).join("\n"),
  });
  await traffic.more(100);
  await end(server);
  await storage.persisted(storage.version, "stored", { timeout: 60_000 });
  await traffic.mustBeStored({ url: server.url });
}

describe("writes wait, and are stored when it has passed, while the server", () => {
  it("has no memory left (OOM)", async () => {
    await passesOver(
      {},
      "OOM",
      (server) => server.command("CONFIG", "SET", "maxmemory", "1"),
      (server) => server.command("CONFIG", "SET", "maxmemory", "0"),
    );
  });

  it("is made a replica (READONLY)", async () => {
    await passesOver(
      { config: { "replica-serve-stale-data": "yes" } },
      "READONLY",
      // Of a master that is not there: it keeps its data, and takes no writes.
      (server) => server.command("REPLICAOF", "127.0.0.1", 1),
      (server) => server.command("REPLICAOF", "NO", "ONE"),
    );
  });

  it("cannot save its data (MISCONF)", async () => {
    await passesOver(
      { config: { save: "3600 100000", rdbcompression: "no" } },
      "MISCONF",
      async (server) => {
        // A folder stands where it writes its file.
        const [, directory] = (await server.command("CONFIG", "GET", "dir")) as [string, string];
        await mkdir(`${directory}/dump.rdb`);
        await until(
          async () => {
            await server.command("BGSAVE").catch(() => undefined);
            return String(await server.command("INFO", "persistence")).includes("rdb_last_bgsave_status:err");
          },
          { what: "a failed save" },
        );
      },
      async (server) => {
        const [, directory] = (await server.command("CONFIG", "GET", "dir")) as [string, string];
        await rename(`${directory}/dump.rdb`, `${directory}/away`);
        await until(
          async () => {
            await server.command("BGSAVE").catch(() => undefined);
            return String(await server.command("INFO", "persistence")).includes("rdb_last_bgsave_status:ok");
          },
          { what: "a save" },
        );
      },
    );
  });

  it("is kept busy by somebody's script (BUSY)", async () => {
    let script: Promise<unknown> = Promise.resolve();
    await passesOver(
      { config: { "lua-time-limit": 100 } },
      "BUSY",
      async (server) => {
        script = server.command("EVAL", "while true do end", 0).catch(() => undefined);
      },
      async (server) => {
        await server.command("SCRIPT", "KILL");
        await script;
      },
    );
  });

  it("reads its data after a start (LOADING)", { timeout: 60_000 }, async () => {
    // In microseconds for each key.
    const config = {
      "key-load-delay": 10_000,
      "loading-process-events-interval-bytes": 1_024,
      rdbcompression: "no",
    };
    let restarted: Promise<unknown> = Promise.resolve();
    await passesOver(
      { appendOnly: true, appendFsync: "always", config },
      "LOADING",
      async (server) => {
        const persistence = async (): Promise<string> => String(await server.command("INFO", "persistence"));
        await server.command("DEBUG", "POPULATE", 300, "others", 1_000);
        await server.command("BGREWRITEAOF");
        await until(async () => (await persistence()).includes("aof_rewrite_in_progress:0"), {
          what: "a rewritten file",
        });
        await server.kill();
        restarted = server.restart();
      },
      async (server) => {
        const goOn = (): Promise<unknown> => server.command("CONFIG", "SET", "key-load-delay", 0);
        await until(() => goOn().then(() => true), { what: "a server that reads its data" });
        await restarted;
      },
    );
  });

  it("changes the password, and has the old one back", async () => {
    const server = await serverOfThisTest({ password: "first" });
    const proxy = await proxyOfThisTest(server);
    const { storage, fault } = await openStorage({ url: urlOf(proxy), connection: { password: "first" } });
    const traffic = new Traffic(storage);
    await traffic.more(20);
    await server.command("CONFIG", "SET", "requirepass", "second");
    proxy.cut();
    expect((await fault(({ message }) => message.includes("WRONGPASS"))).message).toContain(
      "password is wrong",
    );
    await traffic.more(100);
    expect(storage.deadLetters()).toEqual([]);
    await server.command("CONFIG", "SET", "requirepass", "first");
    await storage.persisted(storage.version, "stored", { timeout: 60_000 });
    await traffic.mustBeStored({ url: server.url });
  });

  it("takes a permission away, and gives it back (NOPERM)", async () => {
    const rules = "on >secret ~* +@all";
    const server = await serverOfThisTest({ users: { app: rules } });
    const options = { url: server.url, connection: { username: "app", password: "secret" } };
    const { storage } = await openStorage(options);
    const traffic = new Traffic(storage);
    await traffic.more(20);
    const refused = new Promise<Error>((resolve) => storage.once("retry", ({ error }) => resolve(error)));
    await server.command("ACL", "SETUSER", "app", "-mset");
    expect((await refused).message).toContain("lacks a permission");
    await traffic.more(100);
    expect(storage.deadLetters()).toEqual([]);
    await server.command("ACL", "SETUSER", "app", "+mset");
    await storage.persisted(storage.version, "stored", { timeout: 60_000 });
    await traffic.mustBeStored(options);
  });
});

describe("a server without memory", () => {
  it("lets an owner keep its lease, delete, clear, close and open again", async () => {
    const server = await serverOfThisTest();
    const store = await openAdapter({ url: server.url, lease: 1_000 });
    await store.write(...puts(100), put("p:1", "1", 1_000), put("p:2", "2", 1_001));
    await server.command("CONFIG", "SET", "maxmemory", "1");
    expect(await rejection(store.write(put("a", "1", 2_000)))).toMatchObject(transient);
    await store.write({ type: "delete", key: "key 000000", version: 2_001 });
    await store.write({ type: "delete", key: "never there", version: 2_002 });
    await store.write({ type: "clear", prefix: "p:", version: 2_003 });
    const until = await server.command("HGET", "leakdb:", "until");
    await expect.poll(() => server.command("HGET", "leakdb:", "until"), { timeout: 5_000 }).not.toBe(until);
    await store.adapter.close();
    expect((await store.open()).highVersion).toBe(2_003);
    expect(await store.keys()).toHaveLength(99);
    expect(store.reports).toEqual([]);
  });
});

describe("an opening is refused for good, with what to do,", () => {
  const cases: [string, StandaloneOptions, { username?: string; password?: string }, RegExp][] = [
    ["without the password that the server wants", { password: "secret" }, {}, /wants a password.*NOAUTH/],
    ["with a wrong password", { password: "secret" }, { password: "wrong" }, /password is wrong.*WRONGPASS/],
    [
      "by a user who may not run scripts",
      { users: { app: "on >secret ~* +@all -eval" } },
      { username: "app", password: "secret" },
      /lacks a permission.*docs\/redis\.md.*NOPERM/,
    ],
    [
      "by a user who may not use the keys",
      { users: { app: "on >secret ~other:* +@all" } },
      { username: "app", password: "secret" },
      /lacks a permission.*NOPERM/,
    ],
  ];
  it.each(cases)("%s", async (_what, options, connection, message) => {
    const server = await serverOfThisTest(options);
    const { host, port } = server;
    const error = await rejection(openAdapter({ connection: { host, port, ...connection } }));
    expect(error).toMatchObject({ kind: "permanent", message: expect.stringMatching(message) });
    expect(error.message).not.toContain("secret");
  });

  it("on a server that may evict records, unless that is accepted", async () => {
    const config = { maxmemory: "100mb", "maxmemory-policy": "allkeys-lru" };
    const server = await serverOfThisTest({ config });
    const error = await rejection(openStorage({ url: server.url }));
    expect(error).toMatchObject({ code: "LEAKDB_NOT_SUPPORTED" });
    expect(error.message).toContain("allkeys-lru");
    await openStorage({ url: server.url, acceptEviction: true });
  });
});

describe("what another program wrote below the prefix", () => {
  it.each(["SET", "RPUSH", "HSET"])(
    "is told by its name at the opening (%s), until it is gone",
    async (name) => {
      const server = await serverOfThisTest();
      await (await openStorage({ url: server.url })).storage.close();
      await server.command(name, "leakdb:theirs", ...(name === "HSET" ? ["field", "x"] : ["x"]));
      const error = await rejection(openStorage({ url: server.url }));
      expect(error).toMatchObject({ code: "LEAKDB_CORRUPTION" });
      expect(error.message).toContain('"leakdb:theirs"');
      await server.command("DEL", "leakdb:theirs");
      await openStorage({ url: server.url });
    },
  );

  it("is told by a write to it, is left alone, and keeps no other key from being stored", async () => {
    const server = await serverOfThisTest();
    const { storage } = await openStorage({ url: server.url });
    await server.command("SET", "leakdb:theirs", "zebra, which compares as newer than any version");
    await server.command("SET", "leakdb:old", "!! and this as older");
    storage.setMulti({ theirs: 1, old: 2, ours: 3 });
    expect(await rejection(storage.flush())).toMatchObject({ code: "LEAKDB_FLUSH_FAILED" });
    expect(
      storage
        .deadLetters()
        .map(({ key }) => key)
        .sort(),
    ).toEqual(["old", "theirs"]);
    const messages = storage.deadLetters().map(({ error }) => error.message);
    for (const message of messages) expect(message).toMatch(/"leakdb:(theirs|old)" is no record/);
    expect(await server.command("GET", "leakdb:old")).toBe("!! and this as older");
    expect(String(await server.command("GET", "leakdb:ours"))).toMatch(/^\d{16} 0\n/);
    await server.command("DEL", "leakdb:theirs", "leakdb:old");
    for (const letter of storage.deadLetters()) letter.retry();
    await storage.flush();
  });

  it("in place of the mark is told, and makes no dead letters", async () => {
    const server = await serverOfThisTest();
    const { storage, fault } = await openStorage({ url: server.url, lease: 1_000 });
    await server.command("SET", "leakdb:", "theirs");
    storage.set("a", 1);
    await fault(({ message }) => message.includes("another program uses one of the store's keys"));
    expect(storage.deadLetters()).toEqual([]);
  });
});
