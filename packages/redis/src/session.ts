/**
 * The connections of one epoch. When one of them fails, all end: what was sent over it may still be lying somewhere, and
 * only a new epoch, which a new session begins with, keeps that from landing.
 *
 * Connections are made as they are needed: for each lane of writes one to each server, and one more to each for all else.
 */

import { setMaxListeners } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { AdapterError } from "@leakdb/core/adapter";
import calculateSlot from "cluster-key-slot";
import { Connection } from "./connection.js";
import { Layout, suitsCluster } from "./layout.js";
import { type Address, addressText, type Settings } from "./options.js";
import { replyCode } from "./redis-errors.js";
import { checkServer, infoOf, isClusterNode, notSupported, type ServerInfo } from "./server-check.js";
import { clusterTopology, oneServer, redirectionOf, type Topology } from "./topology.js";

/** Beside the lanes of writes, which count from 0. */
export const CONTROL = -1;

const REDIRECTIONS_MAX = 16;
const TRY_AGAIN_MS = 20;

type Argument = string | number | Buffer;

export class Session {
  readonly layout: Layout;
  readonly topology: Topology;
  /** The server that it began with. */
  readonly seed: Address | undefined;
  readonly info: ServerInfo;
  readonly #settings: Settings;
  readonly #name: string;
  readonly #signal: AbortSignal;
  readonly #connections = new Map<string, Promise<Connection>>();
  readonly #opened = new Set<Connection>();
  #fault: Error | undefined;

  private constructor(
    settings: Settings,
    name: string,
    found: { seed: Address | undefined; topology: Topology; info: ServerInfo },
    signal: AbortSignal,
  ) {
    this.#settings = settings;
    this.#name = name;
    this.#signal = signal;
    // Each connection that is being made listens: of many lanes to many masters, all at once.
    setMaxListeners(0, signal);
    this.seed = found.seed;
    this.topology = found.topology;
    this.info = found.info;
    this.layout = new Layout(settings.keyPrefix, found.topology.isCluster);
  }

  /**
   * @param name of the connections, as servers list them. @param seeds where to begin: the first that answers is taken.
   * @param signal ends the opening. @param life ends later attempts to connect.
   */
  static async open(
    settings: Settings,
    name: string,
    seeds: readonly Address[],
    signal: AbortSignal,
    life: AbortSignal,
  ): Promise<Session> {
    const errors: unknown[] = [];
    for (const seed of seeds.length === 0 ? [undefined] : seeds) {
      let connection: Connection | undefined;
      try {
        connection = await Connection.open(settings, name, seed, signal);
        const info = await infoOf(connection);
        const isCluster = seed !== undefined && (await isClusterNode(connection, info));
        if (isCluster) checkForCluster(settings);
        const topology = isCluster ? await clusterTopology(settings, connection, seed) : oneServer(seed);
        const session = new Session(settings, name, { seed, topology, info }, life);
        session.#adopt(CONTROL, seed, connection);
        return session;
      } catch (error) {
        connection?.destroy();
        signal.throwIfAborted();
        errors.push(isOtherDatabase(error) ? onlyDatabase0() : error);
      }
    }
    // One that says what has to be changed tells more than one that is not there.
    throw errors.find((error) => error instanceof AdapterError && error.kind === "permanent") ?? errors[0];
  }

