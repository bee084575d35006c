/**
 * Opening a full store: `PersistentQueueStorage.open`, against a bare scan that decodes each record with the same codec
 * into a `Map`. Each opening has a process of its own, as it has in life; the two take turns. A server runs through all.
 */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { BACKENDS, type Backend, type BackendName, startedBackend } from "../contestants/backend.js";
import { countText } from "../count-text.js";
import { type BenchValue, keysOf, valuesOf } from "../records.js";
import { type Row, ratioRow } from "../row.js";
import { type BenchSettings, type InChild, verify, type Workload } from "../workload.js";

interface Params {
  readonly backend: BackendName;
  /** Of its server. */
  readonly url: string;
  readonly step: "make" | "ours" | "bare";
  readonly entries: number;
  /** The full store; made in the directory of the first step. */
  readonly path: string;
}

interface Result {
  readonly ms: number;
  readonly path: string;
}

export const opening: Workload<Params, Result> = {
  name: "opening",
  title: "opening a full store",

  async run(settings: BenchSettings, inChild: InChild<Params, Result>): Promise<Row[]> {
    const rows: Row[] = [];
    for (const backend of ["SQLite", "LMDB", "Redis"] as const)
      rows.push(await pairs(backend, settings, inChild));
    return rows;
  },

  async measure({ backend: name, url, step, entries, path }: Params, directory: string): Promise<Result> {
    const backend = await startedBackend(name, url);
    const place = step === "make" ? join(directory, "full.db") : path;
    const carryOut = { make: makeStore, ours: openOurs, bare: openBare }[step];
    return { ms: await carryOut(backend, place, entries), path: place };
  },
};

async function pairs(
  name: BackendName,
  settings: BenchSettings,
  inChild: InChild<Params, Result>,
): Promise<Row> {
  const entries = settings.entriesMax;
  const backend = await BACKENDS[name]();
  const ours: number[] = [];
  const theirs: number[] = [];
  let path = "";
  try {
    const common = { backend: name, url: backend.url, entries };
    ({ path } = await inChild({ ...common, step: "make", path }, { keepsFiles: true }));
    // The first pair brings the file into the system's cache.
    for (let round = 0; round <= settings.repeatsCostly; round += 1) {
      const own = await inChild({ ...common, step: "ours", path });
      const bare = await inChild({ ...common, step: "bare", path });
      if (round === 0) continue;
      ours.push(own.ms);
      theirs.push(bare.ms);
    }
  } finally {
    for (const suffix of ["", "-wal", "-shm", "-lock"])
      rmSync(path + suffix, { recursive: true, force: true });
    await backend.stop();
  }
  return ratioRow({
    workload: "opening",
    label: `${name}, ${countText(entries)} entries`,
    unit: "ms",
    peer: "scan, decode, Map",
    ours,
    theirs,
    target: { atMost: 1.3 },
  });
}

async function makeStore(backend: Backend, path: string, entries: number): Promise<number> {
  const storage = await backend.open(path);
  const start = performance.now();
  const [keys, values] = [keysOf(entries), valuesOf(entries)];
  for (let index = 0; index < entries; index += 1) {
    storage.set(keys[index] as string, values[index] as BenchValue);
    if (storage.needDrain) await storage.drained();
  }
  await storage.flush();
  const ms = performance.now() - start;
  await storage.close();
  return ms;
}

async function openOurs(backend: Backend, path: string, entries: number): Promise<number> {
  const start = performance.now();
  const storage = await backend.open(path);
  const ms = performance.now() - start;
  let sum = 0;
  for (const value of storage.values()) sum += value.id;
  verify("entries opened", storage.size, entries);
  verify("ids opened", sum, sumTo(entries));
  await storage.close();
  return ms;
}

async function openBare(backend: Backend, path: string, entries: number): Promise<number> {
  const start = performance.now();
  const bare = backend.openBare(path);
  const map = await bare.readAll();
  const ms = performance.now() - start;
  let sum = 0;
  for (const value of map.values()) sum += value.id;
  verify("entries scanned", map.size, entries);
  verify("ids scanned", sum, sumTo(entries));
  await bare.close();
  return ms;
}

function sumTo(count: number): number {
  return (count * (count - 1)) / 2;
}
