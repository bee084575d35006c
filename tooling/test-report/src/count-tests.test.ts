import { expect, test } from "vitest";
import { closingLines, countTests } from "./count-tests.mjs";

function file(
  status: string,
  ...tests: string[]
): {
  status: string;
  assertionResults: { status: string }[];
} {
  return { status, assertionResults: tests.map((each) => ({ status: each })) };
}

test("tests are counted over all files by their outcome", () => {
  const report = {
    testResults: [file("passed", "passed", "skipped"), file("failed", "passed", "failed", "todo")],
  };
  expect(countTests(report)).toEqual({ passed: 2, failed: 1, skipped: 2 });
});

test("a file that could not be loaded, or whose hooks failed, is one failure", () => {
  const report = { testResults: [file("failed"), file("failed", "passed")] };
  expect(countTests(report)).toEqual({ passed: 1, failed: 2, skipped: 0 });
});

test("a test that never ended is a failure, whatever its file says", () => {
  expect(countTests({ testResults: [file("passed", "pending", "passed")] })).toEqual({
    passed: 1,
    failed: 1,
    skipped: 0,
  });
});

test("the last line is the same whether or not tests were skipped", () => {
  expect(closingLines({ passed: 3, failed: 0, skipped: 0 })).toEqual(["tests: 3 passed, 0 failed"]);
  expect(closingLines({ passed: 3, failed: 1, skipped: 2 })).toEqual([
    "skipped: 2",
    "tests: 3 passed, 1 failed",
  ]);
});
