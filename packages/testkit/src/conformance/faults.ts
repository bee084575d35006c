/**
 * Conformance: faults. While the backend is away nothing hangs or claims success; when it is back, everything that
 * was acknowledged is there and work goes on.
 */

import assert from "node:assert/strict";
import { failureKind } from "@leakdb/core/adapter";
import type { CaseGroup, Fixture } from "./conformance-case.js";
import { during, failingWrites } from "./failing-writes.js";
import { numberedPuts, put, remove } from "./mutations.js";
import { needsBackgroundFailure, needsOutage } from "./requirements.js";

/** Does `body` while the backend is away. */
function whileAway(fixture: Fixture, body: () => Promise<void>): Promise<void> {
  return during(fixture.outage, body);
}

export const faults: CaseGroup = {
  group: "faults",
  cases: [
    {
      name: "a healthy run reports nothing from the background",
      body: async (run) => {
        const first = await run.open();
        await first.write(put("a", "one", 1));
        await first.write(remove("a", 2));
        await run.reopen(first);
        await run.turns();
        assert.deepEqual(run.reported, [], "errors reported by a healthy adapter");
      },
    },
    {
      name: "a failure that no call waits for is reported, and leaves what was acknowledged",
      requires: needsBackgroundFailure,
      body: async (run) => {
        const first = await run.open();
        await first.write(put("a", "one", 1));
        await run.fixture.failInBackground?.(first.adapter);
        await run.until(() => run.reported.length > 0, "a failure that no call waits for was to be reported");
        for (const error of run.reported)
          assert.ok(error instanceof Error, "what is reported must be an Error");
        await run.outcome(() => run.close(first), "a close after a failure");
        const second = await run.open();
        await second.mustHold([put("a", "one", 1)], "after a failure that no call waited for");
      },
    },
    {
      name: "a write while the backend is away fails, and not for good",
      requires: needsOutage,
      body: async (run) => {
        const store = await run.open();
        await whileAway(run.fixture, async () => {
          const signal = AbortSignal.timeout(2_000);
          const outcome = await run.outcome(
            () => store.send([put("a", "one", 1)], signal),
            "a write in an outage",
          );
          assert.equal(outcome.ok, false, "a write in an outage was expected to reject");
          if (!outcome.ok) assert.notEqual(failureKind(outcome.error), "permanent", "the kind of its error");
        });
      },
    },
    {
      name: "a load and a sync while the backend is away settle",
      requires: needsOutage,
      body: async (run) => {
        const store = await run.open();
        await store.write(put("a", "one", 1));
        await whileAway(run.fixture, async () => {
          await run.outcome(() => store.load("a"), "a load in an outage");
          await run.outcome(() => store.adapter.sync(), "a sync in an outage");
        });
      },
    },
    {
      name: "a load while the backend is away answers truly or rejects, and never with a miss",
      requires: needsOutage,
      body: async (run) => {
        const store = await run.open();
        const puts = numberedPuts(50);
        await store.write(...puts);
        await whileAway(run.fixture, async () => {
          const keys = puts.map(({ key }) => key);
          const outcome = await run.outcome(() => store.load(...keys), "a load in an outage");
          if (!outcome.ok) return;
          const misses = outcome.value.filter((record) => record === undefined).length;
          assert.equal(misses, 0, "stored keys that a load in an outage answered with a miss");
        });
      },
    },
    {
      name: "a scan while the backend is away yields everything or rejects, and never ends early",
      requires: needsOutage,
      body: async (run) => {
        const store = await run.open();
        const puts = numberedPuts(1_000);
        await store.send(puts);
        await whileAway(run.fixture, async () => {
          const outcome = await run.outcome(() => store.scan(), "a scan in an outage");
          if (outcome.ok) assert.equal(outcome.value.length, puts.length, "records of a scan in an outage");
        });
      },
    },
    {
      name: "a write that failed as transient in an outage can be sent again when it is over",
      requires: needsOutage,
      body: async (run) => {
        const store = await run.open();
        const batch = [put("a", "one", 1), put("b", "two", 2)];
        let mustReopen = false;
        await whileAway(run.fixture, async () => {
          const signal = AbortSignal.timeout(2_000);
          const outcome = await run.outcome(() => store.send(batch, signal), "a write in an outage");
          mustReopen = !outcome.ok && failureKind(outcome.error) !== "transient";
        });
        const after = mustReopen ? await run.reopen(store) : store;
        await after.write(...batch);
        await after.mustHold(batch, "after a write that an outage had failed was sent again");
      },
    },
    {
      name: "a write that is aborted while the backend is away settles",
      requires: needsOutage,
      body: async (run) => {
        const store = await run.open();
        await whileAway(run.fixture, async () => {
          const controller = new AbortController();
          const writing = run.outcome(() => store.send([put("a", "one", 1)], controller.signal), "the write");
          await run.turns(2);
          controller.abort(new Error("given up"));
          const outcome = await writing;
          assert.equal(outcome.ok, false, "a write in an outage was expected to reject");
        });
      },
    },
    {
      name: "an opening while the backend is away never shows another, empty one",
      requires: needsOutage,
      body: async (run) => {
        const first = await run.open();
        await first.write(put("a", "one", 1));
        await run.close(first);
        await whileAway(run.fixture, async () => {
          const adapter = await run.fixture.adapter();
          const signal = AbortSignal.timeout(2_000);
          const opening = await run.outcome(
            () => run.openAdapter(adapter, signal),
            "an opening in an outage",
          );
          if (!opening.ok) return void (await run.outcome(() => adapter.close(), "a close after it"));
          assert.equal(
            opening.value.state.storeId,
            first.state.storeId,
            "storeId of an opening in an outage",
          );
          const loading = await run.outcome(() => opening.value.load("a"), "a load in an outage");
          if (loading.ok) assert.notEqual(loading.value[0], undefined, "a stored key, loaded in an outage");
          await run.outcome(() => run.close(opening.value), "a close in an outage");
        });
        const second = await run.open();
        assert.equal(second.state.storeId, first.state.storeId, "storeId after the outage");
        await second.mustHold([put("a", "one", 1)], "after the outage");
      },
    },
    {
      name: "an opening while the backend is away settles, and works when it is back",
      requires: needsOutage,
      body: async (run) => {
        await whileAway(run.fixture, async () => {
          const adapter = await run.fixture.adapter();
          const signal = AbortSignal.timeout(2_000);
          const outcome = await run.outcome(
            () => run.openAdapter(adapter, signal),
            "an opening in an outage",
          );
          if (!outcome.ok) assert.notEqual(failureKind(outcome.error), "permanent", "the kind of its error");
          await run.outcome(() => adapter.close(), "a close after an opening in an outage");
        });
        const store = await run.open();
        await store.write(put("a", "one", 1));
        await store.mustHold([put("a", "one", 1)], "after an outage");
      },
    },
    {
      name: "a close while the backend is away settles",
      requires: needsOutage,
      body: async (run) => {
        const store = await run.open();
        await whileAway(run.fixture, async () => {
          await run.outcome(() => run.close(store), "a close in an outage");
        });
      },
    },
    {
      name: "after an outage, closed and opened again, it holds what was acknowledged and takes the rest",
      requires: needsOutage,
      body: async (run) => {
        const first = await run.open();
        const before = numberedPuts(200);
        const rest = numberedPuts(200, before.at(-1)?.version, "rest-");
        await first.send(before);
        await whileAway(run.fixture, async () => {
          const signal = AbortSignal.timeout(2_000);
          await run.outcome(() => first.send(rest, signal), "a write in an outage");
        });
        await run.outcome(() => run.close(first), "a close after an outage");
        const second = await run.open();
        await second.mustLoad(before, "what was acknowledged before the outage");
        await second.send(rest);
        await second.mustHold([...before, ...rest], "after the rest was sent again");
      },
    },
    ...failingWrites,
  ],
};
