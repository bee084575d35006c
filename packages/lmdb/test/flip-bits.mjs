/**
 * Flips bits of a store, one at a time in a copy, opens each copy and reads it, and prints how often it was refused,
 * found damaged while it was read, or read whole. In a process of its own, which a page that LMDB trusts in vain
 * could end; `progress` holds the flip that was tried last.
 */

import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "@leakdb/core/adapter";
import { LmdbStore } from "../dist/lmdb-store.js";

const [source, target] = process.argv.slice(2);
const flips = JSON.parse(readFileSync(join(target, "flips"), "utf8"));
const { signal } = new AbortController();
const context = {
  clock: systemClock,
  signal,
  limits: { batchMax: 10_000, batchBytesMax: 8 << 20 },
  report() {},
};

async function read(path) {
  const store = new LmdbStore({ path });
  try {
    const { storeId, highVersion } = await store.open(context);
    const records = [];
    for await (const page of store.scan({})) {
      for (const { key, value, version, expiresAt } of page) {
        records.push([key, Buffer.from(value).toString("latin1"), version, expiresAt]);
      }
    }
    return JSON.stringify({ storeId, highVersion, records });
  } finally {
    await store.close();
  }
}

const whole = readFileSync(join(source, "data.mdb"));
cpSync(join(source, "data.mdb"), join(target, "first", "data.mdb"), { recursive: true });
const expected = await read(join(target, "first"));
const counts = { refused: 0, damaged: 0, whole: 0, wrong: [] };
for (const flip of flips) {
  const copy = join(target, "copy");
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy);
  const bytes = Buffer.from(whole);
  bytes[flip >> 3] ^= 1 << (flip & 7);
  writeFileSync(join(copy, "data.mdb"), bytes);
  writeFileSync(join(target, "progress"), String(flip));
  try {
    if ((await read(copy)) === expected) counts.whole += 1;
    else counts.wrong.push(flip);
  } catch ({ code, kind }) {
    if (kind === "permanent" && (code === "LEAKDB_CORRUPTION" || code === "LEAKDB_OPEN_FAILED"))
      counts.refused += 1;
    else if (code === "LEAKDB_CORRUPTION") counts.damaged += 1;
    else counts.wrong.push([flip, kind, code]);
  }
}
process.stdout.write(JSON.stringify(counts));
