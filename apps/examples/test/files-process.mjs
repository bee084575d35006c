/** A process that has a files adapter and does what its parent asks, until it is told to close, or killed. */

import { systemClock } from "@leakdb/core/adapter";
import { files } from "../dist/files-adapter/files-adapter.js";

const adapter = files({ directory: process.argv[2] });
const aborts = new Map();

async function answer(id, call, argument) {
  const abort = new AbortController();
  aborts.set(id, abort);
  const { signal } = abort;
  switch (call) {
    case "open": {
      const report = (error) => console.error(error);
      const limits = { batchMax: 10_000, batchBytesMax: 8 << 20 };
      return await adapter.open({ clock: systemClock, signal, limits, report });
    }
    case "write":
      return await adapter.write(argument, { signal });
    case "scan": {
      const pages = [];
      for await (const page of adapter.scan(argument)) pages.push(page);
      return pages;
    }
    default:
      return await adapter[call](argument);
  }
}

process.on("message", async ({ id, call, argument }) => {
  if (call === "abort") return aborts.get(id)?.abort();
  try {
    process.send({ id, result: await answer(id, call, argument) });
  } catch (error) {
    const { message, kind, code } = error;
    process.send({ id, error: { message, kind, code } });
  }
});
