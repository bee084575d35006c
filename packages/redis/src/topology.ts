/** Which server holds which slot: one server for all, or the masters of a Cluster. */

import { AdapterError } from "@leakdb/core/adapter";
import type { Connection } from "./connection.js";
import { type Address, addressText, reachable, type Settings } from "./options.js";
import { replyCode } from "./redis-errors.js";

export const SLOTS = 16_384;

export interface Topology {
  readonly isCluster: boolean;
  /** In a Cluster each master once; else one, which is `undefined` where the settings know the place. */
  readonly masters: readonly (Address | undefined)[];
  /** All nodes of a Cluster that are known, replicas included: a later session may begin at any of them. */
  readonly nodes: readonly Address[];
  /** @returns `undefined` where the settings know the place. @throws AdapterError, transient, when no node serves the slot. */
  addressOf(slot: number): Address | undefined;
  /** A node said that another serves the slot. */
  moved(slot: number, address: Address): void;
  /** Asks a node anew who serves what. */
  refresh(connection: Connection, asked: Address | undefined): Promise<void>;
}

export function oneServer(address: Address | undefined): Topology {
  return {
    isCluster: false,
    masters: [address],
    nodes: [],
    addressOf: () => address,
    moved: () => undefined,
    refresh: () => Promise.resolve(),
  };
}

/** Asks a node of a Cluster. @throws AdapterError, transient, when that node is none to begin with. */
export async function clusterTopology(
  settings: Settings,
  connection: Connection,
  asked: Address,
): Promise<Topology> {
  await mustServe(connection);
  const topology = new ClusterTopology(settings);
  await topology.refresh(connection, asked);
  return topology;
}

type Node = [host: string | null, port: number];

class ClusterTopology implements Topology {
  readonly isCluster = true;
  readonly #settings: Settings;
  #owners: (Address | undefined)[] = [];
  #nodes: readonly Address[] = [];

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  get nodes(): readonly Address[] {
    return this.#nodes;
  }

  /** Those that nodes have named since, by `moved`, are among them. */
  get masters(): readonly Address[] {
    return distinct(this.#owners.filter((owner) => owner !== undefined));
  }

  addressOf(slot: number): Address {
    const owner = this.#owners[slot];
    if (owner !== undefined) return owner;
    throw new AdapterError(`no node of the Cluster serves the slot ${slot}`, { kind: "transient" });
  }

  moved(slot: number, address: Address): void {
    this.#owners[slot] = address;
  }

  async refresh(connection: Connection, asked: Address | undefined): Promise<void> {
    const reply = (await connection.call("CLUSTER", "SLOTS")) as [number, number, ...Node[]][];
    const owners: (Address | undefined)[] = new Array(SLOTS).fill(undefined);
    const nodes: Address[] = [];
    for (const [first, last, ...servers] of reply) {
      const addresses = servers.map(([host, port]) =>
        // A node without a name of its own is reached as the one that was asked.
        reachable(this.#settings, { host: host || (asked as Address).host, port }),
      );
      nodes.push(...addresses);
      owners.fill(addresses[0], first, last + 1);
    }
    if (nodes.length === 0) {
      throw new AdapterError(`${connection.address} knows no node that serves a slot`, { kind: "transient" });
    }
    this.#owners = owners;
    this.#nodes = distinct(nodes);
  }
}

/** A node that is cut off from most others, or has forgotten them, knows nothing that holds. */
async function mustServe(connection: Connection): Promise<void> {
  try {
    const info = String(await connection.call("CLUSTER", "INFO"));
    if (!info.includes("cluster_state:fail")) return;
  } catch (error) {
    if (replyCode(error) === "NOPERM") return;
    throw error;
  }
  throw new AdapterError(`the Cluster is down, says ${connection.address}: it serves not all of its slots`, {
    kind: "transient",
  });
}

export function distinct(addresses: readonly Address[]): Address[] {
  // Thousands of slots share some few objects, whose texts need not all be made.
  return [...new Map([...new Set(addresses)].map((each) => [addressText(each), each])).values()];
}

const REDIRECTION = /^(MOVED|ASK) (\d+) (.*):(\d+)$/;

export interface Redirection {
  readonly kind: "MOVED" | "ASK";
  readonly slot: number;
  readonly address: Address;
}

/** Where a node sends the caller; an empty host is the node's own. */
export function redirectionOf(error: unknown, settings: Settings, from: Address): Redirection | undefined {
  const found = REDIRECTION.exec((error as Error).message ?? "");
  if (found === null) return undefined;
  const [, kind, slot, host, port] = found as unknown as [string, "MOVED" | "ASK", string, string, string];
  const address = reachable(settings, {
    host: host.replace(/^\[|\]$/g, "") || from.host,
    port: Number(port),
  });
  return { kind, slot: Number(slot), address };
}
