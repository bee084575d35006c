/** A process that owns a store, says so, and writes until it is killed. */

import { systemClock } from "@leakdb/core/adapter";
import { redis } from "@leakdb/redis";

const adapter = redis(JSON.parse(process.argv[2]));
const { signal } = new AbortController();
const limits = { batchMax: 10_000, batchBytesMax: 8 << 20 };
await adapter.open({ clock: systemClock, signal, limits, report: (error) => console.error(error) });
for (let version = 1; ; version += 100) {
  const batch = Array.from({ length: 100 }, (_, index) => {
    const key = `key ${version + index}`;
    return { type: "put", key, value: Buffer.from(key), version: version + index, expiresAt: 0 };
  });
  await adapter.write(batch, { signal });
  process.stdout.write(`${version + 99}\n`);
}
