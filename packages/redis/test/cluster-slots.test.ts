/** Slots that move from master to master while a store is in use, and masters that have had none before. */

import type { StoredRecord } from "@leakdb/core/adapter";
import { type RedisServer, type SlotMigration, until } from "@leakdb/redis-servers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Layout } from "../src/layout.js";
import { ClusterLoad, hasLost } from "./cluster-load.js";
import {
  afterThisTest,
  DEADLINE_MS,
  LIMIT_MS,
  type OpenedStore,
  openStore,
  put,
  puts,
  TestCluster,
  whyNoCluster,
} from "./cluster-servers.js";

const PARTITION = 9;
const RECORDS = 6_000;

let servers: TestCluster;

/** Begins to move the slot of a partition to another master. */
async function beginMigration(prefix: string, partition = PARTITION): Promise<SlotMigration> {
  const slot = new Layout(prefix, true).slotOf(partition);
  const owner = await servers.cluster.ownerOf(slot);
  const other = (await servers.cluster.masters()).find((master) => master !== owner);
  const migration = await servers.cluster.beginMigration(slot, other!);
  // A slot that a failed test leaves half-way would fail all others. One that has arrived stays where it is.
  afterThisTest(() => migration.finish().catch(() => undefined));
  return migration;
}

function keysOf(records: readonly StoredRecord[]): string[] {
  return records.map(({ key }) => key).sort();
}

/** A store with records in all partitions, and the keys of one of these. */
async function filledStore(
  prefix: string,
): Promise<{ store: OpenedStore; keys: string[]; moving: string[] }> {
  const store = await openStore(servers.proxied(prefix));
  await store.write(...puts(RECORDS));
  const keys = keysOf(await store.records());
  const layout = new Layout(prefix, true);
  const moving = keys.filter((key) => layout.partitionOf(key) === PARTITION);
  expect(keys).toHaveLength(RECORDS);
  expect(moving.length).toBeGreaterThan(4);
  return { store, keys, moving };
}

// A server that was given by URL is one server, which is no Cluster.
describe.skipIf(whyNoCluster)("a store whose slots move", () => {
  beforeAll(async () => {
    servers = await TestCluster.start();
  }, LIMIT_MS);
  afterAll(() => servers[Symbol.asyncDispose]());
  const moves = (name: string, body: (prefix: string) => Promise<void>): void => {
    test(name, { timeout: LIMIT_MS }, async () => {
      const prefix = servers.prefix();
      await body(prefix);
      await servers.remove(prefix);
    });
  };

  moves("is written to while a slot is half-way, and after it has arrived", async () => {
    const load = await ClusterLoad.start(servers);
    const migration = await beginMigration(load.keyPrefix);
    // New records of the slot have to wait (TRYAGAIN), and what was written after them.
    await migration.moveKeys(3);
    await load.writes();
    await migration.finish();
    expect(await load.verify()).toBe(0);
    expect(hasLost(load.faults)).toBe(false);
  });

  moves("is written to while a slot is about to move, and stays", async () => {
    const load = await ClusterLoad.start(servers);
    const migration = await beginMigration(load.keyPrefix);
    await load.writes();
    await migration.abandon();
    expect(await load.verify()).toBe(0);
    expect(hasLost(load.faults)).toBe(false);
  });

  moves("reads and rewrites the records of a slot that is half-way, on either side", async (prefix) => {
    const { store, moving } = await filledStore(prefix);
    const migration = await beginMigration(prefix);
    await migration.moveKeys(Math.ceil(moving.length / 2));
    const records = await store.adapter.load(moving);
    expect(records.map((record) => record?.key)).toEqual(moving);
    await migration.moveKeys();
    // All that there is has gone ahead, the mark as well: ASK.
    await store.write(...moving.map((key, index) => put(key, "rewritten", 10_001 + index)));
    expect(await store.adapter.load(moving)).toMatchObject(moving.map((_, at) => ({ version: 10_001 + at })));
    await migration.finish();
    expect(await store.adapter.load(moving)).toMatchObject(moving.map((_, at) => ({ version: 10_001 + at })));
    expect(store.reports).toEqual([]);
  });

  moves("follows a slot that has moved while nobody looked", async (prefix) => {
    const { store, keys, moving } = await filledStore(prefix);
    await (await beginMigration(prefix)).finish();
    await store.write(...moving.map((key, index) => put(key, "moved", 10_001 + index)));
    expect(await store.adapter.load(moving)).toMatchObject(moving.map((_, at) => ({ version: 10_001 + at })));
    expect(keysOf(await store.records())).toEqual(keys);
    await store.write({ type: "clear", prefix: "", version: 20_000 });
    expect(await store.records()).toEqual([]);
    expect(store.reports).toEqual([]);
  });

  moves("opens and is scanned whole while a slot stays half-way", async (prefix) => {
    const { store, keys, moving } = await filledStore(prefix);
    const migration = await beginMigration(prefix);
    await migration.moveKeys(Math.ceil(moving.length / 2));
    expect(keysOf(await store.records())).toEqual(keys);
    await store.adapter.close();
    const again = await openStore(servers.direct(prefix));
    expect(keysOf(await again.records())).toEqual(keys);
    await migration.finish();
  });

  moves("is scanned whole while slots move between its pages, each record once", async (prefix) => {
    const { store, keys } = await filledStore(prefix);
    const found: StoredRecord[] = [];
    let partition = 0;
    for await (const page of store.adapter.scan({})) {
      found.push(...page);
      if (partition < 4) await (await beginMigration(prefix, partition++)).finish();
    }
    expect(partition).toBe(4);
    expect(keysOf(found)).toEqual(keys);
  });

  moves("finds its records on a master that had no slot before", async (prefix) => {
    const { store, keys, moving } = await filledStore(prefix);
    const newcomer = await newMaster();
    const migration = await servers.cluster.beginMigration(
      new Layout(prefix, true).slotOf(PARTITION),
      newcomer,
    );
    await migration.finish();
    expect(await newcomer.command("DBSIZE")).toBeGreaterThanOrEqual(moving.length);
    expect(keysOf(await store.records())).toEqual(keys);
    await store.write(...moving.map((key, index) => put(key, "moved", 10_001 + index)));
    expect(keysOf(await store.records())).toEqual(keys);
    expect(store.reports).toEqual([]);
  });
});

/** Makes a replica a master without slots. */
async function newMaster(): Promise<RedisServer> {
  const [first] = await servers.cluster.masters();
  const [replica] = await servers.cluster.replicasOf(first!);
  await replica!.command("CLUSTER", "RESET", "SOFT");
  await replica!.command("FLUSHALL");
  await replica!.command("CLUSTER", "MEET", first!.host, first!.port);
  const knows = async (): Promise<boolean> => {
    const states = await Promise.all(
      servers.cluster.nodes.map(async (node) => {
        const [info, nodes] = [await node.command("CLUSTER", "INFO"), await node.command("CLUSTER", "NODES")];
        const line =
          String(nodes)
            .split("\n")
            .find((each) => each.includes(`:${replica!.port}@`)) ?? "";
        return String(info).includes("cluster_state:ok") && / (myself,)?master - /.test(line);
      }),
    );
    return states.every(Boolean);
  };
  await until(knows, { what: "a Cluster with a new master", deadlineMs: DEADLINE_MS });
  return replica!;
}
