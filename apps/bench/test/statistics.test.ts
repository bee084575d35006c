import { expect, test } from "vitest";
import { median, pairwiseRatios, spreadOf } from "../src/statistics.js";

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
