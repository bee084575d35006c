/**
 * A storage that is written to without a pause while a test lets the Cluster fail. What it says is stored must be there
 * in the end, each key with the value it had last; what a failover may lose has to be told as a fault.
 */

import { setTimeout as delay } from "node:timers/promises";
import { jsonCodec, PersistentQueueStorage } from "@leakdb/core";
import { type RedisAdapterOptions, redis } from "@leakdb/redis";
import { until } from "@leakdb/redis-servers";
import { expect } from "vitest";
import { afterThisTest, DEADLINE_MS, openStore, type TestCluster } from "./cluster-servers.js";

const KEYS = 1_500;
const SETS_A_TURN = 60;
const TURN_MS = 4;
/** Short, so that what is lost is found out about soon; long enough for a machine with other work. */
const IMPATIENT = { commandTimeout: 2_000, connectTimeout: 2_000 };
const LOST = /a failover has lost writes/;

export class ClusterLoad {
  readonly faults: Error[] = [];
  readonly storage: PersistentQueueStorage<number>;
  readonly #servers: TestCluster;
  readonly #keyPrefix: string;
  #isRunning = true;
  #count = 0;
  #ended: Promise<void>;

  private constructor(servers: TestCluster, keyPrefix: string, storage: PersistentQueueStorage<number>) {
    this.#servers = servers;
    this.#keyPrefix = keyPrefix;
    this.storage = storage;
    storage.on("fault", (error) => this.faults.push(error));
    this.#ended = this.#run();
  }

  /** Opens a storage through the proxies, and writes until the first have been stored. */
  static async start(servers: TestCluster, options: RedisAdapterOptions = {}): Promise<ClusterLoad> {
    const keyPrefix = servers.prefix();
    const adapter = redis({ ...servers.proxied(keyPrefix), ...IMPATIENT, ...options });
    const storage = await PersistentQueueStorage.open<number>({
      adapter,
      codec: jsonCodec(),
      writeDelay: 5,
      writeTimeout: 15_000,
      flushTimeout: DEADLINE_MS,
      retry: { backoff: 20, maxBackoff: 200 },
    });
    const load = new ClusterLoad(servers, keyPrefix, storage);
    afterThisTest(() => load.#abandon());
    await load.more();
    return load;
  }

  get keyPrefix(): string {
    return this.#keyPrefix;
  }

  /** Resolves when as many writes again as there are keys have been made, and all are stored. */
  async more(): Promise<void> {
    await this.writes();
    await this.storage.flush();
  }

  /** Resolves when more has been written to memory, stored or not. */
  async writes(): Promise<void> {
    const enough = this.#count + KEYS;
    await until(async () => this.#count > enough, { what: "more writes", deadlineMs: DEADLINE_MS });
  }

  /** Ends, and compares what is there with what memory had. @returns how many keys a failover has lost, which was told */
  async verify(): Promise<number> {
    await this.more();
    this.#isRunning = false;
    await this.#ended;
    await this.storage.flush();
    const expected = new Map(this.storage.entries());
    expect(this.storage.deadLetters()).toEqual([]);
    await this.storage.close();
    const store = await openStore(this.#servers.direct(this.#keyPrefix));
    const records = await store.records();
    const found = new Map(
      records.map(({ key, value }) => [key, Number(Buffer.from(value).toString())] as const),
    );
    expect(found.size).toBe(records.length);
    const lost = [...expected].filter(([key, value]) => found.get(key) !== value);
    const mayLose = this.faults.some(({ message }) => LOST.test(message));
    if (!mayLose) expect(lost).toEqual([]);
    for (const key of found.keys()) expect(expected.has(key)).toBe(true);
    await store.adapter.close();
    await this.#servers.remove(this.#keyPrefix);
    return lost.length;
  }

  async #run(): Promise<void> {
    while (this.#isRunning) {
      for (let index = 0; index < SETS_A_TURN; index += 1) {
        this.#count += 1;
        this.storage.set(`key ${(this.#count * 7) % KEYS}`, this.#count);
      }
      // Not written again by what comes after: it is there, or it is lost.
      this.storage.set(`once ${this.#count}`, this.#count);
      await delay(TURN_MS);
    }
  }

  async #abandon(): Promise<void> {
    this.#isRunning = false;
    await this.#ended;
    await this.storage.close({ timeout: 5_000 }).catch(() => undefined);
  }
}

export function hasLost(faults: readonly Error[]): boolean {
  return faults.some(({ message }) => LOST.test(message));
}