  get isUp(): boolean {
    if (this.#fault !== undefined) return false;
    for (const connection of this.#opened) if (!connection.isUp) return false;
    return true;
  }

  /** Why a connection was lost, as long as nobody has ended the session for it. */
  get loss(): Error | undefined {
    if (this.#fault !== undefined) return undefined;
    for (const { fault } of this.#opened) if (fault !== undefined) return fault;
    return undefined;
  }

  /** True while a command that was sent may still do something. */
  get isUncertain(): boolean {
    for (const connection of this.#opened) if (connection.unanswered > 0) return true;
    return false;
  }

  /** Ends all connections. */
  destroy(fault: Error): void {
    this.#fault ??= fault;
    for (const connection of this.#opened) connection.destroy();
  }

  /** Runs a script on the node that serves the partition. `keys` are of that partition. */
  run(
    lane: number,
    partition: number,
    script: string,
    keys: readonly string[],
    args: readonly Argument[],
  ): Promise<string[]> {
    return this.#route(this.layout.slotOf(partition), lane, (connection) =>
      connection.call("EVAL", script, keys.length, ...keys, ...args),
    ) as Promise<string[]>;
  }

  /** The values of names of one partition. */
  async values(partition: number, names: readonly string[]): Promise<(Buffer | null)[]> {
    const slot = this.layout.slotOf(partition);
    const get = (...those: readonly string[]): Promise<(Buffer | null)[]> =>
      this.#route(slot, CONTROL, (connection) => connection.callBuffer("MGET", ...those), 0) as Promise<
        (Buffer | null)[]
      >;
    try {
      return await get(...names);
    } catch (error) {
      if (replyCode(error) !== "TRYAGAIN") throw error;
      // Of a slot half-way between two nodes each record by itself is on one of them.
      return (await Promise.all(names.map((name) => get(name)))).flat();
    }
  }

  /** Of what stands under the name, wherever it would be; `none` where nothing does. */
  typeOf(name: string): Promise<string> {
    return this.#route(calculateSlot(name), CONTROL, (connection) =>
      connection.call("TYPE", name),
    ) as Promise<string>;
  }

  /** `WAITAOF` on the connection that `run` has used last for the partition. */
  waitForDisk(partition: number, timeoutMs: number): Promise<number[]> {
    return this.#route(this.layout.slotOf(partition), CONTROL, (connection) =>
      connection.call("WAITAOF", 1, 0, timeoutMs),
    ) as Promise<number[]>;
  }

  /** A connection to each master. */
  masters(): Promise<Connection[]> {
    return Promise.all(this.topology.masters.map((address) => this.#connection(CONTROL, address)));
  }

  /** Asks a master anew which node serves which slot. */
  async refreshTopology(): Promise<void> {
    const [master] = this.topology.masters;
    await this.topology.refresh(await this.#connection(CONTROL, master), master);
  }

  /**
   * Follows a Cluster's redirections. A command that a node refuses by one has done nothing there.
   * @param patienceMs for keys of which some have moved to another node and some have not
   */
  async #route(
    slot: number,
    lane: number,
    send: (connection: Connection) => Promise<unknown>,
    patienceMs: number = this.#settings.commandTimeoutMs,
  ): Promise<unknown> {
    if (!this.topology.isCluster) return send(await this.#connection(lane, this.topology.addressOf(0)));
    const endMs = performance.now() + patienceMs;
    let asked: Address | undefined;
    for (let redirections = 0; ; ) {
      const address = asked ?? (this.topology.addressOf(slot) as Address);
      const connection = await this.#connection(lane, address);
      try {
        // In the same turn, so that nothing comes between.
        if (asked !== undefined) connection.call("ASKING").catch(() => undefined);
        return await send(connection);
      } catch (error) {
        asked = undefined;
        const redirection = redirectionOf(error, this.#settings, address);
        if (redirection === undefined) {
          if (replyCode(error) !== "TRYAGAIN" || performance.now() >= endMs) throw error;
          await delay(TRY_AGAIN_MS);
          // It is sent to the same two nodes as often as it takes.
          redirections = 0;
          continue;
        }
        redirections += 1;
        if (redirections > REDIRECTIONS_MAX) {
          const message = `the nodes of the Cluster send each other's slot ${slot} about`;
          throw new AdapterError(message, { kind: "transient", cause: error });
        }
        if (redirection.kind === "ASK") asked = redirection.address;
        else this.topology.moved(redirection.slot, redirection.address);
      }
    }
  }

  #connection(lane: number, address: Address | undefined): Promise<Connection> {
    if (this.#fault !== undefined) {
      const message = `the connections have ended: ${this.#fault.message}`;
      return Promise.reject(new AdapterError(message, { kind: "transient", cause: this.#fault }));
    }
    const id = idOf(lane, address);
    let opening = this.#connections.get(id);
    if (opening === undefined) {
      opening = this.#open(address);
      this.#connections.set(id, opening);
    }
    return opening;
  }

  async #open(address: Address | undefined): Promise<Connection> {
    try {
      const connection = await Connection.open(this.#settings, this.#name, address, this.#signal);
      if (this.#fault !== undefined) connection.destroy();
      this.#opened.add(connection);
      return connection;
    } catch (error) {
      this.#fault ??= error as Error;
      throw new AdapterError(`no connection: ${(error as Error).message}`, {
        kind: "transient",
        cause: error,
      });
    }
  }

  /** Each master may have settings of its own. @throws AdapterError LEAKDB_NOT_SUPPORTED */
  async checkServers(): Promise<void> {
    const { acceptEviction } = this.#settings;
    checkServer(this.info, acceptEviction);
    if (!this.topology.isCluster) return;
    const infos = await Promise.all((await this.masters()).map(infoOf));
    for (const info of infos) checkServer(info, acceptEviction);
  }

  #adopt(lane: number, address: Address | undefined, connection: Connection): void {
    this.#opened.add(connection);
    this.#connections.set(idOf(lane, address), Promise.resolve(connection));
  }
}

/** @throws AdapterError LEAKDB_NOT_SUPPORTED */
function checkForCluster({ keyPrefix, connection }: Settings): void {
  if ((connection.db ?? 0) !== 0) throw onlyDatabase0();
  if (suitsCluster(keyPrefix)) return;
  throw notSupported(
    `in a Cluster a keyPrefix with {} in it would scatter the records: choose another one, not ${JSON.stringify(keyPrefix)}`,
  );
}

function isOtherDatabase(error: unknown): boolean {
  return error instanceof Error && error.message.includes("SELECT is not allowed in cluster mode");
}

function onlyDatabase0(): AdapterError {
  return notSupported("a Cluster has database 0 alone: take the number out of the url, or of `db`");
}

function idOf(lane: number, address: Address | undefined): string {
  return `${lane} ${address === undefined ? "" : addressText(address)}`;
}
