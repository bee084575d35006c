/**
 * Conformance: concurrency. Up to `lanesMax` writes of different keys are under way at once, and reads beside them.
 */

import assert from "node:assert/strict";
import type { Mutation } from "@leakdb/core/adapter";
import { SeededRandom } from "../seeded-random.js";
import type { CaseGroup } from "./conformance-case.js";
import { Model, RandomBatches } from "./model.js";
import { clear, FIRST_VERSION, numberedPuts, put } from "./mutations.js";
import { needsTwoLanes } from "./requirements.js";

/** As many lanes as the adapter allows, within reason. */
const LANES_TRIED_MAX = 8;

function lanesOf(lanesMax: number): number {
  return Math.min(lanesMax, LANES_TRIED_MAX);
}

export const lanes: CaseGroup = {
  group: "concurrency",
  cases: [
    {
      name: "as many writes as there are lanes, sent at once, are all stored",
      requires: needsTwoLanes,
      body: async (run) => {
        const store = await run.open();
        const count = lanesOf(store.adapter.capabilities.lanesMax);
        const batches = Array.from({ length: count }, (_, lane) =>
          numberedPuts(500, FIRST_VERSION + lane, `${lane}:`),
        );
        const writes = batches.map((batch) => store.send(batch));
        await run.settles(Promise.all(writes), `${count} writes at once`);
        await store.mustHold(batches.flat(), `after ${count} writes at once`);
      },
    },
    {
      name: "lanes that go on side by side leave what each would leave alone",
      requires: needsTwoLanes,
      body: async (run) => {
        const first = await run.open();
        const model = new Model();
        const lane = async (name: string, seed: number) => {
          const keys = Array.from({ length: 40 }, (_, index) => `${name}:${index}`);
          const random = new RandomBatches(new SeededRandom(seed), keys);
          for (let round = 0; round < 40; round += 1) {
            const batch: Mutation[] = random.next(20, [`${name}:`, `${name}:1`], 20);
            await first.send(batch);
            model.apply(batch);
          }
        };
        const count = lanesOf(first.adapter.capabilities.lanesMax);
        const running = Array.from({ length: count }, (_, index) => lane(`lane ${index}`, 10 + index));
        await run.settles(Promise.all(running), `${count} lanes`);
        await first.mustHold(model.records, `after ${count} lanes of random batches, seeds from 10`);
        const second = await run.reopen(first);
        await second.mustHold(model.records, "the same after a reopening");
      },
    },
    {
      name: "a clear in one lane leaves the other lanes' keys alone",
      requires: needsTwoLanes,
      body: async (run) => {
        const store = await run.open();
        await store.send(numberedPuts(1_000, 1, "left-"));
        const right = numberedPuts(1_000, 2_000, "right-");
        const writes = [store.send([clear("left-", 5_000)]), store.send(right)];
        await run.settles(Promise.all(writes), "a clear and a write at once");
        await store.mustHold(right, "after a clear and a write at once");
      },
    },
    {
      name: "the high version is the highest of all lanes",
      requires: needsTwoLanes,
      body: async (run) => {
        const first = await run.open();
        await Promise.all([first.send([put("a", "one", 9)]), first.send([put("b", "two", 8)])]);
        await Promise.all([first.send([put("a", "one", 10)]), first.send([put("b", "two", 12)])]);
        const second = await run.reopen(first);
        second.mustHaveSeen(12);
      },
    },
    {
      name: "loads and scans beside a write settle, with old or new records",
      body: async (run) => {
        const store = await run.open();
        const old = numberedPuts(1_000, 1);
        await store.send(old);
        const writing = store.send(old.map(({ key }, index) => put(key, "new", 10_000 + index)));
        const loading = store.load(...old.map(({ key }) => key));
        const scanning = store.scanKeys();
        const [, loaded, scanned] = await run.settles(
          Promise.all([writing, loading, scanning]),
          "a write, a load and a scan at once",
        );
        const hits = loaded.filter((record) => record !== undefined);
        assert.equal(hits.length, old.length, "keys that a load found, there before and after");
        assert.equal(scanned.length, old.length, "keys that a scan found, there before and after");
      },
    },
    {
      name: "a sync beside a write resolves",
      body: async (run) => {
        const store = await run.open();
        const batch = numberedPuts(1_000);
        const both = [store.send(batch), store.adapter.sync(), store.adapter.sync()];
        await run.settles(Promise.all(both), "a write and two syncs at once");
        await store.mustHold(batch, "after a write and two syncs at once");
      },
    },
    {
      name: "a close beside writes lets all settle, and what was acknowledged is there",
      body: async (run) => {
        const first = await run.open();
        const count = lanesOf(first.adapter.capabilities.lanesMax);
        const batches = Array.from({ length: count }, (_, lane) =>
          numberedPuts(300, FIRST_VERSION + lane, `${lane}:`),
        );
        const writes = batches.map((batch) => run.outcome(() => first.send(batch), "a write beside a close"));
        await run.close(first);
        const outcomes = await Promise.all(writes);
        const second = await run.open();
        const acknowledged = batches.filter((_, lane) => outcomes[lane]?.ok === true);
        await second.mustLoad(acknowledged.flat(), "what was acknowledged beside a close");
      },
    },
  ],
};
