/** A process that opens a process adapter, tells the id of that process, and waits to be killed. */

import { systemClock } from "@leakdb/core/adapter";
import { processAdapter } from "@leakdb/testkit";

const [, , module, path] = process.argv;
const adapter = await processAdapter({ module, options: { path } });
const { signal } = new AbortController();
const limits = { batchMax: 10, batchBytesMax: 1_000 };
await adapter.open({ clock: systemClock, signal, limits, report: () => undefined });
console.log(adapter.pid);
