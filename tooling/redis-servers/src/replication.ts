/** What `INFO replication` says of a server, and waiting for replicas that have all that their primary has. */

import type { RedisServer } from "./redis-server.js";

/** The fields of one section of `INFO`, such as `replication`. */
export async function infoOf(server: RedisServer, section: string): Promise<ReadonlyMap<string, string>> {
  const text = String(await server.command("INFO", section));
  return new Map([...text.matchAll(/^([\w-]+):(.*?)\r?$/gm)].map(([, name, value]) => [name!, value!]));
}

/** True for a primary, and for a replica that is connected and has all that its primary sent. */
export async function isInSync(server: RedisServer): Promise<boolean> {
  const info = await infoOf(server, "replication");
  return info.get("role") === "master" || info.get("master_link_status") === "up";
}

/** How many replicas are connected to `server` and take its writes as they come. */
export async function replicasOnline(server: RedisServer): Promise<number> {
  const info = await infoOf(server, "replication");
  return [...info].filter(([name, value]) => /^slave\d+$/.test(name) && value.includes("state=online"))
    .length;
}
