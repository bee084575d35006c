/** The options of `redis()`, and what is made of them. */

import { checkOptionNames } from "@leakdb/core/adapter";
import type { Cluster, Redis, RedisOptions } from "ioredis";

export interface RedisAdapterOptions {
  /**
   * Where the server is: `redis://user:password@host:6379/0`, `rediss://` for TLS. Of a Cluster, any of its nodes.
   * Redis from 6.0 on, or Valkey.
   * Default: `redis://127.0.0.1:6379`, unless `connection`, `nodes` or `client` says more.
   */
  readonly url?: string | undefined;
  /** Further nodes of a Cluster, as urls, to begin with when the first is down. */
  readonly nodes?: readonly string[] | undefined;
  /**
   * Options of ioredis: `host`, `port`, `username`, `password`, `db`, `tls`, `family`, `protocol`, and for Sentinel
   * `sentinels` and `name`. What `url` says comes first. Those about retries and queues are LeakDB's own and are ignored.
   */
  readonly connection?: RedisOptions | undefined;
  /**
   * A client you have, whose settings and addresses are used for connections of the adapter's own. It is never used, changed
   * or closed. Instead of `url`, `nodes` and `connection`.
   */
  readonly client?: Redis | Cluster | undefined;
  /** Where a Cluster's or Sentinel's addresses are reached from here: `{ "10.0.0.1:7000": { host, port } }`. */
  readonly natMap?: Readonly<Record<string, { readonly host: string; readonly port: number }>> | undefined;
  /** What the names of all keys begin with; one store each. At most 256 UTF-8 bytes. Default: `leakdb:`. */
  readonly keyPrefix?: string | undefined;
  /** Take the store over from an owner who lives, who is then fenced off. Default: false, which is `LEAKDB_LOCKED`. */
  readonly takeover?: boolean | undefined;
  /**
   * How long the store stays locked after its owner's machine is gone, in milliseconds, from 1,000. Default: 10,000. An owner
   * whose process ends leaves it free within a second or two.
   */
  readonly lease?: number | undefined;
  /** How long a command may take, in milliseconds. Default: 10,000. */
  readonly commandTimeout?: number | undefined;
  /** How long a connection may take, in milliseconds. Default: 5,000. */
  readonly connectTimeout?: number | undefined;
  /**
   * `synced` is a level of this store: the server has its append-only file, and syncs it always or knows `WAITAOF`. The
   * opening fails with `LEAKDB_NOT_SUPPORTED` where that is not so. Default: false.
   */
  readonly synced?: boolean | undefined;
  /**
   * Open the store on a server that may evict its records (a `maxmemory` with a policy other than `noeviction`). Default:
   * false, which is `LEAKDB_NOT_SUPPORTED`.
   */
  readonly acceptEviction?: boolean | undefined;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

type NatFunction = (address: string) => Address | null | undefined;

export interface Settings {
  /** For every connection; without the address for those to the nodes of a Cluster. */
  readonly connection: RedisOptions;
  /** Where to begin; empty where `connection` knows the place, as with Sentinel. */
  readonly seeds: readonly Address[];
  readonly natMap: ReadonlyMap<string, Address>;
  /** Asked where `natMap` knows nothing: a `Cluster` of ioredis takes a function as well. */
  readonly natFunction: NatFunction | undefined;
  readonly keyPrefix: string;
  readonly takeover: boolean;
  readonly leaseMs: number;
  readonly commandTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly synced: boolean;
  readonly acceptEviction: boolean;
}

const OPTIONS = [
  "url",
  "nodes",
  "connection",
  "client",
  "natMap",
  "keyPrefix",
  "takeover",
  "lease",
  "commandTimeout",
  "connectTimeout",
  "synced",
  "acceptEviction",
];
const DEFAULT_PORT = 6379;
const LEASE_MS_MIN = 1_000;
const KEY_PREFIX_BYTES_MAX = 256;
const TIMER_MS_MAX = 2 ** 31 - 1;

export function addressText({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** @throws TypeError or RangeError when an option is unknown or not what it should be. */
export function checkOptions(options: RedisAdapterOptions): Settings {
  if (typeof options !== "object" || options === null)
    throw new TypeError("redis: options must be an object");
  checkOptionNames(options, OPTIONS, "redis");
  const place = options.client === undefined ? placeOf(options) : placeOfClient(options);
  const { natMap = {} } = options;
  const { connection, seeds, natMap: ofClient } = place;
  if (typeof natMap !== "object" || natMap === null) throw new TypeError("redis: natMap must be an object");
  return {
    connection,
    seeds,
    natMap: new Map([
      ...Object.entries(typeof ofClient === "object" ? ofClient : {}),
      ...Object.entries(natMap),
    ]),
    natFunction: typeof ofClient === "function" ? ofClient : undefined,
    keyPrefix: keyPrefixOf(options.keyPrefix),
    takeover: flag("takeover", options.takeover),
    leaseMs: duration("lease", options.lease, 10_000, LEASE_MS_MIN),
    commandTimeoutMs: duration("commandTimeout", options.commandTimeout, 10_000, 1),
    connectTimeoutMs: duration("connectTimeout", options.connectTimeout, 5_000, 1),
    synced: flag("synced", options.synced),
    acceptEviction: flag("acceptEviction", options.acceptEviction),
  };
}

interface Place {
  readonly connection: RedisOptions;
  readonly seeds: readonly Address[];
  readonly natMap?: Readonly<Record<string, Address>> | NatFunction | undefined;
}

/** Where an address that a server gave is reached from here. */
export function reachable({ natMap, natFunction }: Settings, address: Address): Address {
  const given = `${address.host}:${address.port}`;
  return natMap.get(given) ?? natFunction?.(given) ?? address;
}

function placeOf({ url, nodes = [], connection = {} }: RedisAdapterOptions): Place {
  if (typeof connection !== "object" || connection === null) {
    throw new TypeError("redis: connection must be an object of options of ioredis");
  }
  if (!Array.isArray(nodes)) throw new TypeError("redis: nodes must be an array of urls");
  const urls = [...(url === undefined ? [] : [url]), ...nodes].map(parseUrl);
  const first = urls[0];
  const { host = first?.host ?? "127.0.0.1", port = first?.port ?? DEFAULT_PORT } = connection;
  const merged: RedisOptions = { ...first?.options, ...connection };
  if (connection.sentinels !== undefined || connection.path !== undefined)
    return { connection: merged, seeds: [] };
  const others = urls.slice(connection.host === undefined ? 1 : 0);
  return { connection: merged, seeds: [{ host, port: Number(port) }, ...others.map(addressOf)] };
}

const addressOf = ({ host, port }: Address): Address => ({ host, port });

interface ParsedUrl extends Address {
  readonly options: RedisOptions;
}

/** No message holds the url, as it may hold a password. */
function parseUrl(text: unknown): ParsedUrl {
  if (typeof text !== "string") throw new TypeError("redis: a url must be a string");
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new TypeError("redis: a url must be like redis://user:password@host:6379/0");
  }
  if (url.protocol !== "redis:" && url.protocol !== "rediss:") {
    throw new TypeError("redis: a url must begin with redis:// or, for TLS, with rediss://");
  }
  const db = url.pathname.replace(/^\//, "");
  if (!/^\d*$/.test(db))
    throw new TypeError("redis: what follows the host in a url is the number of a database");
  return {
    host: url.hostname.replace(/^\[|\]$/g, "") || "127.0.0.1",
    port: url.port === "" ? DEFAULT_PORT : Number(url.port),
    options: {
      ...(url.username !== "" && { username: decodeURIComponent(url.username) }),
      ...(url.password !== "" && { password: decodeURIComponent(url.password) }),
      ...(db !== "" && { db: Number(db) }),
      ...(url.protocol === "rediss:" && { tls: {} }),
    },
  };
}

/** The parts of ioredis's `Cluster` that are read. */
interface ClusterLike {
  readonly isCluster: true;
  readonly options: { readonly redisOptions?: RedisOptions; readonly natMap?: Place["natMap"] | null };
  readonly startupNodes?: readonly (string | number | RedisOptions)[];
  nodes(role: "all"): readonly { readonly options: RedisOptions }[];
}

function placeOfClient({ client, url, nodes, connection }: RedisAdapterOptions): Place {
  if (url !== undefined || nodes !== undefined || connection !== undefined) {
    throw new TypeError("redis: client brings its own url, nodes and connection; give either");
  }
  const given = client as unknown as ClusterLike | { isCluster: false; options?: RedisOptions } | null;
  if (typeof given !== "object" || given === null || typeof given.options !== "object") {
    throw new TypeError("redis: client must be a Redis or Cluster of ioredis");
  }
  if (!given.isCluster) {
    const { options } = given;
    const { host = "127.0.0.1", port = DEFAULT_PORT } = options;
    const hasAddress = options.sentinels === undefined && !options.path;
    return { connection: options, seeds: hasAddress ? [{ host, port: Number(port) }] : [] };
  }
  const { redisOptions, natMap } = given.options;
  const known = given.nodes("all").map((node) => node.options);
  const begun = (given.startupNodes ?? []).map(startupNode);
  const seeds = [...known, ...begun].map(({ host = "127.0.0.1", port = DEFAULT_PORT }) => ({
    host,
    port: Number(port),
  }));
  // What the first node is given of passwords and TLS holds for all, unlike what it is given of its place.
  const { host: _host, port: _port, path: _path, db: _db, ...shared } = { ...begun[0], ...redisOptions };
  return { connection: shared, seeds, natMap: natMap ?? undefined };
}

/** As ioredis understands it: a url, a port, or options. */
function startupNode(node: string | number | RedisOptions): RedisOptions {
  if (typeof node === "number") return { port: node };
  if (typeof node === "object") return node;
  if (!node.includes("://")) return /^\d+$/.test(node) ? { port: Number(node) } : { host: node };
  const { host, port, options } = parseUrl(node);
  return { host, port, ...options };
}

function keyPrefixOf(keyPrefix: unknown = "leakdb:"): string {
  if (typeof keyPrefix !== "string") throw new TypeError("redis: keyPrefix must be a string");
  if (keyPrefix === "")
    throw new TypeError("redis: keyPrefix must not be empty: the store's own mark has that name");
  if (!keyPrefix.isWellFormed()) throw new TypeError("redis: keyPrefix must be well-formed Unicode");
  if (Buffer.byteLength(keyPrefix) > KEY_PREFIX_BYTES_MAX) {
    throw new RangeError(`redis: keyPrefix must have at most ${KEY_PREFIX_BYTES_MAX} UTF-8 bytes`);
  }
  return keyPrefix;
}

function flag(name: string, value: unknown = false): boolean {
  if (typeof value !== "boolean") throw new TypeError(`redis: ${name} must be true or false`);
  return value;
}

function duration(name: string, value: unknown, usual: number, least: number): number {
  if (value === undefined) return usual;
  if (typeof value !== "number") throw new TypeError(`redis: ${name} must be a number of milliseconds`);
  if (!Number.isInteger(value) || value < least || value > TIMER_MS_MAX) {
    throw new RangeError(
      `redis: ${name} must be an integer of milliseconds from ${least} to ${TIMER_MS_MAX}`,
    );
  }
  return value;
}
