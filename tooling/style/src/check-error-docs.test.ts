import { expect, test } from "vitest";
import { checkErrorDocs } from "./check-error-docs.js";
import { sourceFile } from "./source-file.js";

const errors = sourceFile("packages/core/src/errors.ts", 'const CODES = ["LEAKDB_CLOSED", "LEAKDB_LOCKED"];');

function messages(guide: string): string[] {
  return checkErrorDocs(errors, guide).map(({ message }) => message);
}

test("a heading for each code, with or without quotes, is enough", () => {
  expect(messages("# Errors\n\n## LEAKDB_CLOSED\n\nText.\n\n### `LEAKDB_LOCKED`\n")).toEqual([]);
});

test("a code that is only mentioned has no section", () => {
  expect(messages("## LEAKDB_CLOSED\n\nUnlike LEAKDB_LOCKED.\n")).toEqual(["LEAKDB_LOCKED has no heading"]);
});

test("an absent guide misses every code", () => {
  expect(messages("")).toHaveLength(2);
});

test("a section for a code that core does not have is found", () => {
  expect(messages("## LEAKDB_CLOSED\n## LEAKDB_LOCKED\n## LEAKDB_GONE\n")).toEqual([
    "LEAKDB_GONE is not a code of core",
  ]);
});
