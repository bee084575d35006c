/** Makes the calls it is told to on a store that has been written to before, between two marks for a tracer. */

import { writeSync } from "node:fs";
import { systemClock } from "@leakdb/core/adapter";
import { sqlite } from "@leakdb/sqlite";

const [filename, synchronous, calls] = process.argv.slice(2);
const { signal } = new AbortController();
const limits = { batchMax: 10_000, batchBytesMax: 8 << 20 };
const adapter = sqlite({ filename, synchronous });
await adapter.open({ clock: systemClock, signal, limits, report: (error) => console.error(error) });
let version = 1;
const write = () => {
  version += 1;
  const put = { type: "put", key: `k${version}`, value: Buffer.of(1), version, expiresAt: 0 };
  return adapter.write([put], { signal });
};
await write();
await adapter.sync();
writeSync(1, "[calls begin]\n");
for (const call of calls.split(" ")) await (call === "write" ? write() : adapter.sync());
writeSync(1, "[calls end]\n");
await adapter.close();
