import { expect, test } from "vitest";
import { imports, target } from "./imports.js";
import { sourceFile } from "./source-file.js";

test("every way of importing is found, types included; a mere string is not", () => {
  const text = `
    import a from "one";
    import type { B } from "two";
    import "three";
    export { c } from "four";
    export * from "five";
    const d = await import("six");
    const e = require("seven");
    type F = import("eight").F;
    const g = "nine";
    export const h = 10;
  `;
  expect(imports(sourceFile("a.ts", text)).map(({ name }) => name)).toEqual([
    ...["one", "two", "three", "four", "five", "six", "seven", "eight"],
  ]);
});

test("a relative name leads to a path from the root", () => {
  const file = sourceFile("packages/core/src/queue/line.ts", "");
  expect(target(file, "./item.js")).toBe("packages/core/src/queue/item");
  expect(target(file, "../clock.js")).toBe("packages/core/src/clock");
  expect(target(file, "../../../sqlite/src/index.js")).toBe("packages/sqlite/src/index");
});
