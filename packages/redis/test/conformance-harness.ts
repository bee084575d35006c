/**
 * The conformance suite over a server. Each case has a database of its own, so that cases run side by side, and a scan
 * walks over none but its records. The adapters of a case are behind a proxy: a kill is the end of all connections and a proxy
 * that accepts no more, which is all that a server sees of the end of a process. `owner-process.test.ts` kills real ones.
 */

import type { Adapter } from "@leakdb/core/adapter";
import { type RedisAdapterOptions, redis } from "@leakdb/redis";
import { type ProxySet, startProxies, type TcpProxy } from "@leakdb/redis-servers";
import { type ConformanceCase, conformanceCases, type Fixture } from "@leakdb/testkit";
import { describe, test } from "vitest";
import { urlOf } from "./standalone-servers.js";

/** More than cases that run at once have; each gives its own back. */
export const DATABASES = 64;
const free = Array.from({ length: DATABASES }, (_, database) => database);

/** What goes away in an outage: connections are cut and refused, or bytes lie still. */
export type OutageOfProxies = "refuse" | "freeze";

export interface Place {
  /** The servers to stand proxies before. */
  readonly servers: () => readonly { readonly port: number }[];
  /** Options that lead an adapter to the proxies. */
  readonly options: (proxies: ProxySet) => RedisAdapterOptions;
  /** Removes what the database holds. */
  readonly flush: (database: number) => Promise<unknown>;
}

export interface Suite extends Place {
  readonly name: string;
  readonly outage: OutageOfProxies;
  readonly connection?: RedisAdapterOptions["connection"];
  /** Default: all. */
  readonly groups?: readonly string[];
}

/**
 * Those that a server's own behaviour decides: what its scripts, its scans and its connections do. What the others try is
 * the adapter's own doing alone: once is enough, on the server that `standalone-conformance.test.ts` has.
 */
export const GROUPS_OF_SERVERS: readonly string[] = [
  "write",
  "load",
  "scan",
  "versions and idempotence",
  "clear",
  "expiry",
  "sizes and limits",
  "hostile keys and values",
  "concurrency",
  "faults",
  "ownership",
];

/** Those whose replies are of every form, for the second protocol that a server speaks. */
export const GROUPS_OF_PROTOCOLS: readonly string[] = [
  "write",
  "load",
  "scan",
  "clear",
  "hostile keys and values",
];

export function describeConformance(suite: Suite): void {
  const cases = conformanceCases({ name: suite.name, create: () => fixtureOf(suite), deadlineMs: 20_000 });
  const groups = suite.groups ?? [...new Set(cases.map(({ group }) => group))];
  for (const group of groups) {
    describe.concurrent(`${suite.name}: ${group}`, { timeout: 60_000 }, () => {
      for (const one of ofGroup(cases, group)) test(one.name, one.run);
    });
  }
}

function ofGroup(cases: readonly ConformanceCase[], group: string): readonly ConformanceCase[] {
  const found = cases.filter((one) => one.group === group);
  if (found.length === 0) throw new Error(`the conformance suite has no group ${group}`);
  return found;
}

function fixtureOf(suite: Suite): Fixture {
  const database = free.shift();
  if (database === undefined) throw new Error("too many cases run at once for the databases there are");
  /** The proxies in use; a kill leaves none, and the next adapter has new ones. */
  let current: ProxySet | undefined;
  const placeOf = new Map<Adapter, ProxySet>();
  return {
    async adapter() {
      current ??= await startProxies(suite.servers());
      const adapter = redis({
        commandTimeout: 3_000,
        connectTimeout: 3_000,
        ...suite.options(current),
        ...withDatabase(suite, current, database),
      });
      placeOf.set(adapter, current);
      return adapter;
    },
    async kill(adapter) {
      const proxies = placeOf.get(adapter);
      if (proxies === current) current = undefined;
      await proxies?.stop();
    },
    outage: {
      begin: async () => {
        current ??= await startProxies(suite.servers());
        await leave(current, suite.outage);
      },
      end: () => current && comeBack(current),
    },
    async dispose() {
      await current?.stop();
      await suite.flush(database);
      free.push(database);
    },
  };
}

function withDatabase(suite: Suite, proxies: ProxySet, db: number): RedisAdapterOptions {
  return { connection: { ...suite.options(proxies).connection, ...suite.connection, db } };
}

const each = (proxies: ProxySet, act: (proxy: TcpProxy) => unknown): Promise<unknown> =>
  Promise.all(proxies.proxies.map(act));

async function leave(proxies: ProxySet, outage: OutageOfProxies): Promise<void> {
  if (outage === "freeze") return void (await each(proxies, (proxy) => proxy.freeze()));
  await each(proxies, async (proxy) => {
    await proxy.refuse();
    proxy.cut();
  });
}

async function comeBack(proxies: ProxySet): Promise<void> {
  await each(proxies, async (proxy) => {
    proxy.heal();
    await proxy.admit();
  });
}

/** One server. */
export function standalonePlace(server: () => { port: number; command: CommandOf }): Place {
  return {
    servers: () => [server()],
    options: ({ proxies: [proxy] }) => ({ url: urlOf(proxy as TcpProxy) }),
    flush: (database) => flushDatabase(server().command, database),
  };
}

type CommandOf = (name: string, ...args: (string | number)[]) => Promise<unknown>;

/** A command has a connection of its own, so the database is chosen by a script. */
export function flushDatabase(command: CommandOf, database: number): Promise<unknown> {
  const script = "redis.call('SELECT', ARGV[1]) return redis.call('FLUSHDB', 'ASYNC')";
  return command("EVAL", script, 0, database);
}
