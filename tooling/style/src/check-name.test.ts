import { expect, test } from "vitest";
import { checkName } from "./check-name.js";
import { sourceFile } from "./source-file.js";

function messages(path: string): string[] {
  return checkName(sourceFile(path, "")).map(({ message }) => message);
}

test.each(["packages/core/src/dead-letters.ts", "packages/core/src/key.test.ts", "vitest.config.ts"])(
  "%s is a name",
  (path) => {
    expect(messages(path)).toEqual([]);
  },
);

test.each([
  "packages/core/src/deadLetters.ts",
  "packages/core/src/Key.ts",
  "packages/core/src/dead_letters.ts",
])("%s is not in kebab-case", (path) => {
  expect(messages(path)).toHaveLength(1);
});

test.each(["utils", "string-helpers", "common", "queue-manager", "storage-impl"])(
  "%s says nothing",
  (name) => {
    expect(messages(`packages/core/src/${name}.ts`)).toHaveLength(1);
    expect(messages(`packages/core/src/${name}/key.ts`)).toHaveLength(1);
  },
);
