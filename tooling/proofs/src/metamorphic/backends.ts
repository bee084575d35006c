/** The backends that users can install, and the one of the guide to adapters, each in an empty place of its own. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Adapter } from "@leakdb/core/adapter";
import { files } from "@leakdb/examples/files-adapter";
import { lmdb } from "@leakdb/lmdb";
import { sqlite } from "@leakdb/sqlite";
import { ReferenceBackend, referenceAdapter } from "@leakdb/testkit";

export interface Backend {
  /** A fresh adapter over the same place. */
  adapter(): Adapter;
  dispose(): void;
}

export const BACKENDS: Readonly<Record<string, () => Backend>> = {
  reference: () => {
    const backend = new ReferenceBackend();
    return { adapter: () => referenceAdapter({ backend }), dispose: () => undefined };
  },
  sqlite: () => inDirectory((directory) => sqlite({ filename: join(directory, "store.db") })),
  lmdb: () => inDirectory((directory) => lmdb({ directory })),
  files: () => inDirectory((directory) => files({ directory })),
};

function inDirectory(adapterIn: (directory: string) => Adapter): Backend {
  const directory = mkdtempSync(join(tmpdir(), "leakdb-metamorphic-"));
  return {
    adapter: () => adapterIn(directory),
    dispose: () => rmSync(directory, { recursive: true, force: true }),
  };
}
