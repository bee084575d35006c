/**
 * The measurement behind docs/decisions/0003-sqlite-settings.md: the adapter against a hand-written loop on the bare
 * client that writes the same records, both in one run, and the opening of the result against a bare scan.
 * Run after a build: `node --expose-gc packages/sqlite/test/settings-bench.mjs [records] [rounds]`.
 */

import { setTimeout as delay } from "node:timers/promises";
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
import { sqlite } from "@leakdb/sqlite";
import Database from "better-sqlite3";

const records = new BenchRecords(Number(process.argv[2] ?? 1_000_000));
const rounds = Number(process.argv[3] ?? 1);
const BARE_BATCHES = [1_000, 10_000, 50_000];

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
      put.run(keys[index], records.valueAt(index), FIRST_VERSION + index, 0);
    database.exec("COMMIT");
  }
  const rate = perSecond(keys.length, start);
  database.close();
  return rate;
}

function bareOpen(filename) {
  const database = new Database(filename);
  const map = new Map();
  const start = performance.now();
  for (const row of database.prepare("SELECT key, value, version, expires_at FROM records").raw().iterate()) {
    map.set(row[0], records.decode(row[1]));
  }
  const elapsedMs = performance.now() - start;
  database.close();
  if (map.size !== records.count) throw new Error(`${map.size} records`);
  return elapsedMs;
}

for (let round = 0; round < rounds; round += 1) {
  for (const kind of ["sequential", "random"]) {
    const keys = records.keys(kind);
    let best = 0;
    for (const batch of BARE_BATCHES) {
      const rate = await withBenchDirectory((filename) => bareWrite(filename, keys, batch));
      console.log(`${kind} bare, ${batch} a batch: ${rate} k/s`);
      best = Math.max(best, rate);
      await delay(200);
    }
    await withBenchDirectory(async (filename) => {
      const adapter = sqlite({ filename });
      await adapter.open(benchContext());
      const rate = await writeByAdapter(adapter, records, keys);
      await adapter.close();
      console.log(
        `${kind} adapter, ${ADAPTER_BATCH} a batch: ${rate} k/s, ratio ${(rate / best).toFixed(2)}`,
      );
      for (const again of [1, 2]) {
        globalThis.gc?.();
        const bareMs = bareOpen(filename);
        globalThis.gc?.();
        const ownMs = await measureAdapterOpen(sqlite({ filename }), records);
        const ratio = (ownMs / bareMs).toFixed(2);
        console.log(
          `${kind} open ${again}: bare ${bareMs.toFixed(0)} ms, adapter ${ownMs.toFixed(0)} ms, ratio ${ratio}`,
        );
      }
    });
  }
}
