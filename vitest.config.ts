/**
 * How the tests of the whole workspace run: one project for each folder of `packages`, `apps` and `tooling`, found
 * by looking, so that a new package can't be forgotten. Unit tests stand beside their source, all others in `test/`.
 *
 * Tests import other packages as users do, by name, and so see what was built: `npm test` builds first.
 * `LEAKDB_TEST_REPORT=<file>` writes the result as JSON as well, for `.ci/run` to count.
 */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const ROOT = fileURLToPath(new URL(".", import.meta.url));
const REPORT = process.env["LEAKDB_TEST_REPORT"];

const folders = ["packages", "apps", "tooling"].flatMap((group) =>
  readdirSync(join(ROOT, group))
    .sort()
    .map((name) => ({ name, root: join(ROOT, group, name) }))
    .filter(({ root }) => existsSync(join(root, "package.json"))),
);

export default defineConfig({
  test: {
    // A process of its own for each file: a native crash or a leaked handle is charged to the file that caused it.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 15_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
    slowTestThreshold: 2_000,
    // Nothing may turn red into green: no second try, no lone `.only`, no empty run, no error outside of a test.
    retry: 0,
    allowOnly: false,
    passWithNoTests: false,
    dangerouslyIgnoreUnhandledErrors: false,
    reporters: REPORT ? ["default", ["json", { outputFile: REPORT }]] : ["default"],
    projects: folders.map(({ name, root }) => ({
      extends: true as const,
      root,
      test: {
        name,
        include: ["src/**/*.test.ts", "test/**/*.test.ts"],
        exclude: ["**/node_modules/**", "**/dist/**"],
      },
    })),
  },
});
