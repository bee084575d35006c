/** The checkers can fail: faults planted in a record, or in the backend below it, are each reported. */

import { beforeAll, describe, expect, test } from "vitest";
import { type Bounds, checkRecord } from "../src/schedules/check-record.js";
import type { Happening, Of } from "../src/schedules/happening.js";
import type { PlantedFault } from "../src/schedules/held-adapter.js";
import { BATCH_BYTES_MAX, type Schedule, type Step } from "../src/schedules/schedule.js";
import { ScheduleRun } from "../src/schedules/schedule-run.js";

const stored: Step = { op: "answer", pick: 0, how: "stored", index: 0 };

/** A calm run with a bit of everything. */
const SCHEDULE: Schedule = {
  shape: {
    isThrough: false,
    workers: 1,
    coalesce: false,
    maxSize: 10_000,
    batchMax: 2,
    capacity: 1_000,
    maxAttempts: 3,
    writeDelay: 20,
  },
  steps: [
    ...[{ op: "set", key: "a" } as const, { op: "set", key: "b" } as const],
    ...[{ op: "advance", ms: 20 } as const, stored],
    ...[
      { op: "set", key: "a" } as const,
      { op: "set", key: "b" } as const,
      { op: "delete", key: "b" } as const,
    ],
    { op: "flush", isSynced: true, timeout: 60_000 },
    ...[{ op: "answer", pick: 0, how: "transient", index: 0 } as const, { op: "advance", ms: 60 } as const],
    ...[stored, { op: "advance", ms: 60 } as const, stored, { op: "advance", ms: 60 } as const, stored],
    ...[stored, { op: "advance", ms: 60 } as const],
  ],
  closeTimeout: undefined,
};
const BOUNDS: Bounds = { lanes: 1, batchMax: 2, batchBytesMax: BATCH_BYTES_MAX };

let calm: readonly Happening[];

beforeAll(async () => {
  const run = new ScheduleRun(SCHEDULE);
  expect(await run.check()).toEqual([]);
  calm = run.record;
});

type Plant = (record: Happening[]) => Happening[];

const isOf =
  <Type extends Happening["type"]>(type: Type) =>
  (happening: Happening): happening is Of<Type> =>
    happening.type === type;

/** Replaces the last happening of a type. */
function replaceLast<Type extends Happening["type"]>(
  type: Type,
  change: (happening: Of<Type>) => readonly Happening[],
): Plant {
  return (record) => {
    const at = record.findLastIndex(isOf(type));
    return [...record.slice(0, at), ...change(record[at] as Of<Type>), ...record.slice(at + 1)];
  };
}

const swapWrites: Plant = (record) => {
  const writes = record
    .filter(isOf("sent"))
    .filter(({ batch }) => batch.some((each) => "key" in each && each.key === "a"));
  const first = writes[0] as Of<"sent">;
  const last = writes.at(-1) as Of<"sent">;
  return record.map((each) =>
    each === first ? { ...last, call: first.call } : each === last ? { ...first, call: last.call } : each,
  );
};

const flushIsSettledFirst: Plant = (record) => {
  const asked = record.findIndex((each) => each.type === "asked" && each.what === "flush");
  const { barrier } = record[asked] as Of<"asked">;
  const settled = record.find((each) => each.type === "settled" && each.barrier === barrier) as Of<"settled">;
  const rest = record.filter((each) => each !== settled);
  return [...rest.slice(0, asked + 1), settled, ...rest.slice(asked + 1)];
};

const flushIsNotSynced: Plant = (record) => record.filter((each) => each.type !== "synced");

const withOtherBytes = (sent: Of<"sent">): Of<"sent"> => ({
  ...sent,
  batch: sent.batch.map((each) => (each.type === "put" ? { ...each, value: Buffer.from("!") } : each)),
});

const nobodyAnswers: Plant = (record) => record.filter((each) => each.type !== "answered");

const PLANTS: readonly [string, RegExp, Plant][] = [
  ["two writes of one key, swapped", /^I1: .* was sent after/, swapWrites],
  [
    "a write that is sent again with other bytes",
    /^I1: .* is not what was sent before/,
    (record) => [...record, ...record.filter(isOf("sent")).map(withOtherBytes)],
  ],
  ["a second write of a key before the first is answered", /^I2: .* was in flight/, nobodyAnswers],
  ["more writes in flight than lanes", /^I5: .* writes were in flight/, nobodyAnswers],
  [
    "a batch beyond its limit",
    /^I5: call .* mutations/,
    replaceLast("sent", (sent) => [{ ...sent, batch: [...sent.batch, ...sent.batch, ...sent.batch] }]),
  ],
  [
    "the last of a batch, lost",
    /^I7: .* not applied/,
    (record) =>
      record.map((each) =>
        each.type === "applied" ? { ...each, mutations: each.mutations.slice(0, -1) } : each,
      ),
  ],
  ["an acknowledgement without applying", /^I7: .* not applied/, replaceLast("applied", () => [])],
  ["a flush that is settled too early", /^I6: flush settled without/, flushIsSettledFirst],
  ["a synced flush without a sync", /^I6: flush settled without/, flushIsNotSynced],
  [
    "a flush that fails for nothing",
    /^I6: .* nothing it covers is a dead letter/,
    (record) => [
      ...record,
      {
        type: "asked",
        barrier: 99,
        what: "flush",
        version: 1,
        key: undefined,
        isSynced: false,
        deadlineMs: 1e15,
      },
      { type: "settled", barrier: 99, code: "LEAKDB_FLUSH_FAILED", atMs: 1 },
    ],
  ],
  [
    "a promise that settles late",
    /^I10: .* after its deadline/,
    replaceLast("settled", (each) => [{ ...each, atMs: 1e15 }]),
  ],
  [
    "a promise that never settles",
    /^I10: .* never settled/,
    (record) => [...record.filter((each) => each.type !== "settled"), { type: "ended", atMs: 1e15 }],
  ],
  [
    "a failure that nobody is told of",
    /^I10: .* swallowed/,
    (record) => record.filter((each) => each.type !== "reported"),
  ],
  [
    "a deleted key that is back",
    /^I3: "b" is back/,
    (record) =>
      record.map((each) =>
        each.type === "final"
          ? { ...each, entries: [...each.entries, { key: "b", version: 1, value: 1 }] }
          : each,
      ),
  ],
  [
    "a dirty entry that is forgotten",
    /^I4: "a" is lost/,
    (record) => record.map((each) => (each.type === "final" ? { ...each, entries: [] } : each)),
  ],
];

describe("in a record", () => {
  test.each(PLANTS)("%s, is reported", (_name, expected, plant) => {
    const breaches = checkRecord(plant([...calm]), BOUNDS);
    expect(breaches).toEqual(expect.arrayContaining([expect.stringMatching(expected)]));
  });
});

const BACKEND_PLANTS: readonly [PlantedFault, RegExp][] = [
  ["lose-last", /^I9: /],
  ["apply-nothing", /^I9: backend lacks/],
  ["resurrect", /^I9: backend has/],
];

describe("in the backend", () => {
  test.each(BACKEND_PLANTS)("%s, is reported", async (planted, expected) => {
    const breaches = await new ScheduleRun(SCHEDULE, planted).check();
    expect(breaches).toEqual(expect.arrayContaining([expect.stringMatching(expected)]));
  });
});
