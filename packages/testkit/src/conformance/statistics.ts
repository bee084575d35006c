/**
 * Conformance: statistics. The name and the sizes an adapter tells stand in `stats()`, `toString()` and errors.
 */

import assert from "node:assert/strict";
import type { CaseGroup } from "./conformance-case.js";
import { clear, numberedPuts, put } from "./mutations.js";
import { assertBytes } from "./open-store.js";

export const statistics: CaseGroup = {
  group: "statistics",
  cases: [
    {
      name: "the name is one short readable line, before open and after",
      body: async (run) => {
        const { name } = await run.fixture.adapter();
        assert.equal(typeof name, "string", "name must be a string");
        assert.match(name, /^[^\p{Cc}]{1,200}$/u, "name must be one line of 1 to 200 characters");
        const store = await run.open();
        assert.equal(store.adapter.name, name, "name after open");
      },
    },
    {
      name: "reads, syncs and a close change neither the name nor the capabilities",
      body: async (run) => {
        const store = await run.open();
        const { name, capabilities } = store.adapter;
        const before = structuredClone(capabilities);
        await store.write(put("a", "one", 1));
        await store.mustHold([put("a", "one", 1)], "after a put");
        await run.settles(store.adapter.sync(), "a sync");
        await run.close(store);
        assert.equal(store.adapter.name, name, "name after a close");
        assert.deepEqual(store.adapter.capabilities, before, "capabilities after a close");
      },
    },
    {
      name: "the size is an integer from 0 after every batch and at every opening",
      body: async (run) => {
        let store = await run.open();
        const batches = [[], [put("a", "one", 1)], numberedPuts(1_000), [clear("", Number.MAX_SAFE_INTEGER)]];
        for (const batch of batches) {
          const { bytes } = await store.send(batch);
          assertBytes(bytes, `what a batch of ${batch.length} answers`);
          store = await run.reopen(store);
          assertBytes(store.state.bytes, "what open answers");
        }
      },
    },
  ],
};
