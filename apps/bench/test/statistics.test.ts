import { expect, test } from "vitest";
import { median, pairwiseRatios, percentile, spreadOf } from "../src/statistics.js";

test("the median of an odd number of values is the middle one, of an even number the mean of two", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([10, 9, 1, 2])).toBe(5.5);
  expect(median([3])).toBe(3);
});

test("the median orders numbers as numbers and leaves its input alone", () => {
  const values = [100, 20, 3];
  expect(median(values)).toBe(20);
  expect(values).toEqual([100, 20, 3]);
});

test("nothing has no median", () => {
  expect(() => median([])).toThrow(RangeError);
  expect(() => spreadOf([])).toThrow(RangeError);
});

test("a spread holds the extremes", () => {
  expect(spreadOf([2, 8, 4])).toEqual({ min: 2, median: 4, max: 8 });
});

test("ratios are of pairs, so a slow moment of the machine cancels out", () => {
  const ratios = pairwiseRatios([100, 50, 100], [200, 100, 200]);
  expect(ratios).toEqual([0.5, 0.5, 0.5]);
  expect(() => pairwiseRatios([1], [])).toThrow(RangeError);
});

test("a percentile is the least value that so many do not exceed", () => {
  const sorted = Float64Array.from({ length: 1_000 }, (_, index) => index + 1);
  expect(percentile(sorted, 0.5)).toBe(500);
  expect(percentile(sorted, 0.99)).toBe(990);
  expect(percentile(sorted, 0.999)).toBe(999);
  expect(percentile(sorted, 1)).toBe(1_000);
  expect(percentile([7], 0.5)).toBe(7);
  expect(percentile([1, 2], 0)).toBe(1);
  expect(() => percentile([], 0.5)).toThrow(RangeError);
});
