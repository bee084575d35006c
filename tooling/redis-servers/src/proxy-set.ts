/**
 * A proxy before each of several servers, for clients of a cluster or of Sentinels: these learn the servers' own
 * addresses and would go past the proxies, so they are given a map of addresses (ioredis calls it `natMap`).
 */

import type { RedisServer } from "./redis-server.js";
import { startProxy, type TcpProxy } from "./tcp-proxy.js";

export class ProxySet implements AsyncDisposable {
  /** From `127.0.0.1:<port of the server>` to where its proxy is. */
  readonly natMap: Readonly<Record<string, { host: string; port: number }>>;
  /** In the order of the servers. */
  readonly proxies: readonly TcpProxy[];

  constructor(proxies: readonly TcpProxy[]) {
    this.proxies = proxies;
    this.natMap = Object.fromEntries(
      proxies.map(({ host, port, targetPort }) => [`${host}:${targetPort}`, { host, port }]),
    );
  }

  /** @throws Error where the server has none here. */
  of(server: Pick<RedisServer, "port">): TcpProxy {
    const proxy = this.proxies.find(({ targetPort }) => targetPort === server.port);
    if (proxy === undefined) throw new Error(`the server on port ${server.port} has no proxy here`);
    return proxy;
  }

  async stop(): Promise<void> {
    await Promise.all(this.proxies.map((proxy) => proxy.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** A proxy before each of `servers`. Stop the set after use. */
export async function startProxies(servers: readonly Pick<RedisServer, "port">[]): Promise<ProxySet> {
  return new ProxySet(await Promise.all(servers.map(({ port }) => startProxy(port))));
}
