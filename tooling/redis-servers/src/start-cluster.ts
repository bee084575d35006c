/** A cluster of servers on this machine. */

import { makeCertificates } from "./certificates.js";
import { findServer } from "./find-server.js";
import { type FoundServer, programOf } from "./found-server.js";
import { newAdministrator, OwnServer } from "./own-server.js";
import { RedisCluster, SLOTS, viewOf } from "./redis-cluster.js";
import type { ServerOptions } from "./server-options.js";
import { startAll } from "./start-all.js";
import { until } from "./until.js";

export interface ClusterOptions extends ServerOptions {
  /** Default: what `findServer()` finds. */
  readonly server?: FoundServer;
  /** Default 3, with as equal shares of the slots as can be, in order. */
  readonly masters?: number;
  /** Default 1. */
  readonly replicasPerMaster?: number;
  /** After how long without an answer a node is held to be down; a failover takes about twice that. Default 2,000. */
  readonly nodeTimeoutMs?: number;
}

/**
 * Starts a cluster, and resolves when all of its nodes agree and its replicas are in sync, after about two seconds.
 *
 * @throws Error with the ends of the logs, where it does not come about; and where the server is not ours to start.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<RedisCluster> {
  const { server, masters = 3, replicasPerMaster = 1, nodeTimeoutMs = 2_000, ...rest } = options;
  const program = programOf(server ?? (await findServer()));
  const settings = {
    ...rest,
    administrator: newAdministrator(),
    ...(rest.tls === true ? { certificates: makeCertificates() } : {}),
    config: { ...clusterConfig(nodeTimeoutMs, rest.tls === true), ...rest.config },
  };
  const count = masters * (1 + replicasPerMaster);
  const nodes = await startAll(count, () => OwnServer.start(program, settings));
  const cluster = new RedisCluster(nodes);
  try {
    await shareSlots(nodes.slice(0, masters));
    await introduce(nodes);
    await assignReplicas(nodes.slice(0, masters), nodes.slice(masters));
    await cluster.untilStable();
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

function clusterConfig(nodeTimeoutMs: number, isTls: boolean): Record<string, string | number> {
  return {
    "cluster-enabled": "yes",
    "cluster-config-file": "nodes.conf",
    "cluster-node-timeout": nodeTimeoutMs,
    // A replica may take over however long it has been without its master, as after a test paused it.
    "cluster-replica-validity-factor": 0,
    // No replica moves to another master by itself.
    "cluster-migration-barrier": 999,
    ...(isTls ? { "tls-cluster": "yes" } : {}),
  };
}

async function shareSlots(masters: readonly OwnServer[]): Promise<void> {
  await Promise.all(
    masters.map(async (master, index) => {
      const first = Math.floor((index * SLOTS) / masters.length);
      const end = Math.floor(((index + 1) * SLOTS) / masters.length);
      const slots = Array.from({ length: end - first }, (_, each) => first + each);
      // Equal ones would be set right only after they had collided.
      await master.command("CLUSTER", "SET-CONFIG-EPOCH", index + 1);
      await master.command("CLUSTER", "ADDSLOTS", ...slots);
    }),
  );
}

/** Each is told of each: waiting for them to hear of each other takes a second or more. */
async function introduce(nodes: readonly OwnServer[]): Promise<void> {
  await Promise.all(
    nodes.flatMap((node, index) =>
      nodes.slice(index + 1).map(({ host, port }) => node.command("CLUSTER", "MEET", host, port)),
    ),
  );
  const knowsAll = async (node: OwnServer): Promise<boolean> => {
    const view = await viewOf(node);
    return view.length === nodes.length && view.every(({ isFailing }) => !isFailing);
  };
  await until(async () => (await Promise.all(nodes.map(knowsAll))).every(Boolean), {
    what: "nodes that know each other",
  });
}

async function assignReplicas(masters: readonly OwnServer[], replicas: readonly OwnServer[]): Promise<void> {
  await Promise.all(
    replicas.map(async (replica, index) => {
      const id = String(await masters[index % masters.length]!.command("CLUSTER", "MYID"));
      await replica.command("CLUSTER", "REPLICATE", id);
    }),
  );
}
