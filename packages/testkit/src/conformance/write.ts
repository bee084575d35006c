/**
 * Conformance: writing. Batches of every size are stored whole, in their order, and the caller's bytes stay the
 * caller's.
 */

import assert from "node:assert/strict";
import { SeededRandom } from "../seeded-random.js";
import type { CaseDefinition, CaseGroup } from "./conformance-case.js";
import { LIMITS } from "./conformance-run.js";
import { Model, RandomBatches } from "./model.js";
import { FIRST_VERSION, numberedPuts, put, remove } from "./mutations.js";
import { rejections } from "./rejections.js";

/** Around the sizes at which backends cut statements, pages and pipelines. */
const BATCH_SIZES = [1, 2, 3, 99, 100, 101, 255, 256, 257, 499, 500, 501, 999, 1_000, 1_001, 4_096, 4_097];

const basics: readonly CaseDefinition[] = [
  {
    name: "a put is there as soon as the write has resolved",
    body: async (run) => {
      const store = await run.open();
      await store.write(put("a", "one", 1));
      await store.mustHold([put("a", "one", 1)], "after a put");
    },
  },
  {
    name: "a put replaces value and version of an older record whole",
    body: async (run) => {
      const store = await run.open();
      await store.write(put("a", "a long first value", 1));
      await store.write(put("a", "short", 2));
      await store.mustHold([put("a", "short", 2)], "after a shorter value");
      await store.write(put("a", "a much longer third value", 3));
      await store.mustHold([put("a", "a much longer third value", 3)], "after a longer value");
    },
  },
  {
    name: "a delete removes its key and no other",
    body: async (run) => {
      const store = await run.open();
      const kept = [put("a", "one", 1), put("aba", "three", 3), put("b", "four", 4)];
      await store.write(...kept, put("ab", "two", 2));
      await store.write(remove("ab", 5));
      await store.mustHold(kept, "after a delete of ab");
      await store.mustMiss(["ab"], "after a delete");
    },
  },
  {
    name: "deleting a key that isn't there is no error",
    body: async (run) => {
      const store = await run.open();
      await store.write(remove("absent", 1));
      await store.write(put("a", "one", 2), remove("absent", 3));
      await store.mustHold([put("a", "one", 2)], "after deletes of an absent key");
    },
  },
  {
    name: "a deleted key can be put again",
    body: async (run) => {
      const store = await run.open();
      await store.write(put("a", "one", 1));
      await store.write(remove("a", 2));
      await store.write(put("a", "again", 3));
      await store.mustHold([put("a", "again", 3)], "after put, delete, put");
    },
  },
  {
    name: "two hundred small writes one after another are all there",
    body: async (run) => {
      const store = await run.open();
      const puts = numberedPuts(200);
      for (const one of puts) await store.write(one);
      await store.mustHold(puts, "after 200 writes of one put each");
    },
  },
];

