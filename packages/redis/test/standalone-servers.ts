/** What the tests on one server and on Sentinels share: what ends with a test, an open adapter, and records. */

import { PersistentQueueStorage, type PersistentQueueStorageOptions } from "@leakdb/core";
import {
  type Adapter,
  type AdapterState,
  type Mutation,
  type StoredRecord,
  systemClock,
} from "@leakdb/core/adapter";
import { type RedisAdapterOptions, redis } from "@leakdb/redis";
import {
  type RedisServer,
  type StandaloneOptions,
  startProxy,
  startStandalone,
  type TcpProxy,
} from "@leakdb/redis-servers";
import { afterEach } from "vitest";

export const never: AbortSignal = new AbortController().signal;

/** Short enough that a test need not wait, long enough for two loaded cores. */
export const QUICK = { commandTimeout: 3_000, connectTimeout: 3_000 } as const;

const cleanups: (() => Promise<unknown> | unknown)[] = [];

/** Runs after the test, last added first. */
export function afterThisTest(cleanup: () => Promise<unknown> | unknown): void {
  cleanups.push(cleanup);
}

afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup !== undefined; cleanup = cleanups.pop()) await cleanup();
});

/** A server of this test's own. */
export async function serverOfThisTest(options: StandaloneOptions = {}): Promise<RedisServer> {
  const server = await startStandalone(options);
  afterThisTest(() => server.stop());
  return server;
}

/** A proxy before the server, of this test's own. */
export async function proxyOfThisTest({ port }: Pick<RedisServer, "port">): Promise<TcpProxy> {
  const proxy = await startProxy(port);
  afterThisTest(() => proxy.stop());
  return proxy;
}

export const urlOf = ({ host, port }: { host: string; port: number }): string => `redis://${host}:${port}`;

export interface OpenedStore {
  readonly adapter: Adapter;
  readonly state: AdapterState;
  /** What the adapter reported from the background. */
  readonly reports: Error[];
  /** Opens it again after a close, as core does. */
  open(): Promise<AdapterState>;
  write(...batch: Mutation[]): Promise<void>;
  records(): Promise<StoredRecord[]>;
  keys(): Promise<string[]>;
}

/** An adapter that is open, and closed after the test as far as it can be. */
export async function openAdapter(options: RedisAdapterOptions): Promise<OpenedStore> {
  const adapter = redis({ ...QUICK, ...options });
  const reports: Error[] = [];
  const limits = { batchMax: 10_000, batchBytesMax: 8 * 1024 * 1024 };
  const open = (): Promise<AdapterState> =>
    adapter.open({ clock: systemClock, signal: never, limits, report: (error) => reports.push(error) });
  afterThisTest(() => adapter.close().catch(() => undefined));
  const state = await open();
  const records = async (): Promise<StoredRecord[]> => {
    const found: StoredRecord[] = [];
    for await (const page of adapter.scan({})) found.push(...page);
    return found;
  };
  return {
    adapter,
    state,
    reports,
    open,
    records,
    async write(...batch) {
      await adapter.write(batch, { signal: never });
    },
    async keys() {
      return (await records()).map(({ key }) => key).sort();
    },
  };
}

export function put(key: string, value: string | Uint8Array, version: number, expiresAt = 0): Mutation {
  return { type: "put", key, value: Buffer.from(value), version, expiresAt };
}

export function puts(count: number, firstVersion = 1, head = "key "): Mutation[] {
  return Array.from({ length: count }, (_, index) =>
    put(`${head}${String(index).padStart(6, "0")}`, Buffer.alloc(100, index % 251), firstVersion + index),
  );
}

export interface OpenedStorage {
  readonly storage: PersistentQueueStorage<number>;
  /** What was told as a fault, or as the reason of a retry. */
  readonly faults: Error[];
  /** Resolves with the next of them that fits, or one that came before. */
  fault(fits: (error: Error) => boolean): Promise<Error>;
}

/** Retries soon, so that a test need not wait for half a minute; closed after the test as far as it can be. */
export async function openStorage(
  adapter: RedisAdapterOptions,
  options: Partial<PersistentQueueStorageOptions> = {},
): Promise<OpenedStorage> {
  const storage = await PersistentQueueStorage.open<number>({
    adapter: redis({ ...QUICK, ...adapter }),
    writeDelay: 5,
    retry: { backoff: 20, maxBackoff: 200 },
    ...options,
  });
  const faults: Error[] = [];
  storage.on("fault", (error) => faults.push(error));
  storage.on("retry", ({ error }) => faults.push(error));
  afterThisTest(() => storage.close({ timeout: 0 }).catch(() => undefined));
  return {
    storage,
    faults,
    async fault(fits) {
      for (;;) {
        const found = faults.find(fits);
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => {
          storage.once("fault", () => resolve());
          storage.once("retry", () => resolve());
        });
      }
    },
  };
}

/** What a new owner finds, as plain entries; the former one must have closed. */
export async function storedNow(adapter: RedisAdapterOptions): Promise<Record<string, number>> {
  const { storage } = await openStorage(adapter);
  const found = Object.fromEntries(storage.entries());
  await storage.close();
  return found;
}

/** What `start` rejects with. @throws Error when it resolves. */
export async function rejection(start: Promise<unknown>): Promise<Error & { code?: string; kind?: string }> {
  let value: unknown;
  try {
    value = await start;
  } catch (error) {
    return error as Error;
  }
  throw new Error(`it was expected to reject, and resolved with ${String(value)}`);
}
