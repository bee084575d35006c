/**
 * The adapter against the contract on other servers: Redis 6.0, below the oldest that people run, so that 6.2 lies between
 * two that were tried, as no package of it is to be had; and Valkey. With RESP2 and RESP3.
 */

import { findServer, startStandalone, whyNoServer } from "@leakdb/redis-servers";
import { afterAll, test } from "vitest";
import {
  DATABASES,
  describeConformance,
  GROUPS_OF_PROTOCOLS,
  GROUPS_OF_SERVERS,
  standalonePlace,
} from "./conformance-harness.js";

const VERSIONS = [
  { version: "6.0", name: "redis 6.0" },
  { version: "valkey", name: "valkey" },
] as const;

/** The wider groups, over RESP2, are left to `npm run prove`. */
const PROTOCOLS = process.env["LEAKDB_PROVE"] === "1" ? ([2, 3] as const) : ([3] as const);

for (const { version, name } of VERSIONS) {
  const missing = await whyNoServer({ version });
  if (missing !== undefined) {
    test(`${name} ${version} is not to be had here: ${missing}`, ({ skip }) => skip(missing));
    continue;
  }
  const server = await startStandalone({ server: await findServer({ version }), databases: DATABASES });
  afterAll(() => server.stop());
  const place = standalonePlace(() => ({
    port: server.port,
    command: (command, ...args) => server.command(command, ...args),
  }));
  for (const protocol of PROTOCOLS) {
    describeConformance({
      ...place,
      name: `${name} RESP${protocol}`,
      outage: "freeze",
      connection: { protocol },
      groups: protocol === 2 ? GROUPS_OF_SERVERS : GROUPS_OF_PROTOCOLS,
    });
  }
}
