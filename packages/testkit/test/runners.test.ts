/**
 * The kit under each runner that its README names: the README's own lines are run, over the reference adapter and over
 * a broken one, as a user would run them.
 */

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { conformanceCases, ReferenceBackend, referenceAdapter } from "../src/index.js";

const PACKAGE = fileURLToPath(new URL("../", import.meta.url));
const ROOT = join(PACKAGE, "..", "..");
const FENCE = /^```js (\S+)\n([\s\S]*?)^```$/gm;
/** The whole suite, in a process of its own, while others run beside it. */
const RUN_LIMIT_MS = 120_000;
const CAUGHT = "the first and the last of a batch are kept, whatever its size";

const MY_ADAPTER = `
import { ReferenceBackend, referenceAdapter } from "@leakdb/testkit";

export const makePlace = async () => ({ backend: new ReferenceBackend(), remove() {} });

export function myAdapter({ backend }) {
  const adapter = referenceAdapter({ backend });
  if (process.env.DROPS_LAST !== "1") return adapter;
  const write = adapter.write.bind(adapter);
  adapter.write = (batch, options) => write(batch.slice(0, -1), options);
  return adapter;
}
`;

interface Ended {
  readonly code: number;
  readonly output: string;
}

interface Runner {
  readonly name: string;
  readonly file: string;
  /** The command line, and what chooses cases by their name. */
  readonly args: readonly string[];
  readonly only: string;
  /** What its summary says of how many passed and were skipped. */
  readonly passed: RegExp;
  readonly skipped: RegExp;
}

const runners: readonly Runner[] = [
  {
    name: "vitest",
    file: "vitest.test.mjs",
    args: [join(ROOT, "node_modules/vitest/vitest.mjs"), "run", "--reporter=verbose"],
    only: "-t",
    passed: /Tests .*?(\d+) passed/,
    skipped: /Tests .*?(\d+) skipped/,
  },
  {
    name: "node:test",
    file: "node.test.mjs",
    args: ["--test", "--test-reporter=spec"],
    only: "--test-name-pattern",
    passed: /ℹ pass (\d+)/,
    skipped: /ℹ skipped (\d+)/,
  },
  {
    name: "mocha",
    file: "mocha.test.mjs",
    args: [join(PACKAGE, "node_modules/mocha/bin/mocha.js")],
    only: "--grep",
    passed: /(\d+) passing/,
    skipped: /(\d+) pending/,
  },
];

const folder = mkdtempSync(join(tmpdir(), "leakdb-runners-"));
const samples = new Map<string, string>();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(() => {
  mkdirSync(join(folder, "node_modules", "@leakdb"), { recursive: true });
  symlinkSync(PACKAGE, join(folder, "node_modules", "@leakdb", "testkit"));
  symlinkSync(join(PACKAGE, "..", "core"), join(folder, "node_modules", "@leakdb", "core"));
  symlinkSync(join(ROOT, "node_modules/vitest"), join(folder, "node_modules", "vitest"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  writeFileSync(join(folder, "my-adapter.mjs"), MY_ADAPTER);
  for (const [, name = "", code = ""] of readFileSync(join(PACKAGE, "README.md"), "utf8").matchAll(FENCE)) {
    samples.set(name, code);
    writeFileSync(join(folder, name), code);
  }
});

/** Runs Node in the folder, without what this run of vitest has put into the environment. */
function run(args: readonly string[], environment: Record<string, string> = {}): Promise<Ended> {
  const mine = /^(VITEST|LEAKDB_|NODE_TEST_CONTEXT|NODE_OPTIONS|FORCE_COLOR|TEST$|NODE_ENV$)/;
  const inherited = Object.entries(process.env).filter(([name]) => !mine.test(name));
  const env = { ...Object.fromEntries(inherited), NO_COLOR: "1", ...environment };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [...args],
      { cwd: folder, env, timeout: RUN_LIMIT_MS, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : 1, output: stdout + stderr }),
    );
  });
}

/** The cases that the README's fixture, which can neither kill nor take away, has to skip. */
async function unmet() {
  const fixture = {
    adapter: () => referenceAdapter({ backend: new ReferenceBackend() }),
    dispose: () => undefined,
  };
  const harness = { name: "my adapter", create: () => fixture };
  const cases = conformanceCases(harness);
  const { capabilities } = fixture.adapter();
  return {
    cases,
    skipped: cases.filter((one) => one.requires?.met(capabilities, harness, fixture) === false),
  };
}

describe.concurrent.each(runners)("under $name", ({ file, args, only, passed, skipped: skippedText }) => {
  test("the README's lines are fifteen at most", () => {
    const lines = samples.get(file)?.trim().split("\n") ?? [];
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.length).toBeLessThanOrEqual(15);
  });

  test(
    "a sound adapter passes every case that applies, and the others are skipped with their reasons",
    async () => {
      const { cases, skipped } = await unmet();
      const { code, output } = await run([...args, file]);
      expect(code, output).toBe(0);
      expect(Number(passed.exec(output)?.[1])).toBe(cases.length - skipped.length);
      expect(Number(skippedText.exec(output)?.[1])).toBe(skipped.length);
      expect(skipped.length).toBeGreaterThan(0);
      for (const { requires } of skipped) expect(output).toContain(`my adapter: ${requires?.reason}`);
    },
    RUN_LIMIT_MS,
  );

  test(
    "a broken adapter fails the run, with the name of the case",
    async () => {
      const { code, output } = await run([...args, only, CAUGHT, file], { DROPS_LAST: "1" });
      expect(code).not.toBe(0);
      expect(output).toContain(`write: ${CAUGHT}`);
      expect(output).toContain("expected, and missing:");
    },
    RUN_LIMIT_MS,
  );
});

test("the README's lines about processes run", async () => {
  const { code, output } = await run(["processes.mjs"]);
  expect(code, output).toBe(0);
});

test("the README's doubles do what they say", async () => {
  const { code, output } = await run(["doubles.mjs"]);
  expect(code, output).toBe(0);
  expect(output).toMatch(/3 write: transient.*4 write: ok.*\[\]/s);
});
