import { expect, test } from "vitest";
import { checkTests } from "./check-tests.js";
import { sourceFile } from "./source-file.js";

function messages(text: string, path = "packages/core/src/key.test.ts"): string[] {
  return checkTests(sourceFile(path, text)).map(({ message }) => message);
}

test.each(["test", "it", "describe", "test.concurrent", "describe.each([1])"])(
  "%s.only is never let pass",
  (runner) => {
    expect(messages(`// Only this one matters here.\n${runner}.only("a", b);`)).toHaveLength(1);
  },
);

test.each(["skip", "todo", "fails"])("%s needs its reason beside or above it", (name) => {
  expect(messages(`test.${name}("a", b);`)).toHaveLength(1);
  expect(messages(`// later\ntest.${name}("a", b);`)).toHaveLength(1);
  expect(messages(`// The driver has no such call.\ntest.${name}("a", b);`)).toEqual([]);
  expect(messages(`test.${name}("a", b); // the driver has no such call`)).toEqual([]);
  expect(messages(`// The driver has no such call.\n\ntest.${name}("a", b);`)).toHaveLength(1);
});

test.each(["skipIf", "runIf"])("%s needs its reason too", (name) => {
  expect(messages(`test.${name}(root)("a", b);`)).toHaveLength(1);
  expect(messages(`// Only root may mount a disk.\ntest.${name}(root)("a", b);`)).toEqual([]);
});

test("other things that are called skip, and sources, are left alone", () => {
  expect(messages("list.skip(3);")).toEqual([]);
  expect(messages('test.only("a", b);', "packages/testkit/src/runner.ts")).toEqual([]);
});
