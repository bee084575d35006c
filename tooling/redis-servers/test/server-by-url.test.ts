import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startStandalone, whyNotOurs } from "../src/index.js";

/** As a process sees it that was started with the variable. */
async function withUrl(url: string) {
  vi.stubEnv("LEAKDB_TEST_REDIS_URL", url);
  vi.resetModules();
  return import("../src/index.js");
}

beforeEach(() => {
  vi.stubEnv("LEAKDB_TEST_REDIS_URL", "");
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe("a server that LEAKDB_TEST_REDIS_URL names", () => {
  test("is used, and neither killed nor configured", async () => {
    await using own = await startStandalone({ password: "p w" });
    const { findServer, startStandalone: startThere } = await withUrl(own.url);
    const found = await findServer();
    expect(found).toMatchObject({ kind: "running", url: own.url });
    expect(whyNotOurs(found)).toMatch("LEAKDB_TEST_REDIS_URL");
    await using server = await startThere();
    expect([server.url, server.port, server.pid]).toEqual([own.url, own.port, undefined]);
    expect(await server.command("PING")).toBe("PONG");
    for (const act of ["kill", "pause", "resume", "restart"] as const) {
      await expect(server[act]()).rejects.toThrow(server.whyNotOurs);
    }
    await expect(startThere({ tls: true })).rejects.toThrow("can't be given tls");
    await server.stop();
    expect(await own.command("PING")).toBe("PONG");
  });

  test("must be there, and of the version that is asked for", async () => {
    await using own = await startStandalone();
    const { findServer } = await withUrl(own.url);
    await expect(findServer({ version: "6.2" })).rejects.toThrow("was asked for");
    const { whyNoServer } = await withUrl("redis://127.0.0.1:1");
    expect(await whyNoServer()).toMatch("no server answers");
  });
});
