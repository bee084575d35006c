/** The figures of a run, in two tables: what callers felt, and what reached the file. */

import { count, megabytes, milliseconds, rate } from "./figures.js";
import type { LoadResult } from "./load-step.js";
import type { LoopDelay } from "./loop-delay.js";
import type { Row, Screen } from "./screen.js";
import type { ServeResult } from "./serve-step.js";
import type { StoreResult } from "./store-step.js";

export interface RunFigures {
  readonly load: LoadResult;
  readonly serve: ServeResult;
  readonly store: StoreResult;
  /** From the first write to the last sync. */
  readonly writingMs: number;
  readonly fileBytes: number;
  readonly idle: LoopDelay;
}

export function report(screen: Screen, figures: RunFigures): void {
  screen.say();
  screen.table(callersRows(figures));
  const { p50Ms, p99Ms, maxMs } = figures.idle;
  screen.aside(
    `an idle loop read p50 ${milliseconds(p50Ms)}, p99 ${milliseconds(p99Ms)}, max ${milliseconds(maxMs)};`,
  );
  screen.aside("that p50 is the watch's own tick, and is subtracted above");
  screen.say();
  screen.table(fileRows(figures));
}

function callersRows({ load, serve }: RunFigures): Row[] {
  const writes = serve.counters + serve.updates;
  const delays = (of: (delay: LoopDelay) => number): string[] => [
    milliseconds(of(load.delay)),
    milliseconds(of(serve.delay)),
  ];
  return [
    { label: "what callers felt", cells: ["loading", "serving"] },
    { label: "read", cells: ["–", count(serve.reads)] },
    { label: "  a second", cells: ["–", rate(serve.reads, serve.ms)] },
    {
      label: "accepted",
      cells: [count(load.accepted), count(writes)],
      remark: "in memory, to be read at once",
    },
    { label: "  a second", cells: [rate(load.accepted, load.ms), rate(writes, serve.ms)] },
    { label: "event-loop delay p50", cells: delays(({ p50Ms }) => p50Ms) },
    { label: "                 p99", cells: delays(({ p99Ms }) => p99Ms) },
    { label: "                 max", cells: delays(({ maxMs }) => maxMs) },
  ];
}

function fileRows({ load, serve, store, writingMs, fileBytes }: RunFigures): Row[] {
  const accepted = load.accepted + serve.counters + serve.updates;
  const perBatch = store.batches > 0 ? count(store.stored / store.batches) : "–";
  return [
    { label: "what reached SQLite", cells: [""] },
    { label: "accepted", cells: [count(accepted)], remark: "loading and serving" },
    {
      label: "coalesced",
      cells: [count(store.coalesced)],
      remark: "their key waited already: one write for all",
    },
    { label: "stored", cells: [count(store.stored)], remark: "synced to the disk" },
    {
      label: "  a second",
      cells: [rate(store.stored, writingMs)],
      remark: "from the first write to the last sync",
    },
    { label: "batches", cells: [count(store.batches)], remark: `${perBatch} entries each on average` },
    ...(store.retries > 0 ? [{ label: "retries", cells: [count(store.retries)] }] : []),
    { label: "file", cells: [megabytes(fileBytes)] },
  ];
}
