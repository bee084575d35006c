import assert from "node:assert/strict";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ReferenceBackend, referenceAdapter } from "../reference-adapter.js";
import { ConformanceRun } from "./conformance-run.js";
import { forAll } from "./for-all.js";

// A failure elsewhere may be repeated with these variables; here they would only confuse.
beforeEach(() => {
  for (const name of ["LEAKDB_SEED", "LEAKDB_PATH", "LEAKDB_RUNS"]) vi.stubEnv(name, undefined);
});
afterEach(() => vi.unstubAllEnvs());

interface Tried {
  readonly values: number[];
  readonly disposed: () => number;
  readonly message: string;
}

/** Tries numbers, of which those from 100 on fail, and says which and how that was told. */
async function tryNumbers(seed?: number): Promise<Tried> {
  let disposed = 0;
  const run = await ConformanceRun.begin({
    name: "numbers",
    seed,
    create: () => ({
      adapter: () => referenceAdapter({ backend: new ReferenceBackend() }),
      dispose: () => {
        disposed += 1;
      },
    }),
  });
  const values: number[] = [];
  const trying = forAll(run, fc.nat({ max: 10_000 }), async (_fresh, value) => {
    values.push(value);
    assert.ok(value < 100, `${value} is too much`);
  });
  const error = await trying.then(
    () => assert.fail("numbers from 100 on must fail"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof assert.AssertionError)) throw error;
  return { values, disposed: () => disposed, message: error.message };
}

test("a failure names the smallest value that fails, its seed and its path", async () => {
  const { message } = await tryNumbers(7);
  expect(message).toMatch(/^100 is too much\nafter this, made smaller \d+ times:\n100\n/);
  expect(message).toMatch(/running this case alone with LEAKDB_SEED=7 LEAKDB_PATH="[\d:]+"$/);
});

test("equal seeds try equal values, others try others, and the environment goes first", async () => {
  const [first, second, third] = [await tryNumbers(7), await tryNumbers(7), await tryNumbers(8)];
  expect(second.values).toEqual(first.values);
  expect(third.values).not.toEqual(first.values);
  vi.stubEnv("LEAKDB_SEED", "8");
  expect((await tryNumbers(7)).values).toEqual(third.values);
});

test("the path goes straight to the smallest value", async () => {
  const { message } = await tryNumbers(7);
  vi.stubEnv("LEAKDB_SEED", "7");
  vi.stubEnv("LEAKDB_PATH", /LEAKDB_PATH="([\d:]+)"/.exec(message)?.[1]);
  const repeated = await tryNumbers();
  expect(repeated.values[0]).toBe(100);
});

test("each value has a storage of its own, which is disposed of", async () => {
  const { values, disposed } = await tryNumbers(7);
  expect(disposed()).toBe(values.length);
});

test("a seed that is none is refused", async () => {
  vi.stubEnv("LEAKDB_SEED", "seven");
  await expect(tryNumbers()).rejects.toThrow(/an integer or "random", not seven/);
});
