/** Which server holds which slot: one server for all, or the masters of a Cluster. */

import type { Connection } from "./connection.js";
import { type Address, addressText, type Settings } from "./options.js";

export const SLOTS = 16_384;

export interface Topology {
  readonly isCluster: boolean;
  /** In a Cluster each master once; else one, which is `undefined` where the settings know the place. */
  readonly masters: readonly (Address | undefined)[];
  /** @returns `undefined` where the settings know the place. @throws when no node serves the slot. */
  addressOf(slot: number): Address | undefined;
  /** A node said that another serves the slot. */
  moved(slot: number, address: Address): void;
}

export function oneServer(address: Address | undefined): Topology {
  return { isCluster: false, masters: [address], addressOf: () => address, moved: () => undefined };
}

/** Asks a node of a Cluster. */
export async function clusterTopology(
  settings: Settings,
  connection: Connection,
  asked: Address,
): Promise<Topology> {
  const reply = (await connection.call("CLUSTER", "SLOTS")) as [number, number, [string | null, number]][];
  const owners: (Address | undefined)[] = new Array(SLOTS);
  const masters = new Map<string, Address>();
  for (const [first, last, [host, port]] of reply) {
    const address = reachable(settings, { host: host || asked.host, port });
    masters.set(addressText(address), address);
    owners.fill(address, first, last + 1);
  }
  return {
    isCluster: true,
    masters: [...masters.values()],
    addressOf(slot) {
      const owner = owners[slot];
      if (owner === undefined) throw new Error(`no node of the Cluster serves the slot ${slot}`);
      return owner;
    },
    moved(slot, address) {
      owners[slot] = address;
    },
  };
}

export function reachable({ natMap }: Settings, address: Address): Address {
  return natMap.get(`${address.host}:${address.port}`) ?? address;
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
