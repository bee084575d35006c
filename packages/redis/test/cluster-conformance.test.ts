/**
 * The adapter against the contract on a real Cluster. Cases with a kill go to the nodes themselves, from a thread that
 * is killed; all others go through proxies by a map of addresses, which an outage lets refuse and cut. A store whose
 * key prefix has a hash tag lies in one slot under plain names, as on one server, where every case runs: here
 * go the groups that a Cluster could make different.
 */

import { killThread, type ThreadAdapter, threadAdapter } from "@leakdb/core/adapter-thread";
import { type RedisAdapterOptions, redis } from "@leakdb/redis";
import { type ConformanceCase, conformanceCases } from "@leakdb/testkit";
import { afterAll, beforeAll, describe, test } from "vitest";
import { LIMIT_MS, TestCluster, whyNoCluster } from "./cluster-servers.js";

const CASE_LIMIT_MS = 60_000;
/** A case's own for a call; the suite's default is for a machine that has nothing else to do. */
const DEADLINE_MS = 30_000;
const ONE_SLOT_GROUPS = ["write", "load", "scan", "clear", "ownership"];

let servers: TestCluster;

function onThread(options: RedisAdapterOptions): ThreadAdapter {
  const { name, capabilities } = redis(options);
  const worker = new URL("./cluster-thread.mjs", import.meta.url);
  return threadAdapter({ name, capabilities, worker, workerData: options });
}

const through = conformanceCases({
  name: "redis cluster",
  deadlineMs: DEADLINE_MS,
  create: () => {
    const prefix = servers.prefix();
    return {
      adapter: () => redis(servers.proxied(prefix)),
      outage: { begin: () => servers.goAway(), end: () => servers.comeBack() },
      dispose: () => servers.remove(prefix),
    };
  },
});

const killing = conformanceCases({
  name: "redis cluster, killed",
  deadlineMs: DEADLINE_MS,
  create: () => {
    const prefix = servers.prefix();
    return {
      adapter: () => onThread(servers.direct(prefix)),
      kill: (adapter) => (adapter as ThreadAdapter)[killThread](),
      dispose: () => servers.remove(prefix),
    };
  },
});

const oneSlot = conformanceCases({
  name: "redis cluster, one slot",
  deadlineMs: DEADLINE_MS,
  create: () => {
    const prefix = `{${servers.prefix()}}`;
    return {
      adapter: () => redis(servers.direct(prefix)),
      dispose: () => servers.remove(prefix),
    };
  },
});

const needsKill = ({ requires }: ConformanceCase): boolean => requires?.reason.includes("kill") === true;

function run(cases: readonly ConformanceCase[]): void {
  for (const { group, name, run } of cases) test(`${group}: ${name}`, { timeout: CASE_LIMIT_MS }, run);
}

// A server that was given by URL is one server, which is no Cluster.
describe.skipIf(whyNoCluster)("a store in a Cluster", () => {
  beforeAll(async () => {
    servers = await TestCluster.start();
  }, LIMIT_MS);
  afterAll(() => servers[Symbol.asyncDispose]());

  describe("through proxies", () => run(through.filter((one) => !needsKill(one))));
  describe("on a thread that is killed", () => run(killing.filter(needsKill)));
  describe("under a key prefix with a hash tag", () =>
    run(oneSlot.filter(({ group }) => ONE_SLOT_GROUPS.includes(group))));
});
