import { expect, test } from "vitest";
import { parseArguments, UsageError } from "../src/arguments.js";

const KNOWN = ["get-set", "opening"];

test("without arguments all workloads run at three sizes", () => {
  expect(parseArguments([], KNOWN)).toEqual({
    workloads: undefined,
    entries: [1_000, 100_000, 1_000_000],
    repeats: 7,
    isFull: false,
    isQuick: false,
    json: undefined,
  });
});

test("--quick is small, and what is given beside it counts", () => {
  expect(parseArguments(["--quick"], KNOWN)).toMatchObject({
    entries: [1_000, 10_000],
    repeats: 3,
    isQuick: true,
  });
  expect(parseArguments(["--quick", "--entries", "50", "--repeats=2"], KNOWN)).toMatchObject({
    entries: [50],
    repeats: 2,
  });
});

test("sizes are put in order, each once", () => {
  expect(parseArguments(["--entries", "500,10,500"], KNOWN)).toMatchObject({ entries: [10, 500] });
});

test("workloads run in the order asked for", () => {
  const options = parseArguments(["--workloads", "opening, get-set", "--json", "out.json", "--full"], KNOWN);
  expect(options).toMatchObject({ workloads: ["opening", "get-set"], json: "out.json", isFull: true });
});

test("--help is answered whatever else is asked", () => {
  expect(parseArguments(["--help"], KNOWN)).toBe("help");
});

test.each([
  ["--workloads", "nosuch"],
  ["--workloads", ""],
  ["--entries", "0"],
  ["--entries", "10,,20"],
  ["--entries", "ten"],
  ["--repeats", "1.5"],
  ["--repeats", "-1"],
  ["--unknown", "1"],
  ["stray", "word"],
])("%s %s is a mistake that is explained", (...args) => {
  expect(() => parseArguments(args, KNOWN)).toThrow(UsageError);
});
