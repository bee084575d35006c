/** A primary, its replicas and the Sentinels that watch them, as tests hold them. */

import type { RedisServer } from "./redis-server.js";
import { infoOf, isInSync, replicasOnline } from "./replication.js";
import { until } from "./until.js";

/** What the Sentinels call the group that they watch. */
export const GROUP = "leakdb";
/** A Sentinel gives one up when the replica does not take over in time. */
const FAILOVERS_MAX = 3;

export class RedisSentinels implements AsyncDisposable {
  /** The name to give to a client. */
  readonly name = GROUP;
  /** All servers that were started, the first primary first. */
  readonly servers: readonly RedisServer[];
  readonly sentinels: readonly RedisServer[];

  constructor(servers: readonly RedisServer[], sentinels: readonly RedisServer[]) {
    this.servers = servers;
    this.sentinels = sentinels;
  }

  /** The server that the Sentinels hold to be the primary. @throws Error where they do not agree, or none runs. */
  async primary(): Promise<RedisServer> {
    const ports = await Promise.all(this.#runningSentinels.map(primaryPort));
    const primary = this.servers.find(({ port }) => port === ports[0]);
    if (primary === undefined || new Set(ports).size !== 1) {
      throw new Error(`the Sentinels hold the servers on these ports to be the primary: ${ports.join(", ")}`);
    }
    return primary;
  }

  /** The servers that run and are not the primary. */
  async replicas(): Promise<RedisServer[]> {
    const primary = await this.primary();
    return this.#runningServers.filter((server) => server !== primary);
  }

  /**
   * Resolves when the Sentinels that run agree on a primary that runs and takes itself for one, know every other
   * server and each other, have a quorum, and all running replicas are in sync. Use it after a kill or a restart.
   *
   * @throws Error after 20 seconds.
   */
  async untilStable(): Promise<void> {
    await until(() => this.#isStable(), {
      what: "Sentinels that agree on a primary",
      detail: () => this.sentinels.map((sentinel) => sentinel.logTail().slice(-1_000)).join("\n---\n"),
    });
  }

  /** Lets a replica take over, as an operator would. Resolves with it, when all agree and the others copy it. */
  async failOver(): Promise<RedisServer> {
    const before = await this.primary();
    const [sentinel] = this.#runningSentinels;
    const isNew = async (): Promise<boolean> => (await this.primary()) !== before;
    const isBegun = async (): Promise<boolean> => {
      // It may refuse while it still follows an earlier one.
      await sentinel!.command("SENTINEL", "FAILOVER", this.name);
      return true;
    };
    for (let attempt = 1; attempt <= FAILOVERS_MAX; attempt += 1) {
      await until(isBegun, { what: "a Sentinel that begins a failover" });
      await until(isNew, { what: "another primary" });
      await this.untilStable();
      // On a busy machine a Sentinel may take it back: the replica was not quick enough.
      const now = await this.primary();
      if (now !== before) return now;
    }
    throw new Error(`the Sentinels took ${FAILOVERS_MAX} failovers back`);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.sentinels, ...this.servers].map((server) => server.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  get #runningServers(): readonly RedisServer[] {
    return this.servers.filter(({ pid }) => pid !== undefined);
  }

  get #runningSentinels(): readonly RedisServer[] {
    return this.sentinels.filter(({ pid }) => pid !== undefined);
  }

  async #isStable(): Promise<boolean> {
    const primary = await this.primary();
    if ((await infoOf(primary, "replication")).get("role") !== "master") return false;
    const replicas = this.#runningServers.filter((server) => server !== primary);
    const roles = await Promise.all(replicas.map((server) => infoOf(server, "replication")));
    if (roles.some((role) => role.get("role") !== "slave")) return false;
    if (!(await Promise.all(replicas.map(isInSync))).every(Boolean)) return false;
    if ((await replicasOnline(primary)) !== replicas.length) return false;
    return (await Promise.all(this.#runningSentinels.map((each) => this.#knowsAll(each)))).every(Boolean);
  }

  async #knowsAll(sentinel: RedisServer): Promise<boolean> {
    const fields = (await sentinel.command("SENTINEL", "MASTER", this.name)) as string[];
    const state = new Map(fields.flatMap((name, at) => (at % 2 === 0 ? [[name, fields[at + 1]!]] : [])));
    return (
      state.get("flags") === "master" &&
      Number(state.get("num-slaves")) >= this.servers.length - 1 &&
      Number(state.get("num-other-sentinels")) >= this.sentinels.length - 1 &&
      String(await sentinel.command("SENTINEL", "CKQUORUM", this.name)).startsWith("OK")
    );
  }
}

async function primaryPort(sentinel: RedisServer): Promise<number> {
  const address = await sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", GROUP);
  return Number((address as string[])[1]);
}
