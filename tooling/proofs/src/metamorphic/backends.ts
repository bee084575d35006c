/** The backends that users can install, and the one of the guide to adapters, each in an empty place of its own. */

import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Adapter } from "@leakdb/core/adapter";
import { files } from "@leakdb/examples/files-adapter";
import { lmdb } from "@leakdb/lmdb";
import { redis } from "@leakdb/redis";
import { type RedisServer, startStandalone } from "@leakdb/redis-servers";
import { sqlite } from "@leakdb/sqlite";
import { ReferenceBackend, referenceAdapter } from "@leakdb/testkit";

export interface Backend {
  /** A fresh adapter over the same place. */
  adapter(): Adapter;
  dispose(): Promise<void> | void;
}

export const BACKENDS: Readonly<Record<string, () => Promise<Backend> | Backend>> = {
  reference: () => {
    const backend = new ReferenceBackend();
    return { adapter: () => referenceAdapter({ backend }), dispose: () => undefined };
  },
  sqlite: () => inDirectory((directory) => sqlite({ filename: join(directory, "store.db") })),
  lmdb: () => inDirectory((directory) => lmdb({ directory })),
  redis: async () => {
    server ??= startStandalone();
    const started = await server;
    const keyPrefix = `store:${randomUUID()}:`;
    return {
      adapter: () => redis({ url: started.url, keyPrefix }),
      dispose: async () => void (await started.command("FLUSHALL")),
    };
  },
  files: () => inDirectory((directory) => files({ directory })),
};

/** One for all histories: a store takes it a millisecond, a start fifty. */
let server: Promise<RedisServer> | undefined;

/** Ends what was started for backends. */
export async function stopServers(): Promise<void> {
  await (await server)?.stop();
}

function inDirectory(adapterIn: (directory: string) => Adapter): Backend {
  const directory = mkdtempSync(join(tmpdir(), "leakdb-metamorphic-"));
  return {
    adapter: () => adapterIn(directory),
    dispose: () => rmSync(directory, { recursive: true, force: true }),
  };
}
