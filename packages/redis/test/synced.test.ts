/** `synced: true`: the server's disk, as far as a server can tell of it. */

import { findServer, type ServerOptions, whyNoServer } from "@leakdb/redis-servers";
import { describe, expect, it } from "vitest";
import { openAdapter, openStorage, put, rejection, serverOfThisTest } from "./standalone-servers.js";

const everysec: ServerOptions = { appendOnly: true, appendFsync: "everysec" };

it("is kept by a server that syncs always, over a kill", async () => {
  const server = await serverOfThisTest({ appendOnly: true, appendFsync: "always" });
  const { storage } = await openStorage({ url: server.url, synced: true });
  storage.set("a", 1);
  await storage.flush({ level: "synced" });
  await server.kill();
  await server.restart();
  expect(String(await server.command("GET", "leakdb:a"))).toMatch(/^\d{16} 0\n/);
});

it.each<[string, ServerOptions, RegExp]>([
  ["has no append-only file", {}, /no append-only file.*appendonly yes/],
  ["syncs each second, and knows no WAITAOF (Redis 7.0)", everysec, /Redis 7\.2/],
])("is refused at the opening by a server that %s", async (_what, options, message) => {
  const server = await serverOfThisTest({ server: await findServer({ version: "7" }), ...options });
  const error = await rejection(openStorage({ url: server.url, synced: true }));
  expect(error).toMatchObject({ code: "LEAKDB_NOT_SUPPORTED", message: expect.stringMatching(message) });
  // Without it the store opens, and promises no more than it can keep.
  const { adapter } = await openAdapter({ url: server.url });
  expect(adapter.capabilities.levels).toEqual(["stored"]);
});

const missing = await whyNoServer({ version: "valkey" });

// No other server of these tests knows WAITAOF.
describe.skipIf(missing !== undefined)("on Valkey, by WAITAOF,", () => {
  it("is waited for, and survives a kill", async () => {
    const server = await serverOfThisTest({ server: await findServer({ version: "valkey" }), ...everysec });
    const { storage } = await openStorage({ url: server.url, synced: true });
    storage.set("a", 1);
    await storage.flush({ level: "synced" });
    await server.kill();
    await server.restart();
    expect(String(await server.command("GET", "leakdb:a"))).toMatch(/^\d{16} 0\n/);
  });

  it("fails, and is not claimed, when the server stops to sync while it runs", async () => {
    const server = await serverOfThisTest({ server: await findServer({ version: "valkey" }), ...everysec });
    const store = await openAdapter({ url: server.url, synced: true, commandTimeout: 2_000 });
    await store.write(put("a", "1", 1));
    await store.adapter.sync();
    await server.command("CONFIG", "SET", "appendonly", "no");
    expect(await rejection(store.adapter.sync())).toMatchObject({ kind: "transient" });
    await server.command("CONFIG", "SET", "appendonly", "yes");
    await expect
      .poll(
        () =>
          store.adapter.sync().then(
            () => true,
            () => false,
          ),
        { timeout: 10_000 },
      )
      .toBe(true);
  });

  it("is refused where the system decides when to sync (appendfsync no)", async () => {
    const options: ServerOptions = { appendOnly: true, appendFsync: "no" };
    const server = await serverOfThisTest({ server: await findServer({ version: "valkey" }), ...options });
    const error = await rejection(openStorage({ url: server.url, synced: true }));
    expect(error).toMatchObject({ code: "LEAKDB_NOT_SUPPORTED" });
  });
});
