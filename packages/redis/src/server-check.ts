/** Is this a server that can hold a store? Asked at each opening and reconnection, as far as the user may ask. */

import { AdapterError } from "@leakdb/core/adapter";
import type { Connection } from "./connection.js";
import { isReplyError } from "./redis-errors.js";

/** The oldest that the conformance suite is run on. */
const VERSION_MIN = [6, 0] as const;
const UNKNOWN = new Map<string, string>();

export type ServerInfo = ReadonlyMap<string, string>;

/** What `INFO` says, by name; nothing where the user may not ask. */
export async function infoOf(connection: Connection): Promise<ServerInfo> {
  try {
    return parseInfo(String(await connection.call("INFO")));
  } catch (error) {
    if (isReplyError(error) && error.message.startsWith("NOPERM")) return UNKNOWN;
    throw error;
  }
}

export function parseInfo(text: string): ServerInfo {
  const lines = text.split("\r\n").filter((line) => line.includes(":"));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
}

/** Asks the node itself where the user may not see `INFO`: by plain names a Cluster would be scattered with them. */
export async function isClusterNode(connection: Connection, info: ServerInfo): Promise<boolean> {
  if (info !== UNKNOWN) return info.get("cluster_enabled") === "1";
  try {
    await connection.call("CLUSTER", "INFO");
    return true;
  } catch (error) {
    // On one server the command is refused as not supported, and to a user without permission as such.
    if (isReplyError(error)) return false;
    throw error;
  }
}

export function notSupported(message: string): AdapterError {
  return new AdapterError(message, { kind: "permanent", code: "LEAKDB_NOT_SUPPORTED" });
}

/** @throws AdapterError LEAKDB_NOT_SUPPORTED */
export function checkServer(info: ServerInfo, acceptEviction: boolean): void {
  const version = info.get("redis_version") ?? "";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isOld = major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1]);
  if (version !== "" && isOld) {
    throw notSupported(
      `the server is Redis ${version}; LeakDB needs ${VERSION_MIN.join(".")} or later, or Valkey`,
    );
  }
  const policy = info.get("maxmemory_policy") ?? "noeviction";
  if (policy === "noeviction" || info.get("maxmemory") === "0" || acceptEviction) return;
  throw notSupported(
    `the server evicts records when its memory is full (maxmemory-policy ${policy}): set it to noeviction, or open the store with acceptEviction: true`,
  );
}

/** How `sync` reaches the server's disk. */
export type SyncMode = "always" | "WAITAOF";

/** @throws AdapterError LEAKDB_NOT_SUPPORTED when a write's way to the disk cannot be waited for. */
export async function syncModeOf(connection: Connection, info: ServerInfo): Promise<SyncMode> {
  const needs = "`synced` needs appendonly yes";
  if (info.get("aof_enabled") === "0") throw notSupported(`the server has no append-only file: ${needs}`);
  const policy = await appendfsync(connection);
  if (policy === "always") return "always";
  // Its WAITAOF would wait for a moment that the system chooses.
  if (policy === "no")
    throw notSupported(
      `the server never syncs its file itself: ${needs}, and appendfsync always or everysec`,
    );
  try {
    await connection.call("WAITAOF", 1, 0, 1);
    return "WAITAOF";
  } catch (error) {
    if (!isReplyError(error)) throw error;
    throw notSupported(
      `the server cannot tell when a write is on its disk (${error.message}): ${needs}, and either appendfsync always or Redis 7.2`,
    );
  }
}

async function appendfsync(connection: Connection): Promise<string | undefined> {
  try {
    const reply = (await connection.call("CONFIG", "GET", "appendfsync")) as string[];
    return reply[1];
  } catch (error) {
    if (isReplyError(error)) return undefined;
    throw error;
  }
}
