/**
 * The connections of one epoch. When one of them fails, all end: what was sent over it may still be lying somewhere, and
 * only a new epoch, which a new session begins with, keeps that from landing.
 *
 * Connections are made as they are needed: for each lane of writes one to each server, and one more to each for all else.
 */

import { setTimeout as delay } from "node:timers/promises";
import { AdapterError } from "@leakdb/core/adapter";
import { Connection } from "./connection.js";
import { Layout } from "./layout.js";
import { type Address, addressText, type Settings } from "./options.js";
import { replyCode } from "./redis-errors.js";
import { checkServer, infoOf, type ServerInfo } from "./server-check.js";
import { clusterTopology, oneServer, redirectionOf, type Topology } from "./topology.js";

/** Beside the lanes of writes, which count from 0. */
export const CONTROL = -1;

const REDIRECTIONS_MAX = 16;
const TRY_AGAIN_MS = 20;

type Argument = string | number | Buffer;

export class Session {
  readonly layout: Layout;
  readonly topology: Topology;
  /** Of the first server that answered. */
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
    found: { topology: Topology; info: ServerInfo },
    signal: AbortSignal,
  ) {
    this.#settings = settings;
    this.#name = name;
    this.#signal = signal;
    this.topology = found.topology;
    this.info = found.info;
    this.layout = new Layout(settings.keyPrefix, found.topology.isCluster);
  }

  /**
   * @param name of the connections, as servers list them.
   * @param signal ends the opening. @param life ends later attempts to connect.
   */
  static async open(
    settings: Settings,
    name: string,
    signal: AbortSignal,
    life: AbortSignal,
  ): Promise<Session> {
    const errors: unknown[] = [];
    const seeds = settings.seeds.length === 0 ? [undefined] : settings.seeds;
    for (const seed of seeds) {
      let connection: Connection | undefined;
      try {
        connection = await Connection.open(settings, name, seed, signal);
        const info = await infoOf(connection);
        checkServer(info, settings.acceptEviction);
        const isCluster = info.get("cluster_enabled") === "1" && seed !== undefined;
        const topology = isCluster ? await clusterTopology(settings, connection, seed) : oneServer(seed);
        const session = new Session(settings, name, { topology, info }, life);
        session.#adopt(CONTROL, seed, connection);
        return session;
      } catch (error) {
        connection?.destroy();
        signal.throwIfAborted();
        errors.push(error);
      }
    }
    throw errors[0];
  }

  get isUp(): boolean {
    if (this.#fault !== undefined) return false;
    for (const connection of this.#opened) if (!connection.isUp) return false;
    return true;
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
    return this.#route(partition, lane, (connection) =>
      connection.call("EVAL", script, keys.length, ...keys, ...args),
    ) as Promise<string[]>;
  }

  /** The values of names of one partition. */
  values(partition: number, names: readonly string[]): Promise<(Buffer | null)[]> {
    return this.#route(partition, CONTROL, (connection) =>
      connection.callBuffer("MGET", ...names),
    ) as Promise<(Buffer | null)[]>;
  }

  /** Of what stands under the name; `none` where nothing does. */
  typeOf(partition: number, name: string): Promise<string> {
    return this.#route(partition, CONTROL, (connection) => connection.call("TYPE", name)) as Promise<string>;
  }

  /** `WAITAOF` on the connection that `run` has used last for the partition. */
  waitForDisk(partition: number, timeoutMs: number): Promise<number[]> {
    return this.#route(partition, CONTROL, (connection) =>
      connection.call("WAITAOF", 1, 0, timeoutMs),
    ) as Promise<number[]>;
  }

  /** A connection to each master. */
  masters(): Promise<Connection[]> {
    return Promise.all(this.topology.masters.map((address) => this.#connection(CONTROL, address)));
  }

  /** Follows a Cluster's redirections. A command that a node refuses by one has done nothing there. */
  async #route(
    partition: number,
    lane: number,
    send: (connection: Connection) => Promise<unknown>,
  ): Promise<unknown> {
    if (!this.topology.isCluster) return send(await this.#connection(lane, this.topology.addressOf(0)));
    const slot = this.layout.slotOf(partition);
    const endMs = performance.now() + this.#settings.commandTimeoutMs;
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
          // Some keys of the slot have moved to the other node and some have not.
          if (replyCode(error) !== "TRYAGAIN" || performance.now() > endMs) throw error;
          await delay(TRY_AGAIN_MS);
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
    if (this.#fault !== undefined) return Promise.reject(this.#fault);
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

  #adopt(lane: number, address: Address | undefined, connection: Connection): void {
    this.#opened.add(connection);
    this.#connections.set(idOf(lane, address), Promise.resolve(connection));
  }
}

function idOf(lane: number, address: Address | undefined): string {
  return `${lane} ${address === undefined ? "" : addressText(address)}`;
}
