/** The adapter against the contract on one server: Redis 7, with RESP3 and RESP2. */

import { startStandalone } from "@leakdb/redis-servers";
import { afterAll } from "vitest";
import {
  DATABASES,
  describeConformance,
  GROUPS_OF_PROTOCOLS,
  standalonePlace,
} from "./conformance-harness.js";

const server = await startStandalone({ databases: DATABASES });
afterAll(() => server.stop());
const place = standalonePlace(() => ({
  port: server.port,
  command: (name, ...args) => server.command(name, ...args),
}));

describeConformance({ ...place, name: "redis 7", outage: "refuse" });
describeConformance({
  ...place,
  name: "redis 7 RESP2",
  outage: "freeze",
  connection: { protocol: 2 },
  groups: GROUPS_OF_PROTOCOLS,
});
