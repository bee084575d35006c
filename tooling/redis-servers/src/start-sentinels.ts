/** A primary with replicas, and Sentinels that watch them, on this machine. */

import { makeCertificates } from "./certificates.js";
import { findServer } from "./find-server.js";
import { type FoundServer, programOf, type ServerProgram } from "./found-server.js";
import { newAdministrator, OwnServer } from "./own-server.js";
import { GROUP, RedisSentinels } from "./redis-sentinels.js";
import type { RedisServer } from "./redis-server.js";
import { listenSettings, type Place, quoted, type ServerOptions } from "./server-options.js";
import { isAtLeast } from "./server-version.js";
import { startAll } from "./start-all.js";

export interface SentinelsOptions extends ServerOptions {
  /** Default: what `findServer()` finds. */
  readonly server?: FoundServer;
  /** Default 1: a pair. */
  readonly replicas?: number;
  /** Default 3, of which more than half are the quorum. */
  readonly sentinels?: number;
  /** After how long without an answer a server is held to be down. Default 1,000. */
  readonly downAfterMs?: number;
  /** Twice this time goes by between two tries at a failover of the same primary. Default 2,000. */
  readonly failoverTimeoutMs?: number;
}

/**
 * Starts them all, and resolves when the Sentinels know every server and each other, have a quorum, and the replicas
 * are in sync. The Sentinels ask for no password, and speak TLS where the servers do.
 *
 * @throws Error with the ends of the logs, where it does not come about; and where the server is not ours to start.
 */
export async function startSentinels(options: SentinelsOptions = {}): Promise<RedisSentinels> {
  const { server, replicas = 1, sentinels = 3, ...rest } = options;
  const program = programOf(server ?? (await findServer()));
  const shared = {
    ...rest,
    administrator: newAdministrator(),
    ...(rest.tls === true ? { certificates: makeCertificates() } : {}),
  };
  const started: RedisServer[] = [];
  try {
    const primary = await OwnServer.start(program, shared);
    started.push(primary);
    const replicaof = `${primary.host} ${primary.port}`;
    const replica = { ...shared, config: { replicaof, ...rest.config } };
    started.push(...(await startAll(replicas, () => OwnServer.start(program, replica))));
    const servers = [...started];
    const watching = await startAll(sentinels, () => startSentinel(program, primary, sentinels, shared));
    started.push(...watching);
    const group = new RedisSentinels(servers, watching);
    await group.untilStable();
    return group;
  } catch (error) {
    await Promise.all(started.map((each) => each.stop()));
    throw error;
  }
}

async function startSentinel(
  program: ServerProgram,
  primary: OwnServer,
  sentinels: number,
  options: Omit<SentinelsOptions, "server">,
): Promise<OwnServer> {
  const { password: _, users: __, config: ___, ...rest } = options;
  const quorum = Math.floor(sentinels / 2) + 1;
  const sentinel = await OwnServer.start(program, {
    ...rest,
    hasAdministrator: false,
    args: ["--sentinel"],
    configText: (place) => sentinelConfig(place, primary, quorum, options),
  });
  // They hear of each other every two seconds, and of replicas every ten: long in a test. Only later ones can be told.
  if (program.flavour === "valkey" || isAtLeast(program.version, "7.0")) {
    await sentinel.command(
      "SENTINEL",
      "DEBUG",
      "INFO-PERIOD",
      200,
      "PUBLISH-PERIOD",
      200,
      "PING-PERIOD",
      200,
    );
  }
  return sentinel;
}

function sentinelConfig(
  { host, port, folder }: Place,
  primary: OwnServer,
  quorum: number,
  { tls = false, downAfterMs = 1_000, failoverTimeoutMs = 2_000 }: SentinelsOptions,
): string {
  const { username, password } = primary.administrator;
  const lines = [
    ["bind", host],
    ["dir", quoted(folder)],
    ...listenSettings(port, tls),
    ["sentinel monitor", GROUP, primary.host, primary.port, quorum],
    ["sentinel down-after-milliseconds", GROUP, downAfterMs],
    ["sentinel failover-timeout", GROUP, failoverTimeoutMs],
    ["sentinel auth-user", GROUP, username],
    ["sentinel auth-pass", GROUP, password],
  ];
  return lines.map((words) => `${words.join(" ")}\n`).join("");
}
