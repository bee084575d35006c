/** A child process: carries out one measurement and sends the result to the main process. See `run-in-child.ts`. */

import { WORKLOADS } from "./workloads/index.js";

const [name, params = "", directory = ""] = process.argv.slice(2);

try {
  const workload = WORKLOADS.find((candidate) => candidate.name === name);
  if (workload === undefined || process.send === undefined)
    throw new Error("child.js is started by the benchmark");
  process.send({ result: await workload.measure(JSON.parse(params), directory) });
} catch (error) {
  process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  process.exitCode = 1;
}
// Nothing is left to do: a process that lives on from here has left something open, and the main process says so.
process.disconnect?.();
