/** An adapter's author in strict TypeScript: the kit's types fit `node:test`, a harness, and the doubles fit core. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { PersistentQueueStorage } from "@leakdb/core";
import type { Adapter } from "@leakdb/core/adapter";
import {
  type ConformanceCase,
  type ConformanceHarness,
  conformanceCases,
  type Fixture,
  faultyAdapter,
  ManualClock,
  ReferenceBackend,
  recordingAdapter,
  referenceAdapter,
} from "@leakdb/testkit";

function customAdapter(backend: ReferenceBackend): Adapter {
  return referenceAdapter({ name: "custom", backend });
}

const harness: ConformanceHarness = {
  name: "custom",
  seed: 7,
  create(): Fixture {
    const backend = new ReferenceBackend();
    return { adapter: () => customAdapter(backend), dispose: () => undefined };
  },
};

const cases: ConformanceCase[] = conformanceCases(harness);
for (const one of cases) if (one.group === "histories") test(one.name, one.run);

test("the doubles stand between core and an adapter", async () => {
  const faulty = faultyAdapter(customAdapter(new ReferenceBackend()), { clock: new ManualClock() });
  const adapter = recordingAdapter(faulty);
  const storage = await PersistentQueueStorage.open<number>({ adapter });
  storage.set("a", 1);
  await storage.close();
  assert.equal(adapter.batches.length, 1);
  assert.deepEqual(adapter.brokenPromises, []);
});
