/**
 * Conformance: aborting. A call whose signal is aborted settles, one way or the other; what it says of the outcome is
 * true, and nothing of it lands once the adapter is closed.
 */

import assert from "node:assert/strict";
import { failureKind } from "@leakdb/core/adapter";
import type { CaseGroup } from "./conformance-case.js";
import type { ConformanceRun } from "./conformance-run.js";
import { numberedPuts, put } from "./mutations.js";
import type { OpenStore } from "./open-store.js";
import { assertLines, describeRecord } from "./records.js";
import { needsAtomicBatch, needsTwoLanes } from "./requirements.js";
import { mustBeBetween, mustBeWhole, type Wave, Waves } from "./waves.js";

type Judge = (store: OpenStore, wave: Wave, what: string) => Promise<void>;

/**
 * Aborts writes in their middle, and judges what each has left: all where it resolved, nothing where it said transient,
 * and after a reopening what `judge` allows where it said ambiguous.
 */
async function abortInTheMiddle(run: ConformanceRun, judge: Judge): Promise<void> {
  const waves = new Waves();
  let store = await run.open();
  const moments = await run.moments((size) => store.write(...waves.next(size).batch));
  await moments.each("aborts", async (moment) => {
    const wave = waves.next(moments.size);
    const controller = new AbortController();
    const { signal } = controller;
    const { writing } = await moment.reach(() => store.adapter.write(wave.batch, { signal }));
    controller.abort(new Error("given up"));
    const outcome = await run.outcome(() => writing, "a write that was aborted in its middle");
    const where = `after an abort at ${moment.text} of a write`;
    if (outcome.ok) return store.mustScan({}, wave.after, `${where} that resolved`);
    const kind = failureKind(outcome.error);
    assert.notEqual(kind, "permanent", "the kind of an aborted write's error");
    await run.turns();
    if (kind === "transient") await store.mustScan({}, wave.before, `${where} that said transient`);
    else store = await run.reopen(store);
    await judge(store, wave, `${where} that said ${kind}`);
    await store.write(...wave.batch);
    await store.mustScan({}, wave.after, "after the aborted write was sent again");
  });
}

export const abort: CaseGroup = {
  group: "abort",
  cases: [
    {
      name: "a write that is already aborted settles, and says truly whether it was stored",
      body: async (run) => {
        const store = await run.open();
        const signal = AbortSignal.abort(new Error("given up"));
        const outcome = await run.outcome(() => store.send([put("a", "one", 1)], signal), "an aborted write");
        if (outcome.ok) return store.mustHold([put("a", "one", 1)], "after an aborted write that resolved");
        const kind = failureKind(outcome.error);
        assert.notEqual(kind, "permanent", "the kind of an aborted write's error");
      },
    },
    {
      name: "an aborted write that rejects as transient can be sent again at once",
      body: async (run) => {
        const store = await run.open();
        const batches = [numberedPuts(1), numberedPuts(500, 1, "many-")];
        for (const [index, batch] of batches.entries()) {
          const controller = new AbortController();
          if (index === 0) controller.abort(new Error("given up"));
          const writing = run.outcome(() => store.send(batch, controller.signal), "an aborted write");
          controller.abort(new Error("given up"));
          const outcome = await writing;
          if (!outcome.ok && failureKind(outcome.error) === "ambiguous") return;
          await store.write(...batch);
          await store.mustLoad(batch, "after an aborted write was sent again");
        }
      },
    },
    {
      name: "a write that is aborted under way settles, and can be sent again after a reopening",
      body: async (run) => {
        const first = await run.open();
        const batch = numberedPuts(2_000);
        const controller = new AbortController();
        const writing = run.outcome(() => first.send(batch, controller.signal), "a write aborted under way");
        controller.abort(new Error("given up"));
        const outcome = await writing;
        if (outcome.ok) await first.mustHold(batch, "after an aborted write that resolved");
        const second = await run.reopen(first);
        await second.send(batch);
        await second.mustHold(batch, "after an aborted write was sent again");
      },
    },
    {
      name: "an abort after the write has resolved changes nothing",
      body: async (run) => {
        const store = await run.open();
        const controller = new AbortController();
        await store.send([put("a", "one", 1)], controller.signal);
        controller.abort(new Error("too late"));
        await run.turns();
        await store.write(put("b", "two", 2));
        await store.mustHold([put("a", "one", 1), put("b", "two", 2)], "after a late abort");
      },
    },
    {
      name: "a write that is aborted leaves no mutation in halves",
      body: async (run) => {
        const first = await run.open();
        const old = numberedPuts(500, 1);
        await first.send(old);
        const batch = old.map(({ key }, index) => put(key, `new ${index}`, 10_000 + index));
        const controller = new AbortController();
        const writing = run.outcome(() => first.send(batch, controller.signal), "a write aborted under way");
        await run.turns(1);
        controller.abort(new Error("given up"));
        await writing;
        const second = await run.reopen(first);
        const found = (await second.scan()).map(describeRecord);
        const allowed = new Set([...old, ...batch].map(describeRecord));
        const odd = found.filter((line) => !allowed.has(line));
        assertLines(odd, [], "records that are neither old nor new");
        assert.equal(found.length, old.length, "how many keys are there");
      },
    },
    {
      name: "a write that is aborted in its middle says truly what was applied",
      body: (run) => abortInTheMiddle(run, mustBeBetween),
    },
    {
      name: "an abort in the middle of a write leaves all of the batch or nothing",
      requires: needsAtomicBatch,
      body: (run) => abortInTheMiddle(run, mustBeWhole),
    },
    {
      name: "an abort of one write leaves one beside it alone",
      requires: needsTwoLanes,
      body: async (run) => {
        const store = await run.open();
        const [left, right] = [numberedPuts(500, 1, "left-"), numberedPuts(500, 1_001, "right-")];
        const controller = new AbortController();
        const aborted = run.outcome(() => store.send(left, controller.signal), "the aborted write");
        const beside = store.send(right);
        controller.abort(new Error("given up"));
        await run.settles(beside, "the write beside it");
        await aborted;
        await store.mustLoad(right, "the write beside an aborted one");
      },
    },
    {
      name: "what an aborted write has not stored by the close never lands after it",
      body: async (run) => {
        const first = await run.open();
        const controller = new AbortController();
        const batch = numberedPuts(1_000);
        const writing = run.outcome(() => first.send(batch, controller.signal), "a write aborted under way");
        controller.abort(new Error("given up"));
        const second = await run.reopen(first);
        const before = (await second.scan()).map(describeRecord).length;
        await writing;
        await run.turns();
        const after = (await second.scan()).map(describeRecord).length;
        assert.equal(after, before, "how many records are there a moment after the close");
      },
    },
    {
      name: "reasons that are no errors are as good",
      body: async (run) => {
        const store = await run.open();
        for (const [index, reason] of ["text", null, 0, undefined].entries()) {
          const signal = AbortSignal.abort(reason);
          await run.outcome(
            () => store.send([put("a", "one", index + 1)], signal),
            "a write with an odd reason",
          );
        }
        await store.write(put("b", "two", 9));
        await store.mustLoad([put("b", "two", 9)], "after aborts with odd reasons");
      },
    },
  ],
};
