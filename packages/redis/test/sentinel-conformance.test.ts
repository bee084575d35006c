/** The adapter against the contract on a primary with a replica that Sentinels watch. */

import { startSentinels } from "@leakdb/redis-servers";
import { afterAll } from "vitest";
import { DATABASES, describeConformance, flushDatabase, GROUPS_OF_SERVERS } from "./conformance-harness.js";

const group = await startSentinels({ databases: DATABASES });
afterAll(() => group.stop());
const primary = await group.primary();

describeConformance({
  name: "sentinel",
  // The Sentinels tell the servers' own addresses, which the map leads to the proxies.
  servers: () => group.servers,
  options: ({ natMap }) => ({
    connection: { sentinels: group.sentinels.map(({ host, port }) => ({ host, port })), name: group.name },
    natMap,
  }),
  flush: (database) => flushDatabase((name, ...args) => primary.command(name, ...args), database),
  outage: "refuse",
  groups: [...GROUPS_OF_SERVERS, "open and close", "crash and reopen"],
});
