import { expect, test } from "vitest";
import { checkCoreLayers } from "./check-core-layers.js";
import { sourceFile } from "./source-file.js";

function messages(path: string, imported: string): string[] {
  const file = sourceFile(`packages/core/src/${path}`, `import type { A } from "${imported}";`);
  return checkCoreLayers(file).map(({ message }) => message);
}

test.each([
  ["storage/engine.ts", "../memory/table.js"],
  ["storage/engine.ts", "../queue/line.js"],
  ["storage/engine.ts", "../errors.js"],
  ["storage/engine.ts", "./options.js"],
  ["copy/copy.ts", "../storage/options.js"],
  ["worker/lane.ts", "../queue/item.js"],
  ["worker/lane.ts", "../journal/segment.js"],
  ["journal/segment.ts", "../codec/codec.js"],
  ["codec/codec.ts", "../errors.js"],
  ["adapter.ts", "./clock.js"],
  ["memory/table.ts", "node:crypto"],
  ["index.ts", "./storage/default-storage.js"],
  ["memory/table.test.ts", "../queue/line.js"],
])("%s may import %s", (path, imported) => {
  expect(messages(path, imported)).toEqual([]);
});

test.each([
  ["memory/table.ts", "../queue/line.js"],
  ["queue/line.ts", "../memory/table.js"],
  ["queue/line.ts", "../worker/lane.js"],
  ["worker/lane.ts", "../memory/table.js"],
  ["worker/lane.ts", "../storage/engine.js"],
  ["journal/segment.ts", "../queue/item.js"],
  ["codec/codec.ts", "../journal/segment.js"],
  ["adapter.ts", "./codec/codec.js"],
  ["clock.ts", "./storage/engine.js"],
  ["storage/engine.ts", "../index.js"],
  ["storage/engine.ts", "../copy/copy.js"],
])("%s may not import %s", (path, imported) => {
  expect(messages(path, imported)).toHaveLength(1);
});

test("a new folder must be given its place first", () => {
  expect(messages("cache/cache.ts", "../clock.js")).toEqual([
    "the folder cache has no place among core's layers",
  ]);
});

test("other packages have no such layers", () => {
  const file = sourceFile("packages/sqlite/src/a/b.ts", 'import "../c/d.js";');
  expect(checkCoreLayers(file)).toEqual([]);
});
