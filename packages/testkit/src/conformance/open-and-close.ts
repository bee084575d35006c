/**
 * Conformance: opening and closing. What `open` answers, and that an adapter can be opened, closed and opened again.
 */

import assert from "node:assert/strict";
import type { CaseGroup } from "./conformance-case.js";
import { leaks } from "./leaks.js";
import { put } from "./mutations.js";
import { assertBytes } from "./open-store.js";

export const openAndClose: CaseGroup = {
  group: "open and close",
  cases: [
    {
      name: "a new backend opens empty, with high version 0 and a store id",
      body: async (run) => {
        const store = await run.open();
        assert.equal(store.state.highVersion, 0, "highVersion of a new backend");
        assert.equal(typeof store.state.storeId, "string", "storeId must be a string");
        assert.notEqual(store.state.storeId, "", "storeId must not be empty");
        assertBytes(store.state.bytes, "what open answers");
        await store.mustHold([], "a new backend");
      },
    },
    {
      name: "the capabilities keep the contract's types and are the same before open and after",
      body: async (run) => {
        const before = await run.capabilities();
        const { adapter } = await run.open();
        assert.deepEqual(adapter.capabilities, before, "capabilities after open");
        const { atomicBatch, ordered, lanesMax, levels, maxKeyBytes, maxValueBytes } = before;
        assert.equal(typeof atomicBatch, "boolean", "atomicBatch");
        assert.equal(typeof ordered, "boolean", "ordered");
        assert.ok(Number.isSafeInteger(lanesMax) && lanesMax >= 1, "lanesMax must be an integer from 1");
        assert.ok(levels.includes("stored"), "levels must contain stored");
        const unknown = levels.filter((level) => level !== "stored" && level !== "synced");
        assert.deepEqual(unknown, [], "levels other than stored and synced");
        assert.ok(maxKeyBytes > 0, "maxKeyBytes must be above 0");
        assert.ok(maxValueBytes > 0, "maxValueBytes must be above 0");
      },
    },
    {
      name: "opening and closing alone change nothing",
      body: async (run) => {
        const first = await run.open();
        await first.write(put("a", "one", 5));
        let store = await run.reopen(first);
        for (let round = 0; round < 3; round += 1) store = await run.reopen(store);
        store.mustHaveSeen(5);
        await store.mustHold([put("a", "one", 5)], "after three openings without a write");
      },
    },
    {
      name: "a fresh adapter finds what another one has stored and closed",
      body: async (run) => {
        const first = await run.open();
        const expected = [put("a", "one", 1), put("b", "two", 2, run.now() + 3_600_000)];
        await first.write(...expected);
        const second = await run.reopen(first);
        await second.mustHold(expected, "after a reopening");
      },
    },
    {
      name: "the same adapter opens again after it was closed",
      body: async (run) => {
        const first = await run.open();
        await first.write(put("a", "one", 1));
        await run.close(first);
        const second = await run.openAdapter(first.adapter);
        assert.equal(second.state.storeId, first.state.storeId, "storeId of the second opening");
        await second.write(put("b", "two", 2));
        await second.mustHold([put("a", "one", 1), put("b", "two", 2)], "after the second opening");
      },
    },
    {
      name: "the store id stays over reopenings",
      body: async (run) => {
        const first = await run.open();
        const second = await run.reopen(first);
        await second.write(put("a", "one", 1));
        const third = await run.reopen(second);
        assert.equal(second.state.storeId, first.state.storeId, "storeId after one reopening");
        assert.equal(third.state.storeId, first.state.storeId, "storeId after a write and another reopening");
      },
    },
    {
      name: "two backends have different store ids and hold nothing of each other",
      body: async (run) => {
        const store = await run.open();
        const other = await run.open(await run.createAnother());
        assert.notEqual(other.state.storeId, store.state.storeId, "the store ids of two backends");
        await store.write(put("a", "one", 1));
        await other.write(put("b", "two", 2));
        await store.mustHold([put("a", "one", 1)], "the first backend");
        await other.mustHold([put("b", "two", 2)], "the second backend");
      },
    },
    {
      name: "a second close resolves too",
      body: async (run) => {
        const store = await run.open();
        await run.close(store);
        await run.settles(store.close(), "a second close");
      },
    },
    {
      name: "two closes at once both resolve",
      body: async (run) => {
        const store = await run.open();
        await run.settles(Promise.all([store.close(), store.close()]), "two closes at once");
      },
    },
    {
      name: "a write after close rejects and stores nothing",
      body: async (run) => {
        const store = await run.open();
        await store.write(put("a", "one", 1));
        await run.close(store);
        const late = await run.outcome(() => store.send([put("b", "late", 2)]), "a write after close");
        assert.equal(late.ok, false, "a write after close was expected to reject");
        const next = await run.open();
        await next.mustHold([put("a", "one", 1)], "after a write that came after close");
      },
    },
    {
      name: "a load, a scan and a sync after close reject",
      body: async (run) => {
        const store = await run.open();
        await store.write(put("a", "one", 1));
        await run.close(store);
        const calls = {
          load: () => store.load("a"),
          scan: () => store.scan(),
          sync: () => store.adapter.sync(),
        };
        for (const [name, call] of Object.entries<() => Promise<unknown>>(calls)) {
          const { ok } = await run.outcome(call, `a ${name} after close`);
          assert.equal(ok, false, `a ${name} after close was expected to reject`);
        }
      },
    },
    {
      name: "a close before any opening resolves, and leaves an owner alone",
      body: async (run) => {
        const adapter = await run.fixture.adapter();
        await run.settles(adapter.close(), "a close before any opening");
        const store = await run.openAdapter(adapter);
        const another = await run.fixture.adapter();
        await run.settles(another.close(), "a close of an adapter that was never opened");
        await store.write(put("a", "one", 1));
        await store.mustHold([put("a", "one", 1)], "after another adapter was closed");
      },
    },
    {
      name: "an adapter whose opening was given up opens when it is asked again",
      body: async (run) => {
        const adapter = await run.fixture.adapter();
        const aborted = AbortSignal.abort(new Error("given up"));
        const opening = await run.outcome(() => run.openAdapter(adapter, aborted), "an aborted opening");
        if (opening.ok) await run.close(opening.value);
        else await run.settles(adapter.close(), "a close after an aborted opening");
        const store = await run.openAdapter(adapter);
        await store.write(put("a", "one", 1));
        await store.mustHold([put("a", "one", 1)], "after the second opening");
      },
    },
    {
      name: "an opening that is already aborted settles and, if refused, holds nothing back",
      body: async (run) => {
        const adapter = await run.fixture.adapter();
        const aborted = AbortSignal.abort(new Error("given up"));
        const opening = await run.outcome(() => run.openAdapter(adapter, aborted), "an aborted opening");
        if (opening.ok) await run.close(opening.value);
        const store = await run.open();
        await store.write(put("a", "one", 1));
      },
    },
    {
      name: "an opening that is aborted midway settles and, if refused, holds nothing back",
      body: async (run) => {
        const adapter = await run.fixture.adapter();
        const abort = new AbortController();
        const opening = run.outcome(() => run.openAdapter(adapter, abort.signal), "an aborted opening");
        abort.abort(new Error("given up"));
        const outcome = await opening;
        if (outcome.ok) await run.close(outcome.value);
        const store = await run.open();
        await store.write(put("a", "one", 1));
      },
    },
    ...leaks,
  ],
};
