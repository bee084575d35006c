/** A cluster as tests hold it: its nodes, who owns what, failovers, and the migration of slots. */

import { type ClusterMember, layoutOf, readClusterView } from "./cluster-view.js";
import type { OwnServer } from "./own-server.js";
import type { RedisServer } from "./redis-server.js";
import { isInSync } from "./replication.js";
import { SlotMigration } from "./slot-migration.js";
import { until } from "./until.js";

export const SLOTS = 16_384;

export class RedisCluster implements AsyncDisposable {
  /** All that were started, those that were killed since included; the first masters first, then their replicas. */
  readonly nodes: readonly RedisServer[];
  readonly #servers: readonly OwnServer[];

  constructor(servers: readonly OwnServer[]) {
    this.#servers = servers;
    this.nodes = servers;
  }

  /** The slot of a key, 0 to 16,383. */
  async slotOf(key: string): Promise<number> {
    return Number(await this.#running[0]?.command("CLUSTER", "KEYSLOT", key));
  }

  /** The master that owns `slot`, as the first running node sees it. @throws Error where nobody owns it. */
  async ownerOf(slot: number): Promise<RedisServer> {
    const owner = (await this.#view()).find(({ slots }) =>
      slots.some(([first, last]) => first <= slot && slot <= last),
    );
    return this.#serverOf(owner, `the owner of slot ${slot}`);
  }

  /** The masters that own slots, as the first running node sees them, in the order of {@link nodes}. */
  async masters(): Promise<RedisServer[]> {
    const ports = (await this.#view()).filter(({ slots }) => slots.length > 0).map(({ port }) => port);
    return this.nodes.filter(({ port }) => ports.includes(port));
  }

  /** The replicas of `master` that run, as the first running node sees them. */
  async replicasOf(master: RedisServer): Promise<RedisServer[]> {
    const view = await this.#view();
    const id = view.find(({ port }) => port === master.port)?.id;
    const ports = view.filter(({ masterId }) => masterId === id).map(({ port }) => port);
    return this.#running.filter(({ port }) => ports.includes(port));
  }

  /**
   * Resolves when every running node says `cluster_state:ok`, all agree on who owns what and who copies whom, every
   * owner runs, and every running replica is in sync. Use it after a kill or a restart.
   *
   * @throws Error after 20 seconds, with what each node sees.
   */
  async untilStable(): Promise<void> {
    await until(() => this.#isStable(), {
      what: "a cluster in which all agree",
      detail: () => this.#servers.map((server) => server.logTail().slice(-600)).join("\n---\n"),
    });
  }

  /** Lets a replica of `master` take over, without loss. Resolves with it, when all agree and `master` copies it. */
  async failOver(master: RedisServer): Promise<RedisServer> {
    const [replica] = await this.replicasOf(master);
    if (replica === undefined) throw new Error(`no replica of the master on port ${master.port} runs`);
    await replica.command("CLUSTER", "FAILOVER");
    await until(async () => (await this.masters()).includes(replica), {
      what: "the replica to be the master",
    });
    await this.untilStable();
    return replica;
  }

  /**
   * Begins to move `slot` to another master, and leaves it between the two: its owner answers ASK for keys that it
   * does not have, the other one answers MOVED but after ASKING.
   */
  async beginMigration(slot: number, to: RedisServer): Promise<SlotMigration> {
    const from = this.#serverOf(await this.ownerOf(slot), "the owner");
    const others = await this.masters();
    return SlotMigration.begin(slot, from, this.#serverOf(to, "the other master"), others, () =>
      this.untilStable(),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  get #running(): readonly OwnServer[] {
    return this.#servers.filter(({ pid }) => pid !== undefined);
  }

  #serverOf(wanted: { readonly port: number } | undefined, what: string): OwnServer {
    const server = this.#servers.find(({ port }) => port === wanted?.port);
    if (server === undefined) throw new Error(`${what} is not in this cluster`);
    return server;
  }

  async #view(): Promise<ClusterMember[]> {
    const [node] = this.#running;
    if (node === undefined) throw new Error("no node of the cluster runs");
    return viewOf(node);
  }

  async #isStable(): Promise<boolean> {
    const running = this.#running;
    const views = await Promise.all(running.map(viewOf));
    const [view] = views;
    if (view === undefined || new Set(views.map(layoutOf)).size !== 1) return false;
    const alive = view.filter(({ isFailing }) => !isFailing);
    if (alive.length !== running.length || countSlots(alive) !== SLOTS) return false;
    const states = await Promise.all(running.map((node) => node.command("CLUSTER", "INFO")));
    if (!states.every((state) => String(state).includes("cluster_state:ok"))) return false;
    return (await Promise.all(running.map(isInSync))).every(Boolean);
  }
}

export async function viewOf(node: RedisServer): Promise<ClusterMember[]> {
  return readClusterView(String(await node.command("CLUSTER", "NODES")));
}

function countSlots(members: readonly ClusterMember[]): number {
  const ranges = members.flatMap(({ slots }) => slots);
  return ranges.reduce((count, [first, last]) => count + last - first + 1, 0);
}
