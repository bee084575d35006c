/** A backend as the rows about storing need it: our storage over it, and the hand-written loop on its bare client. */

import { basename } from "node:path";
import { PersistentQueueStorage } from "@leakdb/core";
import { lmdb } from "@leakdb/lmdb";
import { redis } from "@leakdb/redis";
import { startCluster, startStandalone } from "@leakdb/redis-servers";
import type { BenchValue } from "../records.js";
import { BareLmdb } from "./bare-lmdb.js";
import { BareRedis } from "./bare-redis.js";
import { BareSqlite } from "./bare-sqlite.js";
import { openWriteBehind } from "./write-behind.js";

/** The bare client on a store of its own, or on one that ours has written. */
export interface BareStore {
  makeSchema(): void;
  /** All are in the store when it resolves, a commit each `batch` of them. */
  write(keys: readonly string[], values: readonly BenchValue[], batch: number): Promise<void> | void;
  /** All records, scanned and decoded into a `Map`. */
  readAll(): Promise<Map<string, BenchValue>> | Map<string, BenchValue>;
  close(): Promise<void> | void;
}

export interface Backend {
  /** `path` names nothing yet, or what `open` or `openBare` has made. */
  open(path: string): Promise<PersistentQueueStorage<BenchValue>>;
  openBare(path: string): BareStore;
  /** Removes what a round has written, where that is in the way of the next. */
  clean(): Promise<void>;
  stop(): Promise<void>;
  /** Where its server is, for a process that has not started it; `""` where there is none. */
  readonly url: string;
}

export type BackendName = "SQLite" | "LMDB" | "Redis" | "Redis Cluster";

const nothing = async (): Promise<void> => undefined;

/** Each starts what it needs. */
export const BACKENDS: Readonly<Record<BackendName, () => Promise<Backend>>> = {
  SQLite: async () => ({
    open: openWriteBehind,
    openBare: (path) => new BareSqlite(path),
    clean: nothing,
    stop: nothing,
    url: "",
  }),
  LMDB: async () => ({
    open: (path) => PersistentQueueStorage.open<BenchValue>({ adapter: lmdb({ directory: path }) }),
    openBare: (path) => new BareLmdb(path),
    clean: nothing,
    stop: nothing,
    url: "",
  }),
  Redis: async () => {
    const server = await startStandalone();
    return redisBackend([server], () => server.stop(), false);
  },
  // Without replicas, which would take the same two processors.
  "Redis Cluster": async () => {
    const cluster = await startCluster({ replicasPerMaster: 0 });
    return redisBackend(cluster.nodes, () => cluster.stop(), true);
  },
};

/** One that another process has started. */
export async function startedBackend(name: BackendName, url: string): Promise<Backend> {
  return url === ""
    ? BACKENDS[name]()
    : redisBackend([{ url, command: nothing }], nothing, name === "Redis Cluster");
}

interface Server {
  readonly url: string;
  command(name: string): Promise<unknown>;
}

function redisBackend(servers: readonly Server[], stop: () => Promise<void>, isCluster: boolean): Backend {
  const { url } = servers[0] as Server;
  return {
    open: (path) =>
      PersistentQueueStorage.open<BenchValue>({ adapter: redis({ url, keyPrefix: prefixOf(path) }) }),
    openBare: (path) => new BareRedis(url, prefixOf(path), isCluster),
    clean: async () => {
      await Promise.all(servers.map((server) => server.command("FLUSHALL")));
    },
    stop,
    url,
  };
}

function prefixOf(path: string): string {
  return `${basename(path)}:`;
}
