import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "leakdb-path-"));
  vi.stubEnv("LEAKDB_TEST_REDIS_URL", "");
  vi.stubEnv("PATH", folder);
  // What was found is remembered by the module.
  vi.resetModules();
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function program(name: string, line: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\necho "${line}"\n`);
  chmodSync(path, 0o755);
  return path;
}

describe("a search without a URL", () => {
  test("takes from PATH what is of the version that was asked for", async () => {
    program("redis-server", "Redis server v=6.2.14 sha=00000000:0");
    const valkey = program("valkey-server", "Valkey server v=8.1.1 sha=00000000:0");
    const { findServer } = await import("../src/index.js");
    expect(await findServer()).toMatchObject({ flavour: "redis", version: "6.2.14" });
    expect(await findServer({ version: "6.2" })).toMatchObject({ version: "6.2.14" });
    expect(await findServer({ version: "valkey" })).toEqual({
      kind: "program",
      flavour: "valkey",
      version: "8.1.1",
      command: [valkey],
      origin: valkey,
    });
  });

  test("says what to install, and why Debian's packages do not help", async () => {
    program("redis-server", "sh: not a server");
    const { whyNoServer } = await import("../src/index.js");
    const why = await whyNoServer({ version: "6.2" });
    expect(why).toMatch("No Redis 6.2 server");
    expect(why).toMatch("put its folder on PATH, or set LEAKDB_TEST_REDIS_URL");
    expect(why).toMatch("no release of Debian");
  });
});
