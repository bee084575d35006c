/**
 * Conformance: versions and idempotence. The newest version of a key wins, whatever arrives when; a batch sent twice
 * leaves what it left the first time; the high version never falls.
 *
 * Nothing here asks for tombstones: an older put of a key that was deleted may come back, because with one owner and
 * one order core never sends it.
 */

import assert from "node:assert/strict";
import type { CaseDefinition, CaseGroup } from "./conformance-case.js";
import type { ConformanceRun } from "./conformance-run.js";
import { clear, FIRST_VERSION, numberedPuts, put, remove } from "./mutations.js";
import type { OpenStore } from "./open-store.js";

const VERSIONS = [
  1,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 + 1,
  FIRST_VERSION,
  FIRST_VERSION + 1,
  2 ** 53 - 2,
  Number.MAX_SAFE_INTEGER,
];

const newestWins: readonly CaseDefinition[] = [
  {
    name: "a version comes back exactly, up to the largest safe integer",
    body: async (run) => {
      const first = await run.open();
      const puts = VERSIONS.map((version) => put(`at ${version}`, "one", version));
      await first.write(...puts);
      await first.mustHold(puts, "after puts at many versions");
      const second = await run.reopen(first);
      await second.mustHold(puts, "after puts at many versions and a reopening");
    },
  },
  {
    name: "an older put never goes over a newer one",
    body: async (run) => {
      const store = await run.open();
      await store.write(put("a", "new", FIRST_VERSION + 1));
      await store.send([put("a", "old", FIRST_VERSION)]);
      await store.mustHold([put("a", "new", FIRST_VERSION + 1)], "after an older put");
    },
  },
  {
    name: "an older put never goes over a newer one after a reopening either",
    body: async (run) => {
      const first = await run.open();
      await first.write(put("a", "new", 9));
      const second = await run.reopen(first);
      await second.send([put("a", "old", 8)]);
      await second.mustHold([put("a", "new", 9)], "after a reopening and an older put");
    },
  },
  {
    name: "an older delete doesn't remove a newer put",
    body: async (run) => {
      const store = await run.open();
      await store.write(put("a", "new", 9));
      await store.send([remove("a", 8)]);
      await store.mustHold([put("a", "new", 9)], "after an older delete");
    },
  },
  {
    name: "an older delete or clear doesn't remove a newer put after a reopening either",
    body: async (run) => {
      const first = await run.open();
      await first.write(put("a", "new", 9), put("b", "new", 10));
      const second = await run.reopen(first);
      await second.send([remove("a", 8), clear("b", 9)]);
      const third = await run.reopen(second);
      await third.mustHold([put("a", "new", 9), put("b", "new", 10)], "after an older delete and clear");
    },
  },
  {
    name: "an older mutation doesn't keep its neighbours in the batch from being stored",
    body: async (run) => {
      const store = await run.open();
      await store.write(put("b", "new", 9));
      await store.send([put("a", "one", 10), put("b", "old", 8), put("c", "three", 11)]);
      const expected = [put("a", "one", 10), put("b", "new", 9), put("c", "three", 11)];
      await store.mustHold(expected, "after a batch with one older put");
    },
  },
  {
    name: "a clear removes what is older than itself, and nothing of its own version or newer",
    body: async (run) => {
      const store = await run.open();
      await store.write(put("a", "older", 9), put("b", "same", 10), put("c", "newer", 11));
      await store.write(clear("", 10));
      await store.mustHold([put("b", "same", 10), put("c", "newer", 11)], "after a clear at version 10");
    },
  },
  {
    name: "a put after a delete counts, in whatever batch",
    body: async (run) => {
      const store = await run.open();
      await store.write(put("a", "one", 1));
      await store.write(remove("a", 2), put("b", "two", 3));
      await store.write(put("a", "three", 4), remove("b", 5));
      await store.mustHold([put("a", "three", 4)], "after put, delete, put");
    },
  },
];

