/**
 * Conformance: crash and reopen. What was acknowledged is there after any end of the process (I7), what was deleted
 * stays deleted (I3), and nothing lands once a close has resolved.
 */

import assert from "node:assert/strict";
import type { CaseDefinition, CaseGroup } from "./conformance-case.js";
import type { ConformanceRun } from "./conformance-run.js";
import { clear, FIRST_VERSION, numberedPuts, type Put, put, remove } from "./mutations.js";
import type { OpenStore } from "./open-store.js";
import { assertLines, describeRecord } from "./records.js";
import { needsAtomicBatchAndKill, needsKill, needsSyncedAndKill } from "./requirements.js";

/** In turns of the event loop after the write was begun. */
const DEATHS_AFTER_TURNS = [0, 1, 3, 10];

const reopened: readonly CaseDefinition[] = [
  {
    name: "ten thousand records are there after a close and a reopening",
    body: async (run) => {
      const first = await run.open();
      const puts = numberedPuts(10_000);
      await first.send(puts);
      const second = await run.reopen(first);
      await second.mustHold(puts, "after a reopening");
    },
  },
  {
    name: "what was deleted or cleared doesn't come back by a reopening",
    body: async (run) => {
      const first = await run.open();
      await first.write(put("a", "one", 1), put("b", "two", 2), put("p:1", "three", 3), put("c", "four", 4));
      const second = await run.reopen(first);
      await second.write(remove("a", 5), clear("p:", 6));
      const third = await run.reopen(second);
      await third.mustHold([put("b", "two", 2), put("c", "four", 4)], "after deletes and two reopenings");
    },
  },
  {
    name: "ten reopenings with a write in each lose nothing",
    body: async (run) => {
      const puts = numberedPuts(10);
      let store = await run.open();
      for (const one of puts) {
        await store.write(one);
        store = await run.reopen(store);
      }
      await store.mustHold(puts, "after ten reopenings");
    },
  },
  {
    name: "nothing sent before a close lands after it",
    body: async (run) => {
      const first = await run.open();
      const batch = numberedPuts(2_000);
      const writing = run.outcome(() => first.send(batch), "a write that a close overtakes");
      await run.close(first);
      const second = await run.open();
      const before = (await second.scan()).map(describeRecord);
      await writing;
      await run.turns();
      assertLines(
        (await second.scan()).map(describeRecord),
        before,
        "what was there when the close had resolved",
      );
    },
  },
  {
    name: "a scan that a close interrupts settles, and the backend opens again",
    body: async (run) => {
      const first = await run.open();
      const puts = numberedPuts(3_000);
      await first.send(puts);
      const pages = first.adapter.scan({})[Symbol.asyncIterator]();
      await pages.next();
      await run.close(first);
      await run.outcome(() => pages.next(), "the next page after a close");
      const second = await run.open();
      await second.mustHold(puts, "after a scan that a close interrupted");
    },
  },
  {
    name: "a sync resolves, with something to sync and without",
    body: async (run) => {
      const store = await run.open();
      await run.settles(store.adapter.sync(), "a sync of a new backend");
      await store.write(put("a", "one", 1));
      await run.settles(store.adapter.sync(), "a sync after a write");
      await run.settles(store.adapter.sync(), "a second sync");
      await store.mustHold([put("a", "one", 1)], "after syncs");
    },
  },
];

/** Dies in the middle of a write, and is there again. */
async function dieWriting(
  run: ConformanceRun,
  store: OpenStore,
  batch: readonly Put[],
  turns: number,
): Promise<OpenStore> {
  store.send(batch).catch(() => undefined);
  await run.turns(turns);
  await run.kill(store);
  return run.open();
}

const killed: readonly CaseDefinition[] = [
  {
    name: "what was acknowledged is there after a kill, deletes and clears included",
    requires: needsKill,
    body: async (run) => {
      const first = await run.open();
      const puts = numberedPuts(1_000);
      await first.send([...puts, put("gone", "one", 1), put("p:1", "two", 2)]);
      await first.write(remove("gone", FIRST_VERSION + 2_000), clear("p:", FIRST_VERSION + 2_001));
      await run.kill(first);
      const second = await run.open();
      await second.mustHold(puts, "after a kill");
      second.mustHaveSeen(FIRST_VERSION + 2_001);
    },
  },
  {
    name: "versions and expiries are there after a kill, and nothing is older than it was",
    requires: needsKill,
    body: async (run) => {
      const first = await run.open();
      const later = run.now() + 3_600_000;
      await first.write(put("a", "one", 1, later), put("b", "two", 2), put("c", "three", 3, later));
      await first.write(put("a", "one", 4), put("b", "two", 5, later + 1));
      await run.kill(first);
      const second = await run.open();
      const expected = [put("a", "one", 4), put("b", "two", 5, later + 1), put("c", "three", 3, later)];
      await second.mustHold(expected, "after a kill");
    },
  },
  {
    name: "what was synced is there after a kill",
    requires: needsSyncedAndKill,
    body: async (run) => {
      const first = await run.open();
      await first.write(put("a", "one", 1));
      await first.adapter.sync();
      await run.kill(first);
      const second = await run.open();
      await second.mustHold([put("a", "one", 1)], "after a sync and a kill");
    },
  },
  {
    name: "a kill in the middle of a write leaves each key old or new",
    requires: needsKill,
    body: async (run) => {
      let store = await run.open();
      let old = numberedPuts(1_000, 1);
      await store.send(old);
      for (const turns of DEATHS_AFTER_TURNS) {
        const batch = old.map(({ key, version }) => put(key, `new after ${turns}`, version + 10_000));
        store = await dieWriting(run, store, batch, turns);
        const allowed = new Set([...old, ...batch].map(describeRecord));
        const found = (await store.scan()).map(describeRecord);
        const odd = found.filter((line) => !allowed.has(line));
        assertLines(odd, [], `records that are neither old nor new, ${turns} turns after the write`);
        assert.equal(found.length, old.length, "how many keys are there");
        await store.send(batch);
        await store.mustHold(batch, "after the batch was sent again");
        old = batch;
      }
    },
  },
  {
    name: "a kill in the middle of a write leaves all of the batch or nothing",
    requires: needsAtomicBatchAndKill,
    body: async (run) => {
      let store = await run.open();
      const held: Put[] = [];
      for (const turns of DEATHS_AFTER_TURNS) {
        const batch = numberedPuts(1_000, (turns + 1) * 10_000, `${turns}:`);
        store = await dieWriting(run, store, batch, turns);
        const isThere = (await store.scan({ prefix: `${turns}:` })).length > 0;
        if (isThere) held.push(...batch);
        await store.mustHold(held, `after a batch that a kill overtook by ${turns} turns`);
      }
    },
  },
  {
    name: "five kills in a row lose nothing acknowledged and lock nobody out",
    requires: needsKill,
    body: async (run) => {
      const puts = numberedPuts(5);
      for (const [index, one] of puts.entries()) {
        const store = await run.open();
        await store.mustHold(puts.slice(0, index), `after ${index} kills`);
        await store.write(one);
        await run.kill(store);
      }
      const last = await run.open();
      await last.mustHold(puts, "after five kills");
    },
  },
];

export const crash: CaseGroup = { group: "crash and reopen", cases: [...reopened, ...killed] };
