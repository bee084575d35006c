/**
 * What the tests of the Cluster share: a Cluster of three masters and three replicas with a proxy before each node,
 * stores under key prefixes of their own, and a look at the keys behind the adapter's back.
 */

import { type AdapterState, type Mutation, type StoredRecord, systemClock } from "@leakdb/core/adapter";
import { type RedisAdapterOptions, redis } from "@leakdb/redis";
import {
  type ClusterOptions,
  findServer,
  type ProxySet,
  type RedisCluster,
  type RedisServer,
  startCluster,
  startProxies,
  type TcpProxy,
  whyNotOurs,
} from "@leakdb/redis-servers";
import { Redis } from "ioredis";
import { afterEach } from "vitest";
import { CLUSTER_PARTITIONS, Layout } from "../src/layout.js";

/** Why there can be no Cluster here: the server that was given is no Cluster. For `describe.skipIf`. */
export const whyNoCluster = whyNotOurs(await findServer());

/** Of a hook that starts a Cluster, or a test that waits for a failover, on a machine with other work. */
export const LIMIT_MS = 90_000;
/** How long `until` may wait for what a Cluster does by itself. */
export const DEADLINE_MS = 60_000;

export const never: AbortSignal = new AbortController().signal;

const cleanups: (() => Promise<unknown> | unknown)[] = [];

/** Runs after the test, last added first. */
export function afterThisTest(cleanup: () => Promise<unknown> | unknown): void {
  cleanups.push(cleanup);
}

afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup !== undefined; cleanup = cleanups.pop()) await cleanup();
});

export class TestCluster implements AsyncDisposable {
  readonly cluster: RedisCluster;
  readonly proxies: ProxySet;
  #prefixes = 0;

  private constructor(cluster: RedisCluster, proxies: ProxySet) {
    this.cluster = cluster;
    this.proxies = proxies;
  }

  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    const cluster = await startCluster({ nodeTimeoutMs: 1_000, ...options });
    return new TestCluster(cluster, await startProxies(cluster.nodes));
  }

  /** A key prefix that no other test has. */
  prefix(): string {
    this.#prefixes += 1;
    return `test${this.#prefixes}:`;
  }

  /** Of an adapter that goes through the proxies, and begins at the first node or another one. */
  proxied(keyPrefix: string, first = 0): RedisAdapterOptions {
    const { natMap, proxies } = this.proxies;
    return { url: urlOf(proxies[first] as TcpProxy), natMap, keyPrefix };
  }

  /** Of an adapter that goes to the nodes themselves. */
  direct(keyPrefix: string): RedisAdapterOptions {
    return { nodes: this.cluster.nodes.map(({ url }) => url), keyPrefix };
  }

  /** The master that holds a partition of the store. */
  async ownerOf(keyPrefix: string, partition: number): Promise<RedisServer> {
    return this.cluster.ownerOf(new Layout(keyPrefix, true).slotOf(partition));
  }

  /** A key of a partition, the same each time. */
  keyIn(partition: number, number = 0): string {
    const layout = new Layout("any:", true);
    for (let index = 0, found = 0; ; index += 1) {
      const key = `key ${index}`;
      if (layout.partitionOf(key) === partition && found++ === number) return key;
    }
  }

  /** A partition of the store, but the first, that `server` holds. */
  async partitionOn(keyPrefix: string, server: RedisServer): Promise<number> {
    for (let partition = 1; partition < CLUSTER_PARTITIONS; partition += 1) {
      if ((await this.ownerOf(keyPrefix, partition)) === server) return partition;
    }
    throw new Error(`the server on port ${server.port} holds no partition`);
  }

  /** Every name of a key with the prefix, on all masters, with how often it is there. */
  async names(keyPrefix: string): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    await this.#eachPage(keyPrefix, (names) => {
      for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
    });
    return counts;
  }

  /** Removes every key with the prefix: a scan walks over all that there are. */
  async remove(keyPrefix: string): Promise<void> {
    await this.#eachPage(keyPrefix, async (names, client) => {
      const pipeline = client.pipeline();
      for (const name of names) pipeline.unlink(name);
      await pipeline.exec();
    });
  }

  /** All nodes refuse, and every connection is cut. */
  async goAway(): Promise<void> {
    await Promise.all(this.proxies.proxies.map((proxy) => proxy.refuse()));
    for (const proxy of this.proxies.proxies) proxy.cut();
  }

  async comeBack(): Promise<void> {
    await Promise.all(this.proxies.proxies.map((proxy) => proxy.admit()));
    for (const proxy of this.proxies.proxies) proxy.heal();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxies.stop();
    await this.cluster.stop();
  }

  async #eachPage(
    keyPrefix: string,
    use: (names: string[], client: Redis) => Promise<void> | void,
  ): Promise<void> {
    for (const master of await this.cluster.masters()) {
      const client = new Redis(master.url, { ...(master.ca !== undefined && { tls: { ca: master.ca } }) });
      try {
        for (let cursor = "0", isFirst = true; isFirst || cursor !== "0"; isFirst = false) {
          const [next, names] = await client.scan(cursor, "MATCH", `${keyPrefix}*`, "COUNT", 5_000);
          if (names.length > 0) await use(names, client);
          cursor = next;
        }
      } finally {
        client.disconnect();
      }
    }
  }
}

export function urlOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `redis://${host}:${port}`;
}

export interface OpenedStore {
  readonly adapter: ReturnType<typeof redis>;
  readonly state: AdapterState;
  readonly reports: Error[];
  write(...batch: Mutation[]): Promise<void>;
  records(): Promise<StoredRecord[]>;
}

/** An adapter that is open, and is closed after the test. */
export async function openStore(options: RedisAdapterOptions): Promise<OpenedStore> {
  const adapter = redis(options);
  const reports: Error[] = [];
  const limits = { batchMax: 10_000, batchBytesMax: 8 * 1024 * 1024 };
  const report = (error: Error): void => void reports.push(error);
  afterThisTest(() => adapter.close().catch(() => undefined));
  const state = await adapter.open({ clock: systemClock, signal: never, limits, report });
  return {
    adapter,
    state,
    reports,
    async write(...batch) {
      await adapter.write(batch, { signal: never });
    },
    async records() {
      const records: StoredRecord[] = [];
      for await (const page of adapter.scan({})) records.push(...page);
      return records;
    },
  };
}

export function put(key: string, value: string, version: number): Mutation {
  return { type: "put", key, value: Buffer.from(value), version, expiresAt: 0 };
}

export function puts(count: number, firstVersion = 1, value = "value"): Mutation[] {
  return Array.from({ length: count }, (_, index) => put(`key ${index}`, value, firstVersion + index));
}
