/** A process that owns a store and writes to it until it is killed. */

import type { Adapter } from "@leakdb/core/adapter";
import { never, openContext, put } from "./opened-store.js";

const BATCH = 1000;

/** Writes keys that are new, a thousand a batch, of the versions 1, 2 and so on; prints a dot for each batch. */
export async function writeUntilKilled(adapter: Adapter): Promise<never> {
  await adapter.open(openContext((error) => console.error(error)));
  for (let written = 0; ; written += BATCH) {
    const value = Buffer.alloc(100, written / BATCH);
    const batch = Array.from({ length: BATCH }, (_, index) => {
      const version = written + index + 1;
      return put(`key ${version}`, value, version);
    });
    await adapter.write(batch, { signal: never });
    process.stdout.write(".");
  }
}
