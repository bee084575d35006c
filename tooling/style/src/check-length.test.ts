import { expect, test } from "vitest";
import { checkLength } from "./check-length.js";
import { sourceFile } from "./source-file.js";

function messages(text: string, path = "packages/core/src/key.ts"): string[] {
  return checkLength(sourceFile(path, text)).map(({ line, message }) => `${line} ${message}`);
}

test("a file of 330 lines passes, one more does not", () => {
  expect(messages("a();\n".repeat(330))).toEqual([]);
  expect(messages("a();\n".repeat(331))).toEqual(["1 the file has 331 lines; at most 330"]);
});

test("a function of 66 lines passes, one more does not, however it is written", () => {
  const body = (lines: number): string => `{\n${"  a();\n".repeat(lines - 2)}}`;
  expect(messages(`function work() ${body(66)}\n`)).toEqual([]);
  expect(messages(`function work() ${body(67)}\n`)).toEqual(["1 work has 67 lines; at most 66"]);
  expect(messages(`class A {\n  go() ${body(67)}\n}\n`)).toEqual(["2 go has 67 lines; at most 66"]);
  expect(messages(`run(() => ${body(67)});\n`)).toEqual(["1 a function has 67 lines; at most 66"]);
});

test("the comment above a function does not count for it", () => {
  expect(messages(`/**\n${" * a\n".repeat(70)} */\nfunction work() {}\n`)).toEqual([]);
});

test("tests may be as long as they need", () => {
  expect(messages("a();\n".repeat(999), "packages/core/src/key.test.ts")).toEqual([]);
});
