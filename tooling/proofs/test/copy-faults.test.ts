/** A copy between adapters that fail: what passes is outlasted, what does not is told of, and nothing is lost. */

import { type CopyOptions, type CopyReport, copy, isLeakDBError } from "@leakdb/core";
import type { Capabilities } from "@leakdb/core/adapter";
import {
  type FaultyAdapter,
  faultyAdapter,
  ManualClock,
  type RecordingAdapter,
  ReferenceBackend,
  recordingAdapter,
  referenceAdapter,
  SeededRandom,
} from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { contents, FIRST_VERSION, fill, numbered } from "../src/copy/backends.js";

const RECORDS = 3_000;
const CALLS_MAX = 60;
const { LEAKDB_SEED } = process.env;
const FIRST_SEED = LEAKDB_SEED === "random" ? Math.floor(Math.random() * 2 ** 31) : Number(LEAKDB_SEED ?? 1);

interface FailingSide {
  readonly backend: ReferenceBackend;
  readonly faulty: FaultyAdapter;
  readonly adapter: RecordingAdapter;
}

function side(
  clock: ManualClock,
  options: { seed?: number; capabilities?: Partial<Capabilities> } = {},
): FailingSide {
  const { seed, capabilities } = options;
  const backend = new ReferenceBackend();
  const faulty = faultyAdapter(referenceAdapter({ backend, capabilities }), { clock, seed });
  return { backend, faulty, adapter: recordingAdapter(faulty) };
}

interface World {
  readonly clock: ManualClock;
  readonly from: FailingSide;
  readonly to: FailingSide;
  /** Copies while time passes. */
  run(options?: CopyOptions): Promise<CopyReport>;
}

async function world(
  fromOptions: Parameters<typeof side>[1] = {},
  toOptions: Parameters<typeof side>[1] = {},
): Promise<World> {
  const clock = new ManualClock();
  const from = side(clock, fromOptions);
  const to = side(clock, toOptions);
  await fill(() => referenceAdapter({ backend: from.backend }), numbered(RECORDS));
  const mark = { type: "delete", key: "newest", version: FIRST_VERSION + RECORDS + 1 } as const;
  await fill(() => referenceAdapter({ backend: from.backend }), [mark]);
  const run = async (options: CopyOptions = {}): Promise<CopyReport> => {
    let isDone = false;
    const copying = copy(from.adapter, to.adapter, { clock, batchMax: 200, ...options }).finally(() => {
      isDone = true;
    });
    copying.catch(() => undefined); // Awaited below.
    while (!isDone) await clock.advanceToNextTimer();
    return copying;
  };
  return { clock, from, to, run };
}

async function expectEqual({ from, to }: World): Promise<void> {
  const stored = await contents(() => referenceAdapter({ backend: to.backend }));
  expect(stored).toEqual(await contents(() => referenceAdapter({ backend: from.backend })));
}

test.each(Array.from({ length: 40 }, (_, index) => FIRST_SEED + index))(
  "with random faults on both sides it arrives in a few calls (LEAKDB_SEED=%i)",
  async (seed) => {
    const random = new SeededRandom(seed);
    const capabilities = (): Partial<Capabilities> => ({
      ordered: random.chance(0.7),
      atomicBatch: random.chance(0.5),
    });
    const made = await world(
      { seed, capabilities: capabilities() },
      { seed: seed + 1_000_000, capabilities: capabilities() },
    );
    const told = `${made.from.faulty} / ${made.to.faulty}`;
    let report: CopyReport | undefined;
    for (let call = 1; report === undefined && call <= CALLS_MAX; call += 1) {
      try {
        report = await made.run();
      } catch (error) {
        const codes = ["LEAKDB_OPEN_FAILED", "LEAKDB_ADAPTER_UNAVAILABLE"];
        if (!isLeakDBError(error) || !codes.includes(error.code)) throw new Error(told, { cause: error });
        expect([made.from.backend.owner, made.to.backend.owner], told).toEqual([undefined, undefined]);
      }
    }
    expect(report, told).toMatchObject({ records: RECORDS, verified: true });
    expect([...made.from.adapter.brokenPromises, ...made.to.adapter.brokenPromises], told).toEqual([]);
    await expectEqual(made);
  },
);

