import { expect, test } from "vitest";
import { checkComments } from "./check-comments.js";
import { sourceFile } from "./source-file.js";

function messages(text: string, path = "packages/core/src/key.ts"): string[] {
  return checkComments(sourceFile(path, text)).map(({ line, message }) => `${line} ${message}`);
}

test("a source opens with a doc comment, after its interpreter line if it has one", () => {
  expect(messages("/** What a key is. */\n")).toEqual([]);
  expect(messages("#!/usr/bin/env node\n/** The command. */\n")).toEqual([]);
  expect(messages("import a from 'a';\n/** Late. */\n")).toHaveLength(1);
  expect(messages("// Not a doc comment.\n")).toHaveLength(1);
});

test("tests and index files need none", () => {
  expect(messages("a();\n", "packages/core/src/key.test.ts")).toEqual([]);
  expect(messages("a();\n", "packages/core/src/index.ts")).toEqual([]);
});

test.each(["TODO", "FIXME", "XXX", "HACK"])("a comment may not say %s, a string may", (word) => {
  expect(messages(`/** A. */\n\na(); // ${word} later\n`)).toEqual([
    `3 ${word}: finish it, or write an issue`,
  ]);
  expect(messages(`/** A. */\na("${word}");\n`)).toEqual([]);
});

test("nothing silences the compiler without a reason", () => {
  expect(messages("/** A. */\n// @ts-ignore because\na();\n")).toHaveLength(1);
  expect(messages("/** A. */\n// @ts-nocheck\na();\n")).toHaveLength(1);
  expect(messages("/** A. */\n// @ts-expect-error\na();\n")).toHaveLength(1);
  expect(messages("/** A. */\n// @ts-expect-error: a symbol is no key\na();\n")).toEqual([]);
});
