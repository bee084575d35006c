/**
 * `@leakdb/redis`: a LeakDB adapter that keeps its records in Redis or Valkey: one server, Sentinel, or a Cluster.
 *
 * ioredis is a peer: you bring it. Connections are the adapter's own, also when you hand it a client of yours.
 */

import type { Adapter } from "@leakdb/core/adapter";
import { checkOptions, type RedisAdapterOptions } from "./options.js";
import { RedisAdapter } from "./redis-adapter.js";

export type { RedisAdapterOptions } from "./options.js";

/**
 * An adapter over the keys of a server that begin with `keyPrefix`, to be given to one storage.
 * @throws TypeError or RangeError when an option is unknown or not what it should be.
 */
export function redis(options: RedisAdapterOptions = {}): Adapter {
  return new RedisAdapter(checkOptions(options));
}