describe("what passes is outlasted:", () => {
  test("transient failures are tried again after a pause, and told of", async () => {
    const made = await world();
    made.to.faulty.script("write", "none", "transient", "transient", "none", "transient");
    made.from.faulty.script("scan", "transient", "midway");
    made.to.faulty.script("sync", "transient");
    const faults: string[] = [];
    await made.run({ onFault: ({ message }) => faults.push(message) });
    expect(faults).toHaveLength(6);
    expect(made.to.adapter.calls.filter(({ operation }) => operation === "open")).toHaveLength(2);
    await expectEqual(made);
  });

  test("an ambiguous write is preceded by a close and an opening when it is sent again", async () => {
    const made = await world();
    made.to.faulty.script("write", "none", "none", "ambiguous-after", "none", "hang", "late-landing");
    await made.run();
    expect(made.to.adapter.brokenPromises).toEqual([]);
    expect(made.to.adapter.calls.filter(({ operation }) => operation === "close").length).toBe(5);
    await expectEqual(made);
  });

  test("a reopening that fails at first is tried again", async () => {
    const made = await world();
    made.to.faulty.script("write", "none", "plain");
    made.to.faulty.script("open", "none", "transient", "plain", "hang");
    await made.run();
    await expectEqual(made);
  });

  test("a scan without an order begins anew, and no record is counted twice", async () => {
    const capabilities = { ordered: false };
    const made = await world({ capabilities }, { capabilities });
    made.from.faulty.script("scan", "midway", "transient", "plain", "none", "midway");
    const report = await made.run();
    expect(report.records).toBe(RECORDS);
    expect(made.to.adapter.brokenPromises).toEqual([]);
    await expectEqual(made);
  });
});

describe("what does not pass ends the copy, and both are closed:", () => {
  test("a backend that stays down; once it is up again the next call goes on", async () => {
    const made = await world();
    const onProgress: CopyOptions["onProgress"] = ({ records }) => {
      if (records === 1_000) made.to.faulty.goDown();
    };
    await expect(made.run({ onProgress, retry: { maxAttempts: 3 } })).rejects.toMatchObject({
      code: "LEAKDB_ADAPTER_UNAVAILABLE",
      retryable: true,
    });
    expect(made.to.backend.owner).toBeUndefined();
    expect(made.clock.pendingTimers).toBe(0);
    made.to.faulty.goUp();
    expect(await made.run()).toMatchObject({ records: RECORDS, alreadyThere: 1_000 });
    await expectEqual(made);
  });

  test.each(["rejectKey", "refuseKey"] as const)("a record that the target refuses (%s)", async (refuse) => {
    const made = await world();
    made.to.faulty[refuse]("key 0001234");
    await expect(made.run()).rejects.toMatchObject({
      code: "LEAKDB_ADAPTER_REJECTED",
      retryable: false,
      message: expect.stringContaining('"key 0001234"'),
    });
    made.to.faulty.acceptKey("key 0001234");
    expect((await made.run()).alreadyThere).toBeGreaterThanOrEqual(1_200);
    await expectEqual(made);
  });

  test.each(["load", "scan", "sync"] as const)("a permanent failure of %s", async (operation) => {
    const made = await world();
    (operation === "sync" ? made.to : made.from).faulty.script(operation, "permanent");
    await expect(made.run()).rejects.toMatchObject({ code: "LEAKDB_ADAPTER_UNAVAILABLE", retryable: false });
    expect([made.from.backend.owner, made.to.backend.owner]).toEqual([undefined, undefined]);
    await made.run();
    await expectEqual(made);
  });

  test("an opening that fails, as of a storage", async () => {
    const made = await world();
    made.to.faulty.script("open", "plain");
    await expect(made.run()).rejects.toMatchObject({ code: "LEAKDB_OPEN_FAILED" });
    expect(made.from.backend.owner).toBeUndefined();
  });

  test("a listener that throws", async () => {
    const made = await world();
    const error = new Error("a mistake of the listener");
    const onProgress = (): never => {
      throw error;
    };
    await expect(made.run({ onProgress })).rejects.toBe(error);
    expect([made.from.backend.owner, made.to.backend.owner]).toEqual([undefined, undefined]);
  });

  test("a close that fails after all is told of, for the adapter may still be open", async () => {
    const made = await world();
    made.from.faulty.script("close", "plain");
    await expect(made.run()).rejects.toMatchObject({
      code: "LEAKDB_ADAPTER_UNAVAILABLE",
      message: expect.stringContaining("everything was copied"),
    });
    made.from.backend.owner = undefined; // As the end of its process would.
    await expectEqual(made);
  });

  test("a close that fails beside another error leaves that error first", async () => {
    const made = await world();
    made.to.faulty.script("close", "plain");
    made.from.faulty.script("scan", "permanent");
    const faults: string[] = [];
    const copying = made.run({ onFault: ({ message }) => faults.push(message) });
    await expect(copying).rejects.toMatchObject({ cause: { kind: "permanent" } });
    expect(faults).toEqual(["reference failed to close"]);
  });
});