const again: readonly CaseDefinition[] = [
  {
    name: "a batch sent again changes nothing and is not rejected",
    body: async (run) => {
      const store = await run.open();
      await store.write(put("gone", "zero", 1), put("old:1", "zero", 2));
      const batch = [put("a", "one", 3), remove("gone", 4), clear("old:", 5), put("old:2", "two", 6)];
      for (let round = 0; round < 3; round += 1) {
        await store.write(...batch);
        await store.mustHold(
          [put("a", "one", 3), put("old:2", "two", 6)],
          `after sending it ${round + 1} times`,
        );
      }
    },
  },
  {
    name: "a batch sent again after a reopening changes nothing",
    body: async (run) => {
      const batch = [put("a", "one", 3), remove("b", 4), clear("c", 5), put("c", "two", 6)];
      let store = await run.open();
      for (let round = 0; round < 3; round += 1) {
        await store.write(...batch);
        store = await run.reopen(store);
        await store.mustHold([put("a", "one", 3), put("c", "two", 6)], `after ${round + 1} reopenings`);
      }
      store.mustHaveSeen(6);
    },
  },
  {
    name: "a large batch sent again changes nothing",
    body: async (run) => {
      const store = await run.open();
      const batch = numberedPuts(5_000);
      await store.send(batch);
      await store.send(batch);
      await store.mustHold(batch, "after 5,000 puts sent twice");
    },
  },
  {
    name: "an older batch sent again undoes no newer put",
    body: async (run) => {
      const store = await run.open();
      const batch = [clear("b", 1), put("a", "one", 2), remove("b", 3)];
      await store.write(...batch);
      const newer = [put("a", "two", 4), put("b", "three", 5)];
      await store.write(...newer);
      await store.send(batch);
      await store.mustHold(newer, "after an older batch was sent again");
    },
  },
];

async function mustReopenAt(run: ConformanceRun, store: OpenStore, version: number): Promise<OpenStore> {
  const next = await run.reopen(store);
  next.mustHaveSeen(version);
  return next;
}

const highVersion: readonly CaseDefinition[] = [
  {
    name: "the high version is the highest of a batch, wherever it stands",
    body: async (run) => {
      let store = await run.open();
      await store.write(put("a", "one", FIRST_VERSION + 7), put("b", "two", FIRST_VERSION + 3));
      store = await mustReopenAt(run, store, FIRST_VERSION + 7);
      await store.write(put("c", "three", FIRST_VERSION + 8));
      await mustReopenAt(run, store, FIRST_VERSION + 8);
    },
  },
  {
    name: "the high version counts deletes, of absent keys too",
    body: async (run) => {
      let store = await run.open();
      await store.write(put("a", "one", 5));
      await store.write(remove("a", 6));
      store = await mustReopenAt(run, store, 6);
      await store.write(remove("absent", 9));
      await mustReopenAt(run, store, 9);
    },
  },
  {
    name: "the high version counts clears, of nothing too, and outlives the keys they removed",
    body: async (run) => {
      let store = await run.open();
      await store.write(put("a", "one", 5));
      await store.write(clear("", 6));
      store = await mustReopenAt(run, store, 6);
      await store.write(clear("nothing", 9));
      await mustReopenAt(run, store, 9);
    },
  },
  {
    name: "the high version never falls by older mutations",
    body: async (run) => {
      let store = await run.open();
      await store.write(put("a", "one", 20));
      await store.send([put("b", "two", 10), remove("a", 11), clear("x", 12)]);
      store = await mustReopenAt(run, store, 20);
      await mustReopenAt(run, store, 20);
    },
  },
  {
    name: "the high version is never above the highest that was sent",
    body: async (run) => {
      let store = await run.open();
      await store.write(put("a", "one", 7), remove("b", 8), clear("c", 9));
      for (const again of ["a reopening", "another"]) {
        store = await run.reopen(store);
        assert.ok(store.state.highVersion <= 9, `high version ${store.state.highVersion} after ${again}`);
      }
    },
  },
];

export const versions: CaseGroup = {
  group: "versions and idempotence",
  cases: [...newestWins, ...again, ...highVersion],
};
