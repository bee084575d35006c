/** `synced` in a Cluster: each master has what it acknowledged on its disk. */

import { findServer, startCluster, whyNoServer } from "@leakdb/redis-servers";
import { expect, test } from "vitest";
import { afterThisTest, LIMIT_MS, openStore, puts, whyNoCluster } from "./cluster-servers.js";

const missing = whyNoCluster ?? (await whyNoServer({ version: "valkey" }));

// It takes a server that knows WAITAOF, which the one that tests use else does not.
test.skipIf(missing)(
  "what was synced is there after all masters were killed",
  { timeout: LIMIT_MS },
  async () => {
    const server = await findServer({ version: "valkey" });
    await using cluster = await startCluster({ server, appendOnly: true, replicasPerMaster: 0 });
    const nodes = cluster.nodes.map(({ url }) => url);
    const store = await openStore({ nodes, keyPrefix: "synced:", synced: true });
    await store.write(...puts(3_000));
    await store.adapter.sync();
    await Promise.all(cluster.nodes.map((node) => node.kill()));
    await Promise.all(cluster.nodes.map((node) => node.restart()));
    await cluster.untilStable();
    afterThisTest(() => store.adapter.close());
    expect(await store.records()).toHaveLength(3_000);
    await store.adapter.sync();
    await store.adapter.close();
  },
);

// A server that was given by URL is one server, which is no Cluster.
test.skipIf(whyNoCluster)(
  "is refused where a master has no append-only file",
  { timeout: LIMIT_MS },
  async () => {
    await using cluster = await startCluster({
      appendOnly: true,
      appendFsync: "always",
      replicasPerMaster: 0,
    });
    const nodes = cluster.nodes.map(({ url }) => url);
    await (await openStore({ nodes, keyPrefix: "always:", synced: true })).adapter.close();
    await cluster.nodes[2]!.command("CONFIG", "SET", "appendonly", "no");
    const opening = openStore({ nodes, keyPrefix: "never:", synced: true });
    await expect(opening).rejects.toMatchObject({ code: "LEAKDB_NOT_SUPPORTED" });
  },
);
