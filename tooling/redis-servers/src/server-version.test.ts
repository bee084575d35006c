import { expect, test } from "vitest";
import { isAtLeast, isWanted, readInfo, readVersionLine } from "./server-version.js";

test("a version line is read, of Redis and of Valkey", () => {
  const redis = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1";
  expect(readVersionLine(redis)).toEqual({ flavour: "redis", version: "7.0.15" });
  expect(readVersionLine("Valkey server v=8.1.1 sha=0")).toEqual({ flavour: "valkey", version: "8.1.1" });
  expect(readVersionLine("redis-cli 7.0.15")).toBeUndefined();
});

test("INFO of Valkey gives its own version, not that of the Redis it stands for", () => {
  const info = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\n";
  expect(readInfo(info)).toEqual({ flavour: "valkey", version: "8.1.1" });
  expect(readInfo("redis_version:6.2.14\r\n")).toEqual({ flavour: "redis", version: "6.2.14" });
  expect(readInfo("-NOAUTH")).toBeUndefined();
});

test("a wish is met by its line alone, and no wish by all from 6.2 on", () => {
  const redis = (version: string) => ({ flavour: "redis" as const, version });
  expect(isWanted(redis("7.0.15"), "7")).toBe(true);
  expect(isWanted(redis("7.0.15"), "valkey")).toBe(false);
  expect(isWanted(redis("6.0.16"), "6.2")).toBe(false);
  expect(isWanted({ flavour: "valkey", version: "8.1.1" }, "8")).toBe(false);
  expect(isWanted(redis("6.0.16"), undefined)).toBe(false);
  expect(isWanted(redis("6.2.14"), undefined)).toBe(true);
  expect(isWanted({ flavour: "valkey", version: "8.1.1" }, undefined)).toBe(true);
});

test("versions compare by their numbers", () => {
  expect(isAtLeast("10.0.1", "9.1")).toBe(true);
  expect(isAtLeast("6.2", "6.2")).toBe(true);
  expect(isAtLeast("6", "6.0")).toBe(true);
  expect(isAtLeast("6.0.16", "6.2")).toBe(false);
});
