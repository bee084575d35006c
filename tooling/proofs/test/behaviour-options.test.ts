/** Bad options and bad keys are `TypeError` or `RangeError` before anything is opened or changed. */

import {
  DefaultStorage,
  PersistentQueueStorage,
  type PersistentQueueStorageOptions,
  PersistentStorage,
  QueueStorage,
} from "@leakdb/core";
import type { Adapter } from "@leakdb/core/adapter";
import { referenceAdapter } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { bench, openBehind, openThrough } from "../src/faults/opened-store.js";
import { codeThrownBy, nameThrownBy, thrownBy } from "../src/faults/watched-promise.js";

const COUNTS = ["maxSize", "workers", "batchMax", "batchBytesMax", "highWaterMark", "capacity"] as const;
const DURATIONS = ["writeDelay", "writeTimeout", "flushTimeout"] as const;
const NOT_NUMBERS = ["5", null, {}, true, 5n];

type Bad = readonly [name: string, value: unknown, error: "TypeError" | "RangeError"];

const BAD: readonly Bad[] = [
  ...COUNTS.flatMap((name) => [
    ...NOT_NUMBERS.map((value) => [name, value, "TypeError"] as Bad),
    ...[0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53].map(
      (value) => [name, value, "RangeError"] as Bad,
    ),
  ]),
  ...DURATIONS.flatMap((name) => [
    ...NOT_NUMBERS.map((value) => [name, value, "TypeError"] as Bad),
    ...[-1, Number.NaN].map((value) => [name, value, "RangeError"] as Bad),
  ]),
  ["workers", 1_000_000, "RangeError"],
  ["writeTimeout", 0, "RangeError"],
  ["openTimeout", 0, "RangeError"],
  ["openTimeout", "5", "TypeError"],
  ["coalesce", "yes", "TypeError"],
  ["coalesce", 1, "TypeError"],
  ["values", "cloned", "TypeError"],
  ["values", 1, "TypeError"],
  ["codec", {}, "TypeError"],
  ["codec", null, "TypeError"],
  ["clock", {}, "TypeError"],
  ["clock", null, "TypeError"],
  ["retry", 5, "TypeError"],
  ["retry", { maxAttempts: 0 }, "RangeError"],
  ["retry", { maxAttempts: "8" }, "TypeError"],
  ["retry", { backoff: -1 }, "RangeError"],
  ["retry", { backoff: null }, "TypeError"],
  ["retry", { backoff: 100, maxBackoff: 50 }, "RangeError"],
  ["retry", { maxBackoff: Number.NaN }, "RangeError"],
  ["onProgress", "loud", "TypeError"],
];

const shown = (value: unknown): string =>
  typeof value === "bigint" ? `${value}n` : (JSON.stringify(value) ?? String(value));
const NAMED = BAD.map(
  ([name, value, error]) =>
    [name, typeof value === "number" ? String(value) : shown(value), error, value] as const,
);

test.each(NAMED)("%s: %s is a %s before anything is opened", async (name, _shown, error, value) => {
  for (const Storage of [PersistentQueueStorage, PersistentStorage]) {
    const { recording, backend } = bench();
    const options = { adapter: recording, [name]: value } as unknown as PersistentQueueStorageOptions;
    const thrown = await thrownBy(() => Storage.open(options));
    expect(thrown.name).toBe(error);
    expect(thrown.message).toContain(name);
    expect(recording.calls).toEqual([]);
    expect(backend.owner).toBeUndefined();
  }
  if (name === "onProgress" || name === "openTimeout") return;
  const options = { workerProcess: () => true, [name]: value } as never;
  expect(codeThrownBy(() => new QueueStorage(options))).toBe(error);
});

test.each(["values", "codec", "clock"])("DefaultStorage refuses a bad %s", (name) => {
  expect(codeThrownBy(() => new DefaultStorage({ [name]: 5 } as never))).toBe("TypeError");
});

test.each([
  ["nothing", undefined],
  ["null", null],
  ["a filename", "foobar.db"],
  ["an object without functions", {}],
  ["an adapter without capabilities", { ...shapeOf(referenceAdapter()), capabilities: undefined }],
  [
    "an adapter with no lanes",
    {
      ...shapeOf(referenceAdapter()),
      capabilities: { lanesMax: 0, levels: [], maxKeyBytes: 1, maxValueBytes: 1 },
    },
  ],
])("%s is no adapter", async (_name, adapter) => {
  for (const Storage of [PersistentQueueStorage, PersistentStorage]) {
    expect(await thrownBy(() => Storage.open({ adapter } as never))).toBeInstanceOf(TypeError);
  }
});

