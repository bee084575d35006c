/**
 * Conformance: writes that the backend fails, as a full disk does, part of the group faults. What they say of the outcome
 * is true, nothing is half there, and work goes on when the backend can write again.
 */

import assert from "node:assert/strict";
import { failureKind } from "@leakdb/core/adapter";
import type { CaseDefinition, Outage } from "./conformance-case.js";
import type { ConformanceRun, Outcome } from "./conformance-run.js";
import { numberedPuts } from "./mutations.js";
import type { OpenStore } from "./open-store.js";
import { needsAtomicBatchAndFailingWrites, needsFailingWrites } from "./requirements.js";
import { mustBeBetween, mustBeWhole, type Wave, Waves } from "./waves.js";

/** The first may find room that is left; the last are 4 and 8 MiB. */
const SIZES = [1, 30, 1_000, 2_000];
const VALUE_BYTES = 4_000;

/** Does `body` between the beginning and the end of an outage. */
export async function during<T>(outage: Outage | undefined, body: () => Promise<T>): Promise<T> {
  await outage?.begin();
  try {
    return await body();
  } finally {
    await outage?.end();
  }
}

type Judge = (store: OpenStore, wave: Wave, what: string) => Promise<void>;

async function failWrites(run: ConformanceRun, judge: Judge): Promise<void> {
  const waves = new Waves();
  let store = await run.open();
  await store.write(...waves.next(100).batch);
  let failures = 0;
  for (const size of SIZES) {
    const wave = waves.next(size, VALUE_BYTES);
    const outcome = await during(run.fixture.failWrites, () =>
      run.outcome(() => store.send(wave.batch), "a write that the backend fails"),
    );
    if (!outcome.ok) {
      failures += 1;
      store = await recover(run, store, wave, outcome, judge);
      await store.write(...wave.batch);
    }
    await store.mustScan({}, wave.after, "after the backend could write again");
  }
  assert.ok(
    failures > 0,
    "fixture.failWrites made no write fail, not even of 8 MiB: the case has tried nothing",
  );
}

/** Judges what a failed write has left, and answers a store that can be written to. */
async function recover(
  run: ConformanceRun,
  store: OpenStore,
  wave: Wave,
  failed: Outcome<unknown> & { ok: false },
  judge: Judge,
): Promise<OpenStore> {
  const kind = failureKind(failed.error);
  const what = `after a write of ${wave.batch.length} that failed as ${kind}`;
  assert.notEqual(kind, "permanent", `the kind of a failure that passes: ${failed.error.message}`);
  if (kind === "transient") await store.mustScan({}, wave.before, what);
  const next = kind === "transient" ? store : await run.reopen(store);
  await judge(next, wave, what);
  return next;
}

export const failingWrites: readonly CaseDefinition[] = [
  {
    name: "a write that the backend fails says truly what was applied, and can be sent again",
    requires: needsFailingWrites,
    body: (run) => failWrites(run, mustBeBetween),
  },
  {
    name: "a write that the backend fails leaves all of the batch or nothing",
    requires: needsAtomicBatchAndFailingWrites,
    body: (run) => failWrites(run, mustBeWhole),
  },
  {
    name: "a load while writes fail answers truly or rejects, and never with a miss",
    requires: needsFailingWrites,
    body: async (run) => {
      const store = await run.open();
      const puts = numberedPuts(50);
      await store.write(...puts);
      await during(run.fixture.failWrites, async () => {
        const large = new Waves().next(SIZES.at(-1) ?? 0, VALUE_BYTES).batch;
        await run.outcome(() => store.send(large), "a write that the backend fails");
        const loading = await run.outcome(() => store.load(...puts.map(({ key }) => key)), "a load");
        if (loading.ok) await store.mustLoad(puts, "while writes fail");
      });
    },
  },
  {
    name: "a close and an opening while writes fail settle, and lose nothing acknowledged",
    requires: needsFailingWrites,
    body: async (run) => {
      const first = await run.open();
      const puts = numberedPuts(500);
      await first.write(...puts);
      await during(run.fixture.failWrites, async () => {
        await run.outcome(() => run.close(first), "a close while writes fail");
        const adapter = await run.fixture.adapter();
        const opening = await run.outcome(() => run.openAdapter(adapter), "an opening while writes fail");
        if (opening.ok) await run.outcome(() => run.close(opening.value), "a second close");
        else await run.outcome(() => adapter.close(), "a close after an opening that failed");
      });
      const second = await run.open();
      await second.mustHold(puts, "after the backend could write again");
    },
  },
];
