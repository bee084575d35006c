import { describe, expect, test } from "vitest";
import { comments, sourceFile, stem } from "./source-file.js";

describe("comments", () => {
  test("are found wherever they stand, each once", () => {
    const file = sourceFile("a.ts", "/** one */\nf(/* two */ 1); // three\n{\n  // four\n}\n// five\n");
    expect(comments(file).map(({ text }) => text)).toEqual([
      "/** one */",
      "/* two */",
      "// three",
      "// four",
      "// five",
    ]);
  });

  test("do not count inside strings, templates, patterns and other comments", () => {
    const file = sourceFile(
      "a.ts",
      `f('// a', \`/* b */ \${x} // c\`, /\\/\\/ d/);\n/** see http://e.f // g */\nh();\n`,
    );
    expect(comments(file).map(({ text }) => text)).toEqual(["/** see http://e.f // g */"]);
  });
});

test("a file below test, and a unit test, are tests; a source is not", () => {
  expect(sourceFile("packages/core/test/crash/child.ts", "").isTest).toBe(true);
  expect(sourceFile("packages/core/src/key.test.ts", "").isTest).toBe(true);
  expect(sourceFile("packages/core/src/adapter-thread/thread-fixture.mjs", "").isTest).toBe(true);
  expect(sourceFile("packages/testkit/src/testing.ts", "").isTest).toBe(false);
});

test("the stem ends at the first dot", () => {
  expect(stem("packages/core/src/key.test.ts")).toBe("key");
});
