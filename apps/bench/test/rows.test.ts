import { expect, test } from "vitest";
import { isMet, ratioRow, valueRow } from "../src/row.js";
import { closingTable, workloadTable } from "../src/tables.js";

const GET = ratioRow({
  workload: "get",
  label: "write-behind, 1k",
  unit: "ops/s",
  peer: "Map",
  ours: [7e6, 8e6, 9e6],
  theirs: [1e7, 1e7, 1e7],
  target: { atLeast: 0.7 },
});

const STALL = valueRow({
  workload: "longest stall",
  label: "filling to 1M",
  unit: "ms",
  ours: [120, 101, 99],
  target: { atMost: 100 },
});

const ASIDE = ratioRow({
  workload: "get",
  label: "write-behind, 1k",
  unit: "ops/s",
  peer: "keyv",
  ours: [1e6],
  theirs: [1e5],
});

test("the median of the pairs is held against the target", () => {
  expect(GET.figure).toEqual({ min: 0.7, median: 0.8, max: 0.9 });
  expect(isMet(GET)).toBe(true);
  expect(isMet(STALL)).toBe(false);
  expect(isMet(ASIDE)).toBeUndefined();
});

test("a figure on its target meets it", () => {
  expect(isMet({ ...GET, figure: { min: 0.7, median: 0.7, max: 0.7 } })).toBe(true);
  expect(isMet({ ...STALL, figure: { min: 100, median: 100, max: 100 } })).toBe(true);
});

test("a workload's table shows both sides, and judges the rows that have a target", () => {
  const lines = workloadTable([GET, ASIDE]).trimEnd().split("\n");
  expect(lines).toHaveLength(3);
  expect(lines[1]).toMatch(
    /write-behind, 1k +8\.00 M\/s +10\.00 M\/s +Map +0\.80 x +0\.70 – 0\.90 +>= 0\.7 +met$/,
  );
  expect(lines[2]).toMatch(/write-behind, 1k +1\.00 M\/s +100 k\/s +keyv +10\.00 x +10\.00 – 10\.00$/);
});

test("the closing table has every row with a target, and no other", () => {
  const table = closingTable([GET, STALL, ASIDE]);
  const lines = table.trimEnd().split("\n");
  expect(lines).toHaveLength(3);
  expect(lines[1]).toMatch(/get: write-behind, 1k, Map +0\.80 x +0\.70 – 0\.90 +>= 0\.7 +met$/);
  expect(lines[2]).toMatch(/longest stall: filling to 1M +101\.0 ms +99\.0 – 120\.0 +<= 100 ms +NOT MET$/);
});

test("small rates and times keep the digits that tell them apart", () => {
  const small = (unit: "ops/s" | "ms" | "µs", ours: number) =>
    workloadTable([valueRow({ workload: "w", label: "l", unit, ours: [ours] })]);
  expect(small("ops/s", 2_740)).toContain("2.7 k/s");
  expect(small("ops/s", 27_400)).toContain("27 k/s");
  expect(small("ms", 0.344)).toContain("0.34 ms");
  expect(small("µs", 12.34)).toContain("12.3 µs");
});
