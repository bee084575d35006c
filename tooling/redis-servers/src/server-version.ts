/**
 * Which server a program is, as its `--version` line or its `INFO` says, and which of them a test may ask for. Pure.
 */

/** What a test may ask for: a line of Redis by its first numbers, or Valkey of any version. */
export type WantedVersion = "6.0" | "6.2" | "7" | "8" | "valkey";

export interface ServerVersion {
  readonly flavour: "redis" | "valkey";
  /** As the server says it, such as `7.0.15`. */
  readonly version: string;
}

/** The oldest server that is taken when no version was asked for. */
const OLDEST = "6.2";

/** Reads `Redis server v=7.0.15 sha=…` or `Valkey server v=8.1.1 sha=…`; `undefined` for anything else. */
export function readVersionLine(line: string): ServerVersion | undefined {
  const [, flavour, version] = /^(Redis|Valkey) server v=(\d+\.\d+\.\d+)/m.exec(line) ?? [];
  if (flavour === undefined || version === undefined) return undefined;
  return { flavour: flavour === "Redis" ? "redis" : "valkey", version };
}

/** Reads the answer of `INFO server`, where Valkey gives its own version beside that of the Redis it stands for. */
export function readInfo(info: string): ServerVersion | undefined {
  const valkey = /^valkey_version:(\S+)/m.exec(info)?.[1];
  if (valkey !== undefined) return { flavour: "valkey", version: valkey };
  const redis = /^redis_version:(\S+)/m.exec(info)?.[1];
  return redis === undefined ? undefined : { flavour: "redis", version: redis };
}

/** True if `found` is what was asked for; without a wish, every Valkey and each Redis from 6.2 on. */
export function isWanted(found: ServerVersion, wanted: WantedVersion | undefined): boolean {
  if (wanted === "valkey") return found.flavour === "valkey";
  if (wanted === undefined) return found.flavour === "valkey" || isAtLeast(found.version, OLDEST);
  return found.flavour === "redis" && `${found.version}.`.startsWith(`${wanted}.`);
}

/** Compares by numbers: `10.0` is later than `9.1`. Parts that are missing count as 0. */
export function isAtLeast(version: string, least: string): boolean {
  const parts = version.split(".").map(Number);
  for (const [index, number] of least.split(".").map(Number).entries()) {
    const part = parts[index] ?? 0;
    if (part !== number) return part > number;
  }
  return true;
}
