/**
 * Conformance: ownership. A backend has one owner at a time: a second one is refused, or it takes over and fences
 * the first.
 */

import assert from "node:assert/strict";
import type { Adapter } from "@leakdb/core/adapter";
import type { CaseDefinition, CaseGroup } from "./conformance-case.js";
import type { ConformanceRun } from "./conformance-run.js";
import { put } from "./mutations.js";
import type { OpenStore } from "./open-store.js";
import {
  needsFence,
  needsFenceAndProcess,
  needsLock,
  needsLockAndProcess,
  needsProcess,
} from "./requirements.js";

function codeOf(error: Error): unknown {
  return (error as { code?: unknown }).code;
}

/** Opens a second adapter beside an open one, and expects it to be refused. */
async function mustBeLocked(run: ConformanceRun, given?: Adapter): Promise<void> {
  const adapter = given ?? (await run.fixture.adapter());
  const outcome = await run.outcome(() => run.openAdapter(adapter), "an opening beside an owner");
  assert.equal(outcome.ok, false, "an opening beside an owner was expected to reject");
  if (!outcome.ok) assert.equal(codeOf(outcome.error), "LEAKDB_LOCKED", "the code of its error");
  await run.settles(adapter.close(), "the close of a refused adapter");
}

const locks: readonly CaseDefinition[] = [
  {
    name: "a second owner is refused with LEAKDB_LOCKED, and the first goes on",
    requires: needsLock,
    body: async (run) => {
      const store = await run.open();
      await store.write(put("a", "one", 1));
      await mustBeLocked(run);
      await store.write(put("b", "two", 2));
      await store.mustHold([put("a", "one", 1), put("b", "two", 2)], "after a second owner was refused");
    },
  },
  {
    name: "closing a refused adapter doesn't open the door to a third",
    requires: needsLock,
    body: async (run) => {
      const store = await run.open();
      for (let round = 0; round < 3; round += 1) await mustBeLocked(run);
      await store.write(put("a", "one", 1));
    },
  },
  {
    name: "a refused adapter opens once the owner has closed",
    requires: needsLock,
    body: async (run) => {
      const owner = await run.open();
      await owner.write(put("a", "one", 1));
      const adapter = await run.fixture.adapter();
      const refused = await run.outcome(() => run.openAdapter(adapter), "an opening beside an owner");
      assert.equal(refused.ok, false, "an opening beside an owner was expected to reject");
      await run.close(owner);
      const store = await run.openAdapter(adapter);
      await store.mustHold([put("a", "one", 1)], "what the former owner left");
    },
  },
  {
    name: "of two openings at once one wins",
    requires: needsLock,
    body: async (run) => {
      const adapters = [await run.fixture.adapter(), await run.fixture.adapter()];
      assert.equal(await winnersOf(run, adapters), 1, "how many of two openings at once succeeded");
    },
  },
];

/** Opens a second adapter beside `first`, and expects that one to be told so by its next write. */
async function mustBeFenced(run: ConformanceRun, first: OpenStore): Promise<void> {
  await first.write(put("a", "one", 1));
  const second = await run.open();
  const outcome = await run.outcome(() => first.send([put("b", "stale", 2)]), "a write of a former owner");
  assert.equal(outcome.ok, false, "a write of a former owner was expected to reject");
  if (!outcome.ok) assert.equal(codeOf(outcome.error), "LEAKDB_FENCED", "the code of its error");
  await run.turns();
  await second.mustHold([put("a", "one", 1)], "what the new owner sees");
}

const fences: readonly CaseDefinition[] = [
  {
    name: "a second owner takes over, and the first is fenced: its writes fail and never land",
    requires: needsFence,
    body: async (run) => mustBeFenced(run, await run.open()),
  },
  {
    name: "closing a fenced adapter leaves the new owner alone",
    requires: needsFence,
    body: async (run) => {
      const first = await run.open();
      const second = await run.open();
      await run.close(first);
      await second.write(put("a", "one", 1));
      await second.mustHold([put("a", "one", 1)], "after the former owner has closed");
    },
  },
];

async function winnersOf(run: ConformanceRun, adapters: readonly Adapter[]): Promise<number> {
  const openings = adapters.map((adapter) =>
    run.outcome(() => run.openAdapter(adapter), "one of two openings"),
  );
  return (await Promise.all(openings)).filter(({ ok }) => ok).length;
}

const otherProcesses: readonly CaseDefinition[] = [
  {
    name: "an owner in another process keeps this one out while it lives",
    requires: needsLockAndProcess,
    body: async (run) => {
      const there = await run.openInProcess();
      await there.write(put("a", "one", 1));
      await mustBeLocked(run);
      await there.write(put("b", "two", 2));
      await run.close(there);
      const here = await run.open();
      await here.mustHold([put("a", "one", 1), put("b", "two", 2)], "what the owner in another process left");
    },
  },
  {
    name: "an owner here keeps another process out",
    requires: needsLockAndProcess,
    body: async (run) => {
      const here = await run.open();
      await mustBeLocked(run, await run.otherProcess());
      await here.write(put("a", "one", 1));
      await here.mustHold([put("a", "one", 1)], "after another process was refused");
    },
  },
  {
    name: "of two openings at once in two processes one wins",
    requires: needsLockAndProcess,
    body: async (run) => {
      const adapters = [await run.otherProcess(), await run.otherProcess()];
      assert.equal(await winnersOf(run, adapters), 1, "how many of two openings in two processes succeeded");
    },
  },
  {
    name: "a kill -9 of the owner lets the next one in, with all that was acknowledged",
    requires: needsProcess,
    body: async (run) => {
      const puts = [put("a", "one", 1), put("b", "two", 2)];
      const first = await run.openInProcess();
      await first.write(...puts);
      await run.killProcess(first);
      const second = await run.openInProcess();
      await second.mustHold(puts, "after a kill -9, in another process");
      await run.killProcess(second);
      const here = await run.open();
      await here.mustHold(puts, "after a second kill -9, here");
    },
  },
  {
    name: "a former owner in another process is fenced: its writes fail and never land",
    requires: needsFenceAndProcess,
    body: async (run) => mustBeFenced(run, await run.openInProcess()),
  },
];

export const ownership: CaseGroup = {
  group: "ownership",
  cases: [
    ...locks,
    ...fences,
    ...otherProcesses,
    {
      name: "owners of different backends don't meet",
      body: async (run) => {
        const store = await run.open();
        const other = await run.open(await run.createAnother());
        await Promise.all([store.write(put("a", "one", 1)), other.write(put("a", "two", 2))]);
        await store.mustHold([put("a", "one", 1)], "the first backend");
        await other.mustHold([put("a", "two", 2)], "the second backend");
      },
    },
  ],
};
