/**
 * The measurement behind docs/decisions/0003-sqlite-settings.md: the adapter against a hand-written loop on the bare
 * client that writes the same records, both in one run, and the opening of the result against a bare scan.
 * Run after a build: `node --expose-gc packages/sqlite/test/settings-bench.mjs [records] [rounds]`.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "@leakdb/core/adapter";
import { sqlite } from "@leakdb/sqlite";
import Database from "better-sqlite3";

const { Packr } = createRequire(createRequire(import.meta.url).resolve("@leakdb/core/package.json"))(
  "msgpackr",
);
const packr = new Packr({ useRecords: false });

const records = Number(process.argv[2] ?? 1_000_000);
const rounds = Number(process.argv[3] ?? 1);
const BARE_BATCHES = [1_000, 10_000, 50_000];
const ADAPTER_BATCH = 10_000;
const FIRST_VERSION = 1_790_000_000_000_000;

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

function valuesOf(count) {
  return Array.from({ length: count }, (_, index) =>
    packr.pack({
      id: index,
      name: "n".repeat(60),
      tags: ["a", "b"],
      note: "x".repeat(50),
      seen: 1.5 * index,
    }),
  ).map((bytes) => Uint8Array.prototype.slice.call(bytes));
}

const values = valuesOf(1009);
const valueAt = (index) => values[index % values.length];
const perSecond = (count, startMs) => Math.round(count / (performance.now() - startMs));

function withDirectory(work) {
  const directory = mkdtempSync(join(process.env.BENCH_DIRECTORY ?? tmpdir(), "leakdb-bench-"));
  return Promise.resolve(work(join(directory, "bench.db"))).finally(() =>
    rmSync(directory, { recursive: true }),
  );
}

function bareWrite(filename, keys, batch) {
  const database = new Database(filename);
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = NORMAL");
  database.exec(
    "CREATE TABLE records (key TEXT PRIMARY KEY, value BLOB, version INTEGER, expires_at INTEGER)" +
      (process.env.BARE_WITHOUT_ROWID ? " WITHOUT ROWID" : ""),
  );
  const put = database.prepare("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?)");
  const start = performance.now();
  for (let at = 0; at < keys.length; at += batch) {
    database.exec("BEGIN");
    const end = Math.min(keys.length, at + batch);
    for (let index = at; index < end; index += 1)
      put.run(keys[index], valueAt(index), FIRST_VERSION + index, 0);
    database.exec("COMMIT");
  }
  const rate = perSecond(keys.length, start);
  database.close();
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

async function adapterWrite(filename, keys) {
  const adapter = sqlite({ filename });
  await adapter.open(context());
  const { signal } = new AbortController();
  const start = performance.now();
  for (let at = 0; at < keys.length; at += ADAPTER_BATCH) {
    const batch = [];
    const end = Math.min(keys.length, at + ADAPTER_BATCH);
    for (let index = at; index < end; index += 1) {
      const value = valueAt(index);
      batch.push({ type: "put", key: keys[index], value, version: FIRST_VERSION + index, expiresAt: 0 });
    }
    await adapter.write(batch, { signal });
  }
  const rate = perSecond(keys.length, start);
  await adapter.close();
  return rate;
}

function bareOpen(filename) {
  const database = new Database(filename);
  const map = new Map();
  const start = performance.now();
  for (const row of database.prepare("SELECT key, value, version, expires_at FROM records").raw().iterate()) {
    map.set(row[0], packr.unpack(row[1]));
  }
  const elapsedMs = performance.now() - start;
  database.close();
  if (map.size !== records) throw new Error(`${map.size} records`);
  return elapsedMs;
}

async function adapterOpen(filename) {
  const map = new Map();
  const start = performance.now();
  const adapter = sqlite({ filename });
  await adapter.open(context());
  for await (const page of adapter.scan({})) {
    for (const record of page) map.set(record.key, packr.unpack(record.value));
  }
  const elapsedMs = performance.now() - start;
  await adapter.close();
  if (map.size !== records) throw new Error(`${map.size} records`);
  return elapsedMs;
}

for (let round = 0; round < rounds; round += 1) {
  for (const kind of ["sequential", "random"]) {
    const keys = keysOf(kind);
    let best = 0;
    for (const batch of BARE_BATCHES) {
      const rate = await withDirectory((filename) => bareWrite(filename, keys, batch));
      console.log(`${kind} bare, ${batch} a batch: ${rate} k/s`);
      best = Math.max(best, rate);
      await delay(200);
    }
    await withDirectory(async (filename) => {
      const rate = await adapterWrite(filename, keys);
      console.log(
        `${kind} adapter, ${ADAPTER_BATCH} a batch: ${rate} k/s, ratio ${(rate / best).toFixed(2)}`,
      );
      for (const again of [1, 2]) {
        globalThis.gc?.();
        const bareMs = bareOpen(filename);
        globalThis.gc?.();
        const ownMs = await adapterOpen(filename);
        const ratio = (ownMs / bareMs).toFixed(2);
        console.log(
          `${kind} open ${again}: bare ${bareMs.toFixed(0)} ms, adapter ${ownMs.toFixed(0)} ms, ratio ${ratio}`,
        );
      }
    });
  }
}
