/**
 * The measurement behind docs/decisions/0006-lmdb-settings.md: hand-written loops on the bare client by each way of
 * writing and by batch size, the adapter beside them in the same run, and the opening against a bare scan.
 * Run after a build: `node --expose-gc packages/lmdb/test/settings-bench.mjs [records] [rounds] [ways]`.
 */

import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { crc32 } from "node:zlib";
import {
  ADAPTER_BATCH,
  BenchRecords,
  benchContext,
  FIRST_VERSION,
  measureAdapterOpen,
  perSecond,
  withBenchDirectory,
  writeByAdapter,
} from "@leakdb/adapter-tests/bench";
import { lmdb } from "@leakdb/lmdb";
import { open } from "lmdb";
import { inspectDataFile } from "../dist/data-file.js";

const records = new BenchRecords(Number(process.argv[2] ?? 1_000_000));
const rounds = Number(process.argv[3] ?? 1);
const wayNames = (process.argv[4] ?? "sync,async,flushed,unsynced").split(",");
const BATCHES = (process.env.BATCHES ?? "1000,10000,50000").split(",").map(Number);
const ABORTABLE = 1;
const NO_SYNC_FLUSH = 0x10000;

function bareRecord(index) {
  const value = records.valueAt(index);
  const bytes = Buffer.allocUnsafe(16 + value.length);
  bytes.writeDoubleBE(FIRST_VERSION + index, 0);
  bytes.writeDoubleBE(0, 8);
  bytes.set(value, 16);
  return bytes;
}

/** How a batch of the bare loop is written; what it returns is awaited. */
const WAYS = {
  /** A synchronous transaction, synced when it returns. */
  sync: (database, put) => database.transactionSync(put, ABORTABLE),
  /** Asynchronous writes; the next batch is begun when this one is visible, while it is still being synced. */
  async: (_database, put) => put(),
  /** The same; the next batch is begun when this one is synced. */
  flushed: async (database, put) => {
    await put();
    await database.flushed;
  },
  /** A synchronous transaction that nothing syncs: for comparison alone, a power cut may take all. */
  unsynced: (database, put) => database.transactionSync(put, ABORTABLE | NO_SYNC_FLUSH),
};

async function bareWrite(path, keys, batch, way) {
  mkdirSync(path);
  const overlappingSync = way === "async" || way === "flushed";
  const database = open({
    path,
    noSubdir: false,
    keyEncoding: "binary",
    encoding: "binary",
    overlappingSync,
  });
  const start = performance.now();
  for (let at = 0; at < keys.length; at += batch) {
    const order = keys.slice(at, at + batch).map((key, offset) => [key, at + offset]);
    order.sort(([a], [b]) => (a < b ? -1 : 1));
    await WAYS[way](database, () => {
      let last;
      for (const [key, index] of order) last = database.put(Buffer.from(key), bareRecord(index));
      return overlappingSync ? last : undefined;
    });
  }
  if (overlappingSync) await database.flushed;
  const rate = perSecond(keys.length, start);
  await database.close();
  return rate;
}

async function adapterWrite(directory, keys) {
  const adapter = lmdb({ directory });
  await adapter.open(benchContext());
  const rate = await writeByAdapter(adapter, records, keys);
  const singles = [];
  for (let count = 0; count < 100; count += 1) {
    const from = performance.now();
    const version = FIRST_VERSION + records.count + count;
    const value = records.valueAt(count);
    await adapter.write([{ type: "put", key: keys[count], value, version, expiresAt: 0 }], benchContext());
    singles.push(performance.now() - from);
  }
  await adapter.close();
  return { rate, singleMs: singles.sort((a, b) => a - b)[50] };
}

async function bareOpen(path) {
  const map = new Map();
  const start = performance.now();
  const root = open({ path, noSubdir: false, keyEncoding: "binary", overlappingSync: false, maxDbs: 3 });
  const database = root.openDB("records", { keyEncoding: "binary", encoding: "binary" });
  for (const { key, value } of database.getRange({ start: new Uint8Array(0) })) {
    map.set(Buffer.from(key).toString(), records.decode(value.subarray(20)));
  }
  const elapsedMs = performance.now() - start;
  await root.close();
  if (map.size !== records.count) throw new Error(`${map.size} records`);
  return elapsedMs;
}

function measureChecksum() {
  const bytes = Buffer.concat([Buffer.alloc(16), records.valueAt(1)]);
  const start = performance.now();
  let sum = 0;
  for (let count = 0; count < 1_000_000; count += 1)
    sum ^= crc32(bytes.subarray(0), crc32("key:000000001234"));
  console.log(
    `checksum of ${bytes.length} bytes and a key: ${(performance.now() - start).toFixed(0)} ns (${sum})`,
  );
}

async function measure(kind) {
  const keys = records.keys(kind);
  let best = 0;
  for (const way of wayNames) {
    for (const batch of BATCHES) {
      const rate = await withBenchDirectory((path) => bareWrite(path, keys, batch, way));
      console.log(`${kind} bare, ${way}, ${batch} a batch: ${rate} k/s`);
      if (way !== "unsynced") best = Math.max(best, rate);
      await delay(200);
    }
  }
  await withBenchDirectory(async (directory) => {
    const { rate, singleMs } = await adapterWrite(directory, keys);
    console.log(`${kind} adapter, ${ADAPTER_BATCH} a batch: ${rate} k/s, ratio ${(rate / best).toFixed(2)}`);
    console.log(`${kind} adapter, a record a batch: ${singleMs.toFixed(2)} ms`);
    const data = join(directory, "data.mdb");
    const start = performance.now();
    inspectDataFile(data);
    const checkMs = (performance.now() - start).toFixed(0);
    console.log(`${kind} check of ${(statSync(data).size / 1e6).toFixed(0)} MB: ${checkMs} ms`);
    for (const again of [1, 2]) {
      globalThis.gc?.();
      const bareMs = await bareOpen(directory);
      globalThis.gc?.();
      const ownMs = await measureAdapterOpen(lmdb({ directory }), records);
      const times = `bare ${bareMs.toFixed(0)} ms, adapter ${ownMs.toFixed(0)} ms`;
      console.log(`${kind} open ${again}: ${times}, ratio ${(ownMs / bareMs).toFixed(2)}`);
    }
  });
}

measureChecksum();
for (let round = 0; round < rounds; round += 1) {
  for (const kind of ["sequential", "random"]) await measure(kind);
}
