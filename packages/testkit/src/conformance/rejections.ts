/**
 * Conformance: mutations that the backend refuses for good, part of the group write. Each is named by its index in the
 * batch, and all the others are stored; or the whole batch rejects as permanent, and none is.
 */

import assert from "node:assert/strict";
import { failureKind, type Mutation } from "@leakdb/core/adapter";
import type { CaseDefinition } from "./conformance-case.js";
import type { ConformanceRun } from "./conformance-run.js";
import { onFreshStorage } from "./for-all.js";
import { FIRST_VERSION, type Put, put } from "./mutations.js";
import type { OpenStore } from "./open-store.js";
import { needsRejection } from "./requirements.js";

function refused(run: ConformanceRun, version: number): Mutation {
  const mutation = run.fixture.rejectedMutation?.(version);
  assert.ok(mutation !== undefined, "fixture.rejectedMutation must answer a mutation");
  assert.equal(
    mutation.version,
    version,
    "the version of fixture.rejectedMutation must be the one it is given",
  );
  return mutation;
}

/** Sends the others with the refused one at `index`, and expects them to be all that the store then holds. */
async function mustReject(
  run: ConformanceRun,
  store: OpenStore,
  others: readonly Put[],
  index: number,
): Promise<void> {
  const batch = others.toSpliced(index, 0, refused(run, FIRST_VERSION + 1_000) as Put);
  const before = (await store.scan()).map((record) => ({ type: "put", ...record }) as const);
  const outcome = await run.outcome(() => store.send(batch), "a write with a mutation that is refused");
  if (outcome.ok) {
    const rejected = (outcome.value.rejected ?? []).map((one) => one.index);
    assert.deepEqual(rejected, [index], "the indexes of what was rejected");
  } else {
    const { message } = outcome.error;
    assert.equal(failureKind(outcome.error), "permanent", `the kind of a refusal for good: ${message}`);
    await store.mustScan({}, before, "after a batch that was refused as a whole");
    await store.write(...others);
  }
  await store.mustHold(others, "all but what was rejected");
}

export const rejections: readonly CaseDefinition[] = [
  {
    name: "what is refused for good is rejected by its index, and all the others are stored",
    requires: needsRejection,
    body: async (run) => {
      const others = ["a", "b", "c"].map((key, index) => put(key, `value ${key}`, FIRST_VERSION + index));
      for (const index of [0, 1, 3]) {
        await onFreshStorage(run, async (fresh) => mustReject(fresh, await fresh.open(), others, index));
      }
    },
  },
  {
    name: "what was refused for good is refused again, and hinders nothing after it",
    requires: needsRejection,
    body: async (run) => {
      const store = await run.open();
      const others = [put("a", "one", FIRST_VERSION)];
      for (let sent = 0; sent < 2; sent += 1) await mustReject(run, store, others, 1);
      await store.write(put("b", "two", FIRST_VERSION + 2_000));
      const second = await run.reopen(store);
      await second.mustHold([...others, put("b", "two", FIRST_VERSION + 2_000)], "after a rejection");
    },
  },
];