const batches: readonly CaseDefinition[] = [
  {
    name: "an empty batch resolves and changes nothing",
    body: async (run) => {
      const store = await run.open();
      await store.write();
      await store.write(put("a", "one", 1));
      await store.write();
      await store.mustHold([put("a", "one", 1)], "after empty batches");
    },
  },
  {
    name: "the first and the last of a batch are kept, whatever its size",
    body: async (run) => {
      const store = await run.open();
      for (const size of BATCH_SIZES) {
        const batch = numberedPuts(size, FIRST_VERSION, `${size}:`);
        await store.write(...batch);
        await store.mustScan({ prefix: `${size}:` }, batch, `after a batch of ${size}`);
      }
    },
  },
  {
    name: "the largest batch core sends is stored whole",
    body: async (run) => {
      const store = await run.open();
      const batch = numberedPuts(LIMITS.batchMax);
      await store.send(batch);
      await store.mustHold(batch, `after a batch of ${LIMITS.batchMax} puts`);
      await store.send(batch.map(({ key, version }) => remove(key, version + LIMITS.batchMax)));
      await store.mustHold([], `after a batch of ${LIMITS.batchMax} deletes`);
    },
  },
  {
    name: "a batch of 10,000 mixed puts, deletes and clears is applied in its order",
    body: async (run) => {
      const store = await run.open();
      const model = new Model();
      const keys = Array.from({ length: 30_000 }, (_, index) => `${"abc"[index % 3]}:${index}`);
      const random = new RandomBatches(new SeededRandom(1), keys);
      for (let round = 0; round < 2; round += 1) {
        const batch = random.next(LIMITS.batchMax, ["a:", "b:1", "c:2"], 2_000);
        model.apply(batch);
        await store.send(batch);
        await store.mustHold(model.records, `after mixed batch ${round} of seed 1`);
      }
    },
  },
  {
    name: "a hundred random batches leave what the contract says, also after a reopening",
    body: async (run) => {
      let store = await run.open();
      const model = new Model();
      const keys = Array.from({ length: 60 }, (_, index) => `${"xyz"[index % 3]}${index}`);
      const random = new RandomBatches(new SeededRandom(2), keys);
      for (let round = 1; round <= 100; round += 1) {
        const batch = random.next(20, ["", "x", "y1", "z", "nothing"], 15);
        model.apply(batch);
        await store.send(batch);
        if (round % 25 === 0) {
          store = await run.reopen(store);
          await store.mustHold(model.records, `after ${round} random batches of seed 2`);
        }
      }
    },
  },
];

const bytes: readonly CaseDefinition[] = [
  {
    name: "changing the caller's bytes after the write changes nothing stored",
    body: async (run) => {
      const store = await run.open();
      const array = new Uint8Array([1, 2, 3]);
      const buffer = Buffer.from("pooled");
      await store.write(put("array", array, 1), put("buffer", buffer, 2));
      array.fill(9);
      buffer.fill(9);
      const expected = [put("array", new Uint8Array([1, 2, 3]), 1), put("buffer", "pooled", 2)];
      await store.mustHold(expected, "after the caller has filled its bytes anew");
    },
  },
  {
    name: "changing loaded or scanned bytes changes nothing stored",
    body: async (run) => {
      const store = await run.open();
      await store.write(put("a", "one", 1));
      for (const record of await store.load("a")) record?.value.fill(9);
      for (const record of await store.scan()) record.value.fill(9);
      await store.mustHold([put("a", "one", 1)], "after the reader has filled its bytes anew");
    },
  },
  {
    name: "the batch and its bytes are the same after the write, and still the caller's",
    body: async (run) => {
      const store = await run.open();
      const value = new Uint8Array([1, 2, 3]);
      const batch = Object.freeze([Object.freeze(put("a", value, 1)), Object.freeze(remove("b", 2))]);
      await store.send(batch);
      assert.equal(value.byteLength, 3, "the value must not be transferred away");
      assert.deepEqual([...value], [1, 2, 3], "the value's bytes after the write");
    },
  },
  {
    name: "puts of one batch may share their bytes",
    body: async (run) => {
      const store = await run.open();
      const value = new Uint8Array([1, 2, 3]);
      const batch = [put("a", value, 1), put("b", value, 2), put("c", value.subarray(1), 3)];
      await store.write(...batch);
      await store.mustHold(batch, "after three puts of the same bytes");
      assert.deepEqual([...value], [1, 2, 3], "the shared bytes after the write");
    },
  },
  {
    name: "a value that is a view into larger memory is stored as the view alone",
    body: async (run) => {
      const store = await run.open();
      const memory = new TextEncoder().encode("before-value-after");
      const view = memory.subarray(7, 12);
      await store.write(put("a", view, 1), put("b", Buffer.from(memory.buffer, 7, 5), 2));
      await store.mustHold([put("a", "value", 1), put("b", "value", 2)], "after views were written");
      assert.equal(memory.byteLength, 18, "the memory around the view must not be transferred away");
    },
  },
];

export const write: CaseGroup = { group: "write", cases: [...basics, ...batches, ...bytes, ...rejections] };
