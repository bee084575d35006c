/** The house style, held over the whole repository. A failure lists every breach as `path:line message`. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { checkCode } from "../src/check-code.js";
import { checkComments } from "../src/check-comments.js";
import { checkCoreLayers } from "../src/check-core-layers.js";
import { checkErrorDocs } from "../src/check-error-docs.js";
import { checkLength } from "../src/check-length.js";
import { checkName } from "../src/check-name.js";
import { checkPackageImports, type Manifest } from "../src/check-package-imports.js";
import { checkTests } from "../src/check-tests.js";
import { readSources } from "../src/read-sources.js";
import type { Finding } from "../src/source-file.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const sources = readSources(ROOT);

const manifests = new Map<string, Manifest>(
  readdirSync(join(ROOT, "packages")).map((name) => {
    const home = `packages/${name}`;
    return [home, JSON.parse(readFileSync(join(ROOT, home, "package.json"), "utf8")) as Manifest];
  }),
);

function listed(findings: readonly Finding[]): string[] {
  return findings.map(({ path, line, message }) => `${path}:${line} ${message}`);
}

describe("the repository", () => {
  test("is read whole: every package has sources", () => {
    for (const home of manifests.keys()) {
      expect(sources.filter(({ path }) => path.startsWith(`${home}/src/`))).not.toEqual([]);
    }
  });

  test.each([
    ["keeps files and functions short", checkLength],
    ["names its files after what they hold", checkName],
    ["opens each file with what it is, and puts nothing off", checkComments],
    ["casts nothing to any, swallows nothing, and never ends or writes for its host", checkCode],
    ["runs all of its tests", checkTests],
    ["keeps core's layers apart", checkCoreLayers],
  ])("%s", (_name, check) => {
    expect(listed(sources.flatMap(check))).toEqual([]);
  });

  test("keeps the arrows between packages one way", () => {
    expect(listed(sources.flatMap((file) => checkPackageImports(file, manifests)))).toEqual([]);
  });

  test("documents every error code", () => {
    const errors = sources.find(({ path }) => path === "packages/core/src/errors.ts");
    if (errors === undefined) throw new Error("packages/core/src/errors.ts is gone");
    expect(listed(checkErrorDocs(errors, readFileSync(join(ROOT, "docs/errors.md"), "utf8")))).toEqual([]);
  });
});
