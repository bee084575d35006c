/**
 * Sustained writes to a Cluster of three masters on this machine: the adapter, with one lane and with several, beside
 * hand-written loops on the bare client, which send the same records to their masters as pipelines, of a SET for each
 * record or of an MSET for each slot. The ways take turns, round by round, so that what else the machine does falls
 * on all of them; the medians count. Nobody owns a store in the bare loops, and older records go over newer ones.
 *
 * On two cores shared with the servers and other work, 200,000 records of 150 bytes, five rounds, thousands a second:
 * SET 74, MSET 201, adapter 157, with four lanes 158; a scan by the adapter 112. On the same machine, busier: 45, 98,
 * 135, 135 and 76.
 *
 * Run after a build: `node packages/redis/test/cluster-bench.mjs [records] [rounds]`.
 */

import { systemClock } from "@leakdb/core/adapter";
import { redis } from "@leakdb/redis";
import { startCluster } from "@leakdb/redis-servers";
import { Cluster } from "ioredis";
import { Layout } from "../dist/layout.js";
import { encodeRecord } from "../dist/record.js";

const records = Number(process.argv[2] ?? 200_000);
const rounds = Number(process.argv[3] ?? 5);
const BATCH = 10_000;
const LANES = 4;
const VALUE_BYTES = 150;
const FIRST_VERSION = 1_790_000_000_000_000;
/** Commands of one pipeline of the bare loop; of several sizes this was the fastest. */
const PIPELINE = Number(process.env.PIPELINE ?? 1_000);
/** Batches of the bare loop that are under way at once. */
const DEEP = Number(process.env.DEEP ?? 2);

const layout = new Layout("bench:", true);
const keys = Array.from({ length: records }, (_, index) => `key:${String((index * 7919) % records)}`);
const values = Array.from({ length: 1009 }, (_, index) => Buffer.alloc(VALUE_BYTES, 97 + (index % 26)));
const valueAt = (index) => values[index % values.length];

const context = () => ({
  clock: systemClock,
  signal: new AbortController().signal,
  limits: { batchMax: BATCH, batchBytesMax: 8 << 20 },
  report: (error) => console.error("report:", error.message),
});

function batches() {
  const count = Math.ceil(records / BATCH);
  return Array.from({ length: count }, (_, batch) => [batch * BATCH, Math.min(records, (batch + 1) * BATCH)]);
}

/** Runs `work` over all of `items`, `deep` of them at once. */
async function flow(items, deep, work) {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: deep }, async () => {
      for (const item of rest) await work(item);
    }),
  );
}

const recordAt = (index) => encodeRecord(valueAt(index), FIRST_VERSION + index, 0);

/** A pipeline to each master, sent whenever it holds enough commands; resolves when all are answered. */
async function piped(master, fill) {
  const pipelines = new Map();
  const sent = [];
  const add = (slot, ...command) => {
    const at = master(slot);
    const pipeline = pipelines.get(at) ?? at.pipeline();
    pipeline.call(...command);
    pipelines.set(at, pipeline);
    if (pipeline.length < PIPELINE) return;
    sent.push(pipeline.exec());
    pipelines.delete(at);
  };
  fill(add);
  for (const pipeline of pipelines.values()) sent.push(pipeline.exec());
  for (const replies of await Promise.all(sent)) for (const [error] of replies) if (error) throw error;
}

const bareSets = (master) =>
  flow(batches(), DEEP, ([from, to]) =>
    piped(master, (add) => {
      for (let index = from; index < to; index += 1) {
        const partition = layout.partitionOf(keys[index]);
        add(layout.slotOf(partition), "SET", layout.nameOf(partition, keys[index]), recordAt(index));
      }
    }),
  );

const bareMsets = (master) =>
  flow(batches(), DEEP, ([from, to]) =>
    piped(master, (add) => {
      const bySlot = new Map();
      for (let index = from; index < to; index += 1) {
        const partition = layout.partitionOf(keys[index]);
        const slot = layout.slotOf(partition);
        const pairs = bySlot.get(slot) ?? [];
        pairs.push(layout.nameOf(partition, keys[index]), recordAt(index));
        bySlot.set(slot, pairs);
      }
      for (const [slot, pairs] of bySlot) add(slot, "MSET", ...pairs);
    }),
  );

async function adapter(url, lanes) {
  const store = redis({ url, keyPrefix: "bench:" });
  await store.open(context());
  const start = performance.now();
  await flow(batches(), lanes, async ([from, to]) => {
    const batch = [];
    for (let index = from; index < to; index += 1) {
      const version = FIRST_VERSION + index;
      batch.push({ type: "put", key: keys[index], value: valueAt(index), version, expiresAt: 0 });
    }
    await store.write(batch, context());
  });
  const elapsedMs = performance.now() - start;
  await store.close();
  return elapsedMs;
}

async function scanned(url) {
  const store = redis({ url, keyPrefix: "bench:" });
  await store.open(context());
  const start = performance.now();
  let count = 0;
  for await (const page of store.scan({})) count += page.length;
  const elapsedMs = performance.now() - start;
  await store.close();
  if (count !== records) throw new Error(`${count} records`);
  return elapsedMs;
}

const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

const cluster = await startCluster({ replicasPerMaster: 0 });
const client = new Cluster(cluster.nodes.map(({ host, port }) => ({ host, port })));
await client.ping();
const masters = new Map();
for (const node of client.nodes("master")) {
  for (const [first, last, [, port]] of await node.cluster("SLOTS"))
    for (let slot = first; slot <= last; slot += 1) if (port === node.options.port) masters.set(slot, node);
}
const masterOf = (slot) => masters.get(slot);

const empty = () => Promise.all(cluster.nodes.map((node) => node.command("FLUSHALL")));
const timed = async (work) => {
  const start = performance.now();
  await work();
  return performance.now() - start;
};
const ways = {
  "bare pipelines of SET": () => timed(() => bareSets(masterOf)),
  "bare pipelines of MSET": () => timed(() => bareMsets(masterOf)),
  "adapter, one lane": () => adapter(cluster.nodes[0].url, 1),
  [`adapter, ${LANES} lanes`]: () => adapter(cluster.nodes[0].url, LANES),
};
const rates = new Map(Object.keys(ways).map((way) => [way, []]));
const scans = [];
try {
  for (let round = 0; round <= rounds; round += 1) {
    for (const [way, run] of Object.entries(ways)) {
      await empty();
      const rate = records / (await run());
      // The first round warms up.
      if (round > 0) rates.get(way).push(rate);
    }
    scans.push(records / (await scanned(cluster.nodes[0].url)));
  }
  const base = median(rates.get("bare pipelines of SET"));
  for (const [way, each] of rates) {
    const rate = median(each);
    const ratio = (rate / base).toFixed(2);
    const span = each.map((one) => one.toFixed(0)).join(", ");
    console.log(`${way}: ${rate.toFixed(0)} k/s, ratio to SET ${ratio} (${span})`);
  }
  console.log(`scan of all by the adapter: ${median(scans).toFixed(0)} k/s`);
} finally {
  client.disconnect();
  await cluster.stop();
}