test("no options at all are a TypeError that says what is missing", async () => {
  for (const Storage of [PersistentQueueStorage, PersistentStorage]) {
    const error = await thrownBy(() => Storage.open(undefined as never));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain("adapter");
  }
});

test("an option that is undefined is one that was not given", async () => {
  const { storage } = await openBehind({
    maxSize: undefined,
    writeDelay: undefined,
    coalesce: undefined,
    retry: { maxAttempts: undefined, ...{ nothing: undefined } },
    values: undefined,
    codec: undefined,
    onProgress: undefined,
    ...{ nothing: undefined, journal: undefined },
  });
  storage.set("a", 1);
  await storage.close();
});

function shapeOf(adapter: Adapter): Record<string, unknown> {
  const names = ["open", "write", "load", "scan", "sync", "close"] as const;
  return { name: "shape", ...Object.fromEntries(names.map((name) => [name, adapter[name]])) };
}

const BAD_KEYS: readonly [string, unknown, "TypeError" | "RangeError"][] = [
  ["the empty string", "", "RangeError"],
  ["a number", 5, "TypeError"],
  ["undefined", undefined, "TypeError"],
  ["null", null, "TypeError"],
  ["a symbol", Symbol("s"), "TypeError"],
  ["an object", {}, "TypeError"],
  ["a lone surrogate", "\ud800", "TypeError"],
  ["a lone surrogate inside", "a\udc00b", "TypeError"],
  ["1,025 bytes", "x".repeat(1_025), "RangeError"],
  ["1,026 bytes of two each", "é".repeat(513), "RangeError"],
];

describe.each(BAD_KEYS)("%s as a key", (_name, bad, error) => {
  const key = bad as string;

  test.each([
    ["write-behind", openBehind],
    ["write-through", openThrough],
  ] as const)(`is a ${error} in every operation, and nothing changes (%s)`, async (_kind, open) => {
    const { storage, recording } = await open<number>();
    await storage.set("a", 1);
    recording.forget();
    const { version } = storage;
    const operations: (() => unknown)[] = [
      () => storage.get(key),
      () => storage.has(key),
      () => storage.getEntry(key),
      () => storage.getMulti(["a", key]),
      () => storage.set(key, 1),
      () =>
        storage.setMulti([
          ["b", 1],
          [key, 1],
        ]),
      () => storage.add(key, 1),
      () => storage.replace(key, 1),
      () => storage.cas(key, 1, 0),
      () => storage.update(key, () => 1),
      () => storage.incr(key),
      () => storage.decr(key),
      () => storage.delete(key),
      () => storage.deleteMulti(["a", key]),
      () => storage.touch(key),
      () => storage.persisted(version, "stored", { key }),
    ];
    for (const [index, operation] of operations.entries()) {
      if (bad === undefined && index === operations.length - 1) continue;
      expect.soft(await nameThrownBy(operation), String(operation)).toBe(error);
    }
    expect([...storage.entries()]).toEqual([["a", 1]]);
    expect(storage.version).toBe(version);
    expect(recording.batches).toEqual([]);
  });
});

test("prefixes count towards the limit of a key, and may be empty", async () => {
  const { storage } = await openBehind<number>();
  const keyPrefix = "p".repeat(24);
  storage.set("x".repeat(1_000), 1, { keyPrefix });
  expect(codeThrownBy(() => storage.set("x".repeat(1_001), 1, { keyPrefix }))).toBe("RangeError");
  expect(codeThrownBy(() => storage.namespace(keyPrefix).set("x".repeat(1_001), 1))).toBe("RangeError");
  storage.set("a", 1, { keyPrefix: "" });
  expect(storage.get("a")).toBe(1);
  for (const bad of [5, null, "\ud800"]) {
    expect(codeThrownBy(() => storage.get("a", { keyPrefix: bad as string }))).toBe("TypeError");
    expect(codeThrownBy(() => storage.namespace(bad as string))).toBe("TypeError");
  }
  // Each half is malformed and the whole would not be.
  expect(codeThrownBy(() => storage.set("\ude00", 1, { keyPrefix: "\ud83d" }))).toBe("TypeError");
});

