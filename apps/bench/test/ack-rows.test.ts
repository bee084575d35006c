import { expect, test } from "vitest";
import { type AckSample, ackCases, ackRows } from "../src/workloads/ack-rows.js";

const sample = (rate: number): AckSample => ({ rate, p50Ms: 1, p99Ms: 2, p999Ms: 3 });

test("every load has ours and the bare one, and a key for each writer", () => {
  for (const isQuick of [true, false]) {
    const cases = ackCases(isQuick);
    expect(cases.length).toBeGreaterThan(0);
    for (const { writers, keys, contestants } of cases) {
      expect(contestants).toContain("DefaultStorage");
      expect(contestants).toContain("bare append");
      expect(keys).toBeGreaterThanOrEqual(writers);
    }
  }
});

test("a synchronous commit for each write takes part where there is one writer", () => {
  const withIt = ackCases(false).filter(({ contestants }) =>
    contestants.includes("SQLite, a commit a write"),
  );
  expect(withIt.map(({ writers }) => writers)).toEqual([1]);
});

test("the targets are judged at a thousand writers, against the bare one and lmdb", () => {
  const samples = {
    DefaultStorage: [sample(80)],
    "write-behind LMDB": [sample(60)],
    "bare append": [sample(100)],
    lmdb: [sample(20)],
    Redis: [sample(10)],
  };
  const load = { writers: 1_000, keys: 10_000, contestants: [] };
  const rows = ackRows(load, samples);
  const judged = rows.filter(({ target }) => target !== undefined);
  expect(judged.map(({ workload, label, peer }) => [workload, label.split(",")[0], peer])).toEqual([
    ["acks", "DefaultStorage", "bare append"],
    ["ack p50", "DefaultStorage", "bare append"],
    ["acks", "DefaultStorage", "lmdb"],
    ["acks", "write-behind LMDB", "bare append"],
    ["ack p50", "write-behind LMDB", "bare append"],
    ["acks", "write-behind LMDB", "lmdb"],
  ]);
  expect(judged[0]?.figure.median).toBe(0.8);
  expect(rows.filter(({ peer }) => peer === "Redis").map(({ workload }) => workload)).toEqual([
    "acks",
    "ack p50",
    "ack p99",
    "ack p99.9",
  ]);
  expect(ackRows({ ...load, writers: 64 }, samples).every(({ target }) => target === undefined)).toBe(true);
});
