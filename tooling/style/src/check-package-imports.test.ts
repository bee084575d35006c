import { expect, test } from "vitest";
import { checkPackageImports, type Manifest } from "./check-package-imports.js";
import { sourceFile } from "./source-file.js";

const manifests = new Map<string, Manifest>([
  ["packages/core", { dependencies: { msgpackr: "2.1.3" } }],
  ["packages/sqlite", { dependencies: { "better-sqlite3": "1" }, peerDependencies: { "@leakdb/core": "1" } }],
]);

function messages(path: string, imported: string): string[] {
  return checkPackageImports(sourceFile(path, `import "${imported}";`), manifests).map(
    ({ message }) => message,
  );
}

test.each([
  ["packages/core/src/codec/msgpack-codec.ts", "msgpackr"],
  ["packages/core/src/key.ts", "node:crypto"],
  ["packages/core/src/queue/line.ts", "../key.js"],
  ["packages/sqlite/src/index.ts", "@leakdb/core/adapter"],
  ["packages/sqlite/src/index.ts", "@leakdb/core/adapter-thread"],
  ["packages/sqlite/src/index.ts", "better-sqlite3"],
  ["packages/sqlite/test/conformance.test.ts", "@leakdb/testkit"],
  ["packages/core/src/key.test.ts", "fast-check"],
  ["apps/demo/src/main.ts", "@leakdb/sqlite"],
])("%s may import %s", (path, imported) => {
  expect(messages(path, imported)).toEqual([]);
});

test.each([
  ["packages/core/src/key.ts", "@leakdb/sqlite"],
  ["packages/core/src/key.ts", "@leakdb/core/adapter"],
  ["packages/core/src/key.ts", "better-sqlite3"],
  ["packages/sqlite/src/index.ts", "@leakdb/core"],
  ["packages/sqlite/src/index.ts", "@leakdb/testkit"],
  ["packages/sqlite/src/index.ts", "msgpackr"],
  ["packages/sqlite/src/index.ts", "../../core/src/adapter.js"],
  ["packages/sqlite/test/conformance.test.ts", "../../testkit/src/index.js"],
  ["apps/demo/src/main.ts", "../../../packages/core/src/index.js"],
])("%s may not import %s", (path, imported) => {
  expect(messages(path, imported)).toHaveLength(1);
});
