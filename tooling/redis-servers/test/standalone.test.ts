import { existsSync } from "node:fs";
import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import {
  findServer,
  type RedisServer,
  startStandalone,
  type WantedVersion,
  whyNoServer,
  whyNotOurs,
} from "../src/index.js";
import type { OwnServer } from "../src/own-server.js";

const reason = whyNotOurs(await findServer());
const VERSIONS: readonly WantedVersion[] = ["6.0", "6.2", "7", "8", "valkey"];
const absent = new Map(
  await Promise.all(VERSIONS.map(async (version) => [version, await whyNoServer({ version })] as const)),
);

async function withClient<T>(
  server: RedisServer,
  url: string,
  use: (client: Redis) => Promise<T>,
): Promise<T> {
  const tls = server.ca === undefined ? {} : { tls: { ca: server.ca } };
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, ...tls });
  let failure: Error | undefined;
  client.on("error", (error: Error) => {
    failure = error;
  });
  try {
    await client.connect();
    return await use(client);
  } catch (error) {
    throw failure ?? error;
  } finally {
    client.disconnect();
  }
}

describe.each(VERSIONS)("version %s", (version) => {
  // Not every version can be had on every machine, nor can another's server be started (`absent` and `reason` say why).
  test.skipIf(absent.get(version) ?? reason)("starts, answers, and speaks TLS", async () => {
    const server = await findServer({ version });
    await using plain = await startStandalone({ server });
    expect(await withClient(plain, plain.url, (client) => client.set("a", "1"))).toBe("OK");
    await using secret = await startStandalone({ server, tls: true });
    expect(secret.url).toMatch(/^rediss:/);
    expect(await withClient(secret, secret.url, (client) => client.ping())).toBe("PONG");
  });
});

// Another's server can't be killed or configured (see `reason`).
describe.skipIf(reason)("a server of our own", () => {
  test("is bound to the loopback interface, in a folder that goes when it is stopped", async () => {
    const server = (await startStandalone()) as OwnServer;
    expect(await server.command("CONFIG", "GET", "bind")).toEqual(["bind", "127.0.0.1"]);
    expect(existsSync(server.folder)).toBe(true);
    await server.stop();
    await server.stop();
    expect([server.pid, existsSync(server.folder)]).toEqual([undefined, false]);
  });

  test("is killed, and starts again on its port; with an append-only file it has kept all", async () => {
    await using server = await startStandalone({ appendOnly: true, appendFsync: "always" });
    const { port, pid } = server;
    await server.command("SET", "a", "1");
    await server.kill();
    expect(server.pid).toBeUndefined();
    await expect(server.command("PING")).rejects.toThrow("ECONNREFUSED");
    await server.restart();
    expect(server.port).toBe(port);
    expect(server.pid).not.toBe(pid);
    expect(await server.command("GET", "a")).toBe("1");
    await server.restart();
    expect(await server.command("GET", "a")).toBe("1");
  });

  test("is paused, and goes on where it was", async () => {
    await using server = await startStandalone();
    await withClient(server, server.url, async (client) => {
      await server.pause();
      let isAnswered = false;
      const answer = client.set("a", "1").then((reply) => {
        isAnswered = true;
        return reply;
      });
      const other = new Redis(server.url, { commandTimeout: 100, retryStrategy: () => null });
      other.on("error", () => {});
      await expect(other.ping()).rejects.toThrow("timed out");
      other.disconnect();
      expect(isAnswered).toBe(false);
      await server.resume();
      expect(await answer).toBe("OK");
    });
  });

  test("asks for a password, and keeps users to their rules", async () => {
    const users = { reader: "on >s3cret ~app:* +@read +info" };
    await using server = await startStandalone({ password: 'p "q\\', users });
    await expect(
      withClient(server, `redis://127.0.0.1:${server.port}`, (client) => client.ping()),
    ).rejects.toThrow("NOAUTH");
    expect(await withClient(server, server.url, (client) => client.set("app:a", "1"))).toBe("OK");
    const reader = `redis://reader:s3cret@127.0.0.1:${server.port}`;
    expect(await withClient(server, reader, (client) => client.get("app:a"))).toBe("1");
    await expect(withClient(server, reader, (client) => client.set("app:a", "2"))).rejects.toThrow("NOPERM");
  });

  test("refuses writes when its memory is full", async () => {
    await using server = await startStandalone({ maxMemoryBytes: 3_000_000 });
    const write = async (): Promise<void> => {
      for (let index = 0; index < 50; index++) await server.command("SET", `a${index}`, "x".repeat(200_000));
    };
    await expect(write()).rejects.toThrow("OOM");
  });

  test("takes further settings, which win", async () => {
    await using server = await startStandalone({
      databases: 3,
      config: {
        "maxmemory-policy": "allkeys-lru",
        databases: 2,
        "client-output-buffer-limit": ["normal 1mb 0 0"],
      },
    });
    expect(await server.command("CONFIG", "GET", "databases")).toEqual(["databases", "2"]);
    expect(await server.command("CONFIG", "GET", "maxmemory-policy")).toEqual([
      ...["maxmemory-policy", "allkeys-lru"],
    ]);
  });

  test("that does not start says why, with its log", async () => {
    await expect(startStandalone({ config: { "no-such-setting": "yes" } })).rejects.toThrow(
      /no-such-setting/,
    );
  });
});
