/**
 * The measurement behind docs/decisions/0006-lmdb-settings.md: hand-written loops on the bare client by each way of
 * writing and by batch size, the adapter beside them in the same run, and the opening against a bare scan.
 * Run after a build: `node --expose-gc packages/lmdb/test/settings-bench.mjs [records] [rounds] [ways]`.
 */

import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { systemClock } from "@leakdb/core/adapter";
import { lmdb } from "@leakdb/lmdb";
import { open } from "lmdb";
import { inspectDataFile } from "../dist/data-file.js";

const { Packr } = createRequire(createRequire(import.meta.url).resolve("@leakdb/core/package.json"))(
  "msgpackr",
);
const packr = new Packr({ useRecords: false });

const records = Number(process.argv[2] ?? 1_000_000);
const rounds = Number(process.argv[3] ?? 1);
const wayNames = (process.argv[4] ?? "sync,async,flushed,unsynced").split(",");
const BATCHES = (process.env.BATCHES ?? "1000,10000,50000").split(",").map(Number);
const ADAPTER_BATCH = 10_000;
const FIRST_VERSION = 1_790_000_000_000_000;
const ABORTABLE = 1;
const NO_SYNC_FLUSH = 0x10000;

function keysOf(kind) {
  let seed = 777;
  const next = () => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return seed >>> 0;
  };
  return Array.from({ length: records }, (_, index) =>
    kind === "random"
      ? `key:${next().toString(36)}${index.toString(36)}`
      : `key:${String(index).padStart(12, "0")}`,
  );
}

const values = Array.from({ length: 1009 }, (_, id) =>
  packr.pack({ id, name: "n".repeat(60), tags: ["a", "b"], note: "x".repeat(50), seen: 1.5 * id }),
).map((bytes) => Uint8Array.prototype.slice.call(bytes));
const valueAt = (index) => values[index % values.length];
const perSecond = (count, startMs) => Math.round(count / (performance.now() - startMs));

async function withDirectory(work) {
  const directory = mkdtempSync(join(process.env.BENCH_DIRECTORY ?? tmpdir(), "leakdb-bench-"));
  try {
    return await work(join(directory, "store"));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function bareRecord(index) {
  const value = valueAt(index);
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

function context() {
  return {
    clock: systemClock,
    signal: new AbortController().signal,
    limits: { batchMax: ADAPTER_BATCH, batchBytesMax: 8 << 20 },
    report: (error) => console.error("report:", error),
  };
}

async function adapterWrite(directory, keys) {
  const adapter = lmdb({ directory });
  await adapter.open(context());
  const start = performance.now();
  for (let at = 0; at < keys.length; at += ADAPTER_BATCH) {
    const batch = keys.slice(at, at + ADAPTER_BATCH).map((key, offset) => {
      const index = at + offset;
      return { type: "put", key, value: valueAt(index), version: FIRST_VERSION + index, expiresAt: 0 };
    });
    await adapter.write(batch, context());
  }
  const rate = perSecond(keys.length, start);
  const singles = [];
  for (let count = 0; count < 100; count += 1) {
    const from = performance.now();
    const version = FIRST_VERSION + records + count;
    await adapter.write(
      [{ type: "put", key: keys[count], value: valueAt(count), version, expiresAt: 0 }],
      context(),
    );
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
    map.set(Buffer.from(key).toString(), packr.unpack(value.subarray(20)));
  }
  const elapsedMs = performance.now() - start;
  await root.close();
  if (map.size !== records) throw new Error(`${map.size} records`);
  return elapsedMs;
}

async function adapterOpen(directory) {
  const map = new Map();
  const start = performance.now();
  const adapter = lmdb({ directory });
  await adapter.open(context());
  for await (const page of adapter.scan({})) {
    for (const record of page) map.set(record.key, packr.unpack(record.value));
  }
  const elapsedMs = performance.now() - start;
  await adapter.close();
  if (map.size !== records) throw new Error(`${map.size} records`);
  return elapsedMs;
}

function measureChecksum() {
  const bytes = Buffer.concat([Buffer.alloc(16), valueAt(1)]);
  const start = performance.now();
  let sum = 0;
  for (let count = 0; count < 1_000_000; count += 1)
    sum ^= crc32(bytes.subarray(0), crc32("key:000000001234"));
  console.log(
    `checksum of ${bytes.length} bytes and a key: ${(performance.now() - start).toFixed(0)} ns (${sum})`,
  );
}

async function measure(kind) {
  const keys = keysOf(kind);
  let best = 0;
  for (const way of wayNames) {
    for (const batch of BATCHES) {
      const rate = await withDirectory((path) => bareWrite(path, keys, batch, way));
      console.log(`${kind} bare, ${way}, ${batch} a batch: ${rate} k/s`);
      if (way !== "unsynced") best = Math.max(best, rate);
      await delay(200);
    }
  }
  await withDirectory(async (directory) => {
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
      const ownMs = await adapterOpen(directory);
      const times = `bare ${bareMs.toFixed(0)} ms, adapter ${ownMs.toFixed(0)} ms`;
      console.log(`${kind} open ${again}: ${times}, ratio ${(ownMs / bareMs).toFixed(2)}`);
    }
  });
}

measureChecksum();
for (let round = 0; round < rounds; round += 1) {
  for (const kind of ["sequential", "random"]) await measure(kind);
}
