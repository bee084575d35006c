/**
 * Conformance: crash and reopen. What was acknowledged is there after any end of the process (I7), what was deleted
 * stays deleted (I3), and nothing lands once a close has resolved.
 */

import type { CaseDefinition, CaseGroup } from "./conformance-case.js";
import type { ConformanceRun } from "./conformance-run.js";
import { clear, FIRST_VERSION, numberedPuts, put, remove } from "./mutations.js";
import type { OpenStore } from "./open-store.js";
import { assertLines, describeRecord } from "./records.js";
import {
  needsAtomicBatchAndKill,
  needsAtomicBatchAndProcess,
  needsKill,
  needsProcess,
  needsSyncedAndKill,
} from "./requirements.js";
import { mustBeBetween, mustBeWhole, type Wave, Waves } from "./waves.js";

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

type Judge = (store: OpenStore, wave: Wave, what: string) => Promise<void>;

/** How an owner comes and how it is killed. */
interface Mortal {
  open(): Promise<OpenStore>;
  kill(store: OpenStore): Promise<void>;
}

function mortalHere(run: ConformanceRun): Mortal {
  return { open: () => run.open(), kill: (store) => run.kill(store) };
}

function mortalInProcess(run: ConformanceRun): Mortal {
  return { open: () => run.openInProcess(), kill: (store) => run.killProcess(store) };
}

/** Kills the owner in the middle of writes, and judges what its successor finds of each. */
async function killInTheMiddle(run: ConformanceRun, mortal: Mortal, judge: Judge): Promise<void> {
  const waves = new Waves();
  let store = await mortal.open();
  const moments = await run.moments((size) => store.write(...waves.next(size).batch));
  await moments.each("kills", async (moment) => {
    const wave = waves.next(moments.size);
    const { signal } = new AbortController();
    const { writing } = await moment.reach(() => store.adapter.write(wave.batch, { signal }));
    writing.catch(() => undefined);
    await mortal.kill(store);
    store = await mortal.open();
    await judge(store, wave, `after a kill at ${moment.text} of a write`);
    await store.write(...wave.batch);
    await store.mustScan({}, wave.after, "after the batch was sent again");
  });
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
    body: (run) => killInTheMiddle(run, mortalHere(run), mustBeBetween),
  },
  {
    name: "a kill in the middle of a write leaves all of the batch or nothing",
    requires: needsAtomicBatchAndKill,
    body: (run) => killInTheMiddle(run, mortalHere(run), mustBeWhole),
  },
  {
    name: "a kill -9 in the middle of a write leaves each key old or new",
    requires: needsProcess,
    body: (run) => killInTheMiddle(run, mortalInProcess(run), mustBeBetween),
  },
  {
    name: "a kill -9 in the middle of a write leaves all of the batch or nothing",
    requires: needsAtomicBatchAndProcess,
    body: (run) => killInTheMiddle(run, mortalInProcess(run), mustBeWhole),
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
