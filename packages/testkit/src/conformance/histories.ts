/**
 * Conformance: histories. Whatever an owner does in whatever order, the backend holds what the {@link Model} holds,
 * after each step. fast-check draws the histories, and shows the shortest that fails with its seed.
 */

import assert from "node:assert/strict";
import { failureKind, type Mutation } from "@leakdb/core/adapter";
import fc from "fast-check";
import { compareUtf8 } from "../utf8-order.js";
import type { CaseDefinition, CaseGroup } from "./conformance-case.js";
import type { ConformanceRun } from "./conformance-run.js";
import { forAll } from "./for-all.js";
import { histories as drawHistories, type History, KEYS, PREFIXES, type Step } from "./history.js";
import { Model } from "./model.js";
import { put } from "./mutations.js";
import type { OpenStore, ScanRange } from "./open-store.js";
import { assertLines, describeKey } from "./records.js";
import { needsKill } from "./requirements.js";

/** Lives one history on a backend, and compares it with the model after each step. */
class Life {
  readonly #run: ConformanceRun;
  readonly #model = new Model();
  readonly #nowMs: number;
  #store: OpenStore;

  private constructor(run: ConformanceRun, store: OpenStore) {
    this.#run = run;
    this.#store = store;
    this.#nowMs = run.now();
  }

  static async live(run: ConformanceRun, history: History): Promise<void> {
    const life = new Life(run, await run.open());
    for (const [index, step] of history.steps.entries()) {
      await life.#step(step);
      await life.#store.mustAgree(life.#model.records, life.#nowMs, `after step ${index + 1}`);
    }
    await life.#restart(() => run.close(life.#store));
    await life.#store.mustAgree(life.#model.records, life.#nowMs, "after the last reopening");
  }

  async #step(step: Step): Promise<void> {
    switch (step.does) {
      case "write":
        return this.#write(step.batch);
      case "write twice":
        await this.#write(step.batch);
        return this.#write(step.batch);
      case "write and abort":
        await this.#writeAndAbort(step.batch, step.turns);
        return this.#write(step.batch);
      case "write and die":
        await this.#writeAndDie(step.batch);
        return this.#write(step.batch);
      case "sync":
        return this.#run.settles(this.#store.adapter.sync(), "a sync");
      case "reopen":
        return this.#restart(() => this.#run.close(this.#store));
      case "die":
        return this.#restart(() => this.#run.kill(this.#store));
    }
  }

  async #write(batch: readonly Mutation[]): Promise<void> {
    await this.#run.settles(this.#store.write(...batch), "a write");
    this.#model.apply(batch);
  }

  async #writeAndAbort(batch: readonly Mutation[], turns: number): Promise<void> {
    const controller = new AbortController();
    if (turns === 0) controller.abort(new Error("given up"));
    const writing = this.#run.outcome(() => this.#store.send(batch, controller.signal), "an aborted write");
    await this.#run.turns(turns);
    controller.abort(new Error("given up"));
    const outcome = await writing;
    if (outcome.ok) return;
    const kind = failureKind(outcome.error);
    assert.notEqual(kind, "permanent", "the kind of an aborted write's error");
    if (kind === "ambiguous") await this.#restart(() => this.#run.close(this.#store));
  }

  /** An atomic batch is there whole or not at all; any other is made whole by sending it again. */
  async #writeAndDie(batch: readonly Mutation[]): Promise<void> {
    this.#store.send(batch).catch(() => undefined);
    await this.#restart(() => this.#run.kill(this.#store));
    if (!this.#store.adapter.capabilities.atomicBatch) return;
    const nothing = this.#model.records;
    const after = new Model(nothing);
    after.apply(batch);
    const isThere = await this.#store.agrees(after.records, this.#nowMs);
    if (!isThere) await this.#store.mustAgree(nothing, this.#nowMs, "after a death in the middle of a write");
  }

  async #restart(end: () => Promise<void>): Promise<void> {
    await end();
    const { storeId } = this.#store.state;
    this.#store = await this.#run.open();
    this.#store.mustHaveSeen(this.#model.highVersion);
    assert.equal(this.#store.state.storeId, storeId, "storeId after a reopening");
  }
}

function historyCase(
  name: string,
  also: readonly Step["does"][],
  options: { readonly expires?: boolean; readonly requires?: CaseDefinition["requires"] } = {},
): CaseDefinition {
  const { expires = false, requires } = options;
  return {
    name,
    ...(requires === undefined ? {} : { requires }),
    body: async (run) => {
      const nowMs = expires ? run.now() : undefined;
      await forAll(run, drawHistories({ also, nowMs }), (fresh, history) => Life.live(fresh, history));
    },
  };
}

interface Ranges {
  readonly keys: readonly string[];
  readonly ranges: readonly ScanRange[];
}

const keys = fc.oneof(
  fc.constantFrom(...KEYS),
  fc.string({
    unit: fc.constantFrom(
      ..."\0,\u0001,a,b,A,1,%,_,*,/, ,\u00e9,e\u0301,\uffff,\uff5e,\u{1f600},\u{10ffff}".split(","),
    ),
    minLength: 1,
    maxLength: 5,
  }),
);

const ranges: fc.Arbitrary<Ranges> = fc.record({
  keys: fc.uniqueArray(keys, { maxLength: 40 }),
  ranges: fc.array(
    fc.record({ prefix: fc.oneof(fc.constantFrom(...PREFIXES), keys), after: keys }, { requiredKeys: [] }),
    { minLength: 1, maxLength: 8 },
  ),
});

async function mustScanAll(run: ConformanceRun, drawn: Ranges): Promise<void> {
  const store = await run.open();
  await store.write(...drawn.keys.map((key, index) => put(key, key, index + 1)));
  const { ordered } = store.adapter.capabilities;
  for (const range of drawn.ranges) {
    const { prefix = "", after } = range;
    const expected = drawn.keys
      .filter((key) => key.startsWith(prefix) && (after === undefined || compareUtf8(key, after) > 0))
      .sort(compareUtf8);
    const scanned = await store.scanKeys(range);
    const actual = ordered ? scanned : scanned.sort(compareUtf8);
    assertLines(actual.map(describeKey), expected.map(describeKey), `a scan of ${JSON.stringify(range)}`);
  }
}

export const histories: CaseGroup = {
  group: "histories",
  cases: [
    historyCase("any history of puts, deletes, clears and reopenings leaves what the contract says", [
      "sync",
    ]),
    historyCase("any history with expiries loses no live record and shifts none", ["write twice"], {
      expires: true,
    }),
    historyCase("any history of batches sent twice or aborted leaves what one sending leaves", [
      "write twice",
      "write and abort",
    ]),
    historyCase(
      "any history with deaths keeps what was acknowledged, and atomic batches whole",
      ["die", "write and die", "sync"],
      { requires: needsKill },
    ),
    {
      name: "any range of any keys scans those keys, each once",
      body: (run) => forAll(run, ranges, mustScanAll),
    },
  ],
};
