export { type FindOptions, findServer, URL_VARIABLE, whyNoServer } from "./find-server.js";
export { type FoundServer, type RunningServer, type ServerProgram, whyNotOurs } from "./found-server.js";
export { type ProxySet, startProxies } from "./proxy-set.js";
export type { Position } from "./proxy-trigger.js";
export type { RedisCluster } from "./redis-cluster.js";
export type { RedisSentinels } from "./redis-sentinels.js";
export type { RedisServer } from "./redis-server.js";
export type { ServerOptions } from "./server-options.js";
export type { ServerVersion, WantedVersion } from "./server-version.js";
export type { SlotMigration } from "./slot-migration.js";
export { type ClusterOptions, startCluster } from "./start-cluster.js";
export { type SentinelsOptions, startSentinels } from "./start-sentinels.js";
export { type StandaloneOptions, startStandalone } from "./start-standalone.js";
export {
  type Cut,
  type Effect,
  type Fault,
  type ProxyCounts,
  startProxy,
  type TcpProxy,
  type Way,
} from "./tcp-proxy.js";
export { type UntilOptions, until } from "./until.js";
