/** A process that owns a store and writes batches of a thousand until it is killed. */

import { systemClock } from "@leakdb/core/adapter";
import { lmdb } from "@leakdb/lmdb";

const adapter = lmdb({ directory: process.argv[2] });
const { signal } = new AbortController();
const limits = { batchMax: 10_000, batchBytesMax: 8 << 20 };
await adapter.open({ clock: systemClock, signal, limits, report: (error) => console.error(error) });
for (let version = 0; ; version += 1000) {
  const value = Buffer.alloc(100, version / 1000);
  const batch = Array.from({ length: 1000 }, (_, index) => {
    const number = version + index + 1;
    return { type: "put", key: `key ${number}`, value, version: number, expiresAt: 0 };
  });
  await adapter.write(batch, { signal });
  process.stdout.write(".");
}
