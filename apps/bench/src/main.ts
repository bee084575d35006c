/** The benchmark command: runs the workloads one after the other and prints what came of them. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchOptions, HELP, parseArguments, UsageError } from "./arguments.js";
import { isMet, type Row } from "./row.js";
import { runInChild } from "./run-in-child.js";
import { closingTable, workloadTable } from "./tables.js";
import type { BenchSettings } from "./workload.js";
import { type AnyWorkload, WORKLOADS } from "./workloads/index.js";

const HEAP_MB = 4_096;

function settingsOf({ entries, repeats, isFull, isQuick }: BenchOptions): BenchSettings {
  const repeatsCostly = Math.max(1, Math.floor(repeats / 2));
  return { entries, entriesMax: entries.at(-1) ?? 1, repeats, repeatsCostly, isFull, isQuick };
}

function defaultNames(): string[] {
  return WORKLOADS.filter(({ isOptional }) => isOptional !== true).map(({ name }) => name);
}

function machine(): string {
  const load = loadavg().map((average) => average.toFixed(2));
  return `Node ${process.version}, ${availableParallelism()} x ${cpus()[0]?.model ?? "unknown"}, load average ${load.join(" ")}`;
}

async function runWorkload(
  workload: AnyWorkload,
  settings: BenchSettings,
  directory: string,
): Promise<Row[]> {
  process.stdout.write(`\n${workload.title}\n`);
  const start = performance.now();
  const rows = await workload.run(settings, (params, { heapMb = HEAP_MB, keepsFiles = false } = {}) =>
    runInChild({ workload: workload.name, params, directory, heapMb, keepsFiles }),
  );
  const seconds = (performance.now() - start) / 1_000;
  process.stdout.write(`${workloadTable(rows)}  ${seconds.toFixed(0)} s\n`);
  return rows;
}

async function run(options: BenchOptions, directory: string): Promise<void> {
  const settings = settingsOf(options);
  const names = options.workloads ?? defaultNames();
  const before = machine();
  process.stdout.write(`LeakDB benchmark\n  ${before}\n`);
  const rows: Row[] = [];
  for (const name of names) {
    const workload = WORKLOADS.find((candidate) => candidate.name === name);
    if (workload !== undefined) rows.push(...(await runWorkload(workload, settings, directory)));
  }
  process.stdout.write(`\nall targets\n${closingTable(rows)}`);
  const judged = rows.filter((row) => row.target !== undefined);
  const met = judged.filter((row) => isMet(row) === true);
  process.stdout.write(`\n  ${met.length} of ${judged.length} met; ${machine()}\n`);
  if (options.isQuick)
    process.stdout.write("  --quick: these figures show that all works, and little else\n");
  if (options.json === undefined) return;
  const report = { date: new Date().toISOString(), before, after: machine(), options, rows };
  writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
}

async function main(): Promise<void> {
  const options = parseArguments(
    process.argv.slice(2),
    WORKLOADS.map((workload) => workload.name),
  );
  if (options === "help") {
    process.stdout.write(HELP);
    return;
  }
  const directory = mkdtempSync(join(tmpdir(), "leakdb-bench-"));
  const removeFiles = (): void => rmSync(directory, { recursive: true, force: true });
  process.once("SIGINT", () => {
    removeFiles();
    process.exit(130);
  });
  try {
    await run(options, directory);
  } finally {
    removeFiles();
  }
}

try {
  await main();
} catch (error) {
  const isUsage = error instanceof UsageError;
  process.stderr.write(
    `\n  ${isUsage ? `${error.message}; see --help` : error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exitCode = isUsage ? 2 : 1;
}