test.each([
  "__proto__",
  "constructor",
  "toString",
  "0",
  "-1",
  "a\0b",
  "\0",
  "😀",
  "\uff5e",
  " ",
  "x".repeat(1_024),
])("%j is an ordinary key, stored and there again", async (key) => {
  const { storage, backend, clock } = await openBehind<string>();
  storage.setMulti(new Map([[key, key]]));
  expect(storage.get(key)).toBe(key);
  await storage.close();
  const again = await openBehind<string>({}, { backend, clock });
  expect([...again.storage.entries()]).toEqual([[key, key]]);
  expect(again.storage.delete(key)).toBe(true);
});

test("bad expiries, limits, ranges, levels, versions and timeouts are refused before anything changes", async () => {
  const { storage } = await openBehind<number>();
  storage.set("a", 1);
  const { version } = storage;
  const table: readonly [() => unknown, "TypeError" | "RangeError"][] = [
    [() => storage.set("a", 2, { ttl: 0 }), "RangeError"],
    [() => storage.set("a", 2, { ttl: -5 }), "RangeError"],
    [() => storage.set("a", 2, { ttl: Number.NaN }), "RangeError"],
    [() => storage.set("a", 2, { ttl: "5" as never }), "TypeError"],
    [() => storage.set("a", 2, { expiresAt: Number.NaN }), "RangeError"],
    [() => storage.set("a", 2, { expiresAt: new Date() as never }), "TypeError"],
    [() => storage.set("a", 2, { ttl: 5, expiresAt: 5 }), "TypeError"],
    [() => storage.touch("a", { ttl: 0 }), "RangeError"],
    [() => storage.incr("a", { delta: Number.NaN }), "RangeError"],
    [() => storage.incr("a", { delta: "1" as never }), "TypeError"],
    [() => storage.incr("a", { delta: 1n }), "TypeError"],
    [() => storage.incr("a", { delta: Number.MAX_SAFE_INTEGER }), "RangeError"],
    [() => storage.incr("b", { initialValue: Number.POSITIVE_INFINITY }), "RangeError"],
    [() => storage.update("a", (async () => 2) as never), "TypeError"],
    [() => storage.update("a", () => storage.set("a", 5)), "TypeError"],
    [() => storage.update("a", () => storage.clear()), "TypeError"],
    [() => storage.update("a", 5 as never), "TypeError"],
    [() => storage.cas("a", 2, "1" as never), "TypeError"],
    [() => storage.keys({ limit: -1 }), "RangeError"],
    [() => storage.keys({ limit: 1.5 }), "RangeError"],
    [() => storage.keys({ limit: "1" as never }), "TypeError"],
    [() => storage.keys({ prefix: 5 as never }), "TypeError"],
    [() => storage.keys({ gt: 5 as never }), "TypeError"],
    [() => storage.keys({ reverse: "no" as never }), "TypeError"],
    [() => storage.setMulti(5 as never), "TypeError"],
    [() => storage.setMulti(null as never), "TypeError"],
    [() => storage.setMulti("ab" as never), "TypeError"],
    [() => storage.getMulti(5 as never), "TypeError"],
    [() => storage.clear({ prefix: 5 as never }), "TypeError"],
    [() => storage.namespace("p", { values: "cloned" as never }), "TypeError"],
    [() => storage.persisted(version + 1), "RangeError"],
    [() => storage.persisted(-1), "RangeError"],
    [() => storage.persisted("1" as never), "TypeError"],
    [() => storage.persisted(version, "durable" as never), "TypeError"],
    [() => storage.flush({ level: "durable" as never }), "TypeError"],
    [() => storage.flush({ upTo: version + 1 }), "RangeError"],
    [() => storage.flush({ timeout: -1 }), "RangeError"],
    [() => storage.flush({ timeout: "1" as never }), "TypeError"],
    [() => storage.drained({ timeout: Number.NaN }), "RangeError"],
    [() => storage.close({ timeout: -1 }), "RangeError"],
    [() => storage.close({ timeout: "1" as never }), "TypeError"],
  ];
  for (const [run, error] of table) expect.soft(await nameThrownBy(run), String(run)).toBe(error);
  expect([...storage.entries()]).toEqual([["a", 1]]);
  expect(storage.getEntry("a")?.expiresAt).toBeUndefined();
  expect(storage.version).toBe(version);
  storage.set("a", 3);
});
