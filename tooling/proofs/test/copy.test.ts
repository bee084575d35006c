/** What `copy` promises where nothing fails: the same records, versions and expiries, and the high version. */

import {
  type CopyOptions,
  type CopyProgress,
  copy,
  DefaultStorage,
  PersistentQueueStorage,
  PersistentStorage,
} from "@leakdb/core";
import type { Adapter } from "@leakdb/core/adapter";
import { ManualClock, ReferenceBackend, recordingAdapter, referenceAdapter } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import {
  contents,
  FIRST_VERSION,
  fill,
  inFile,
  inMemory,
  numbered,
  opened,
  put,
  textOf,
} from "../src/copy/backends.js";

const HOUR_MS = 3_600_000;
const HOSTILE_KEYS = [
  ...["__proto__", "constructor", "\0", "a\0", "a", "ab", "😀", "\uff5e", "\uffff", "\u{10ffff}", " ", "'"],
  ...["k".repeat(1_024), "é".repeat(512), "https://example.org/?q=1", "leakdb", "1", "10", "2"],
];

const DIRECTIONS = [
  ["reference to SQLite", inMemory, inFile],
  ["SQLite to reference", inFile, inMemory],
  ["SQLite to SQLite", inFile, inFile],
  ["reference to reference", inMemory, inMemory],
] as const;

describe.each(DIRECTIONS)("%s", (_, makeFrom, makeTo) => {
  test("a hundred thousand records arrive, and are verified", async () => {
    const [from, to] = [makeFrom(), makeTo()];
    const records = numbered(100_000);
    await fill(from, records);
    const report = await copy(from(), to());
    expect(report).toMatchObject({ records: 100_000, alreadyThere: 0, skippedExpired: 0, verified: true });
    expect(report.bytes).toBe(records.reduce((sum, { value }) => sum + value.byteLength, 0));
    expect(await contents(to)).toEqual(await contents(from));
  }, 60_000);

  test("hostile keys, empty values, old versions and far expiries arrive to the byte", async () => {
    const [from, to] = [makeFrom(), makeTo()];
    const expiresAt = Date.now() + HOUR_MS;
    await fill(from, [
      ...HOSTILE_KEYS.map((key, index) => put(key, index % 3 === 0 ? "" : key, index + 1, expiresAt + index)),
      { ...put("old", "one", 0), version: 1 },
      { ...put("at the end of time", "one", 0), version: Number.MAX_SAFE_INTEGER - 1 },
    ]);
    await copy(from(), to());
    const { records, highVersion } = await contents(to);
    expect(records).toHaveLength(HOSTILE_KEYS.length + 2);
    expect({ records, highVersion }).toEqual(await contents(from));
  });

  test("the high version survives, though the newest mutation was a delete", async () => {
    const [from, to] = [makeFrom(), makeTo()];
    await fill(from, [put("a", "one", 1), put("b", "two", 2)]);
    await fill(from, [{ type: "delete", key: "b", version: FIRST_VERSION + 9 }]);
    await copy(from(), to());
    expect(await contents(to)).toEqual({
      records: [textOf(put("a", "one", 1))],
      highVersion: FIRST_VERSION + 9,
    });
  });

  test("what has expired is left out", async () => {
    const [from, to] = [makeFrom(), makeTo()];
    await fill(from, [put("gone", "one", 1, Date.now() - 1), put("here", "two", 2, Date.now() + HOUR_MS)]);
    expect(await copy(from(), to())).toMatchObject({ records: 1, bytes: 3, skippedExpired: 1 });
    expect((await contents(to)).records).toHaveLength(1);
  });

  test("an empty store is copied with its high version, a new one to nothing", async () => {
    const [from, to] = [makeFrom(), makeTo()];
    expect(await copy(from(), to())).toMatchObject({ records: 0, verified: true });
    expect(await contents(to)).toEqual({ records: [], highVersion: 0 });
    await fill(from, [{ type: "clear", prefix: "", version: 7 }]);
    await copy(from(), to());
    expect(await contents(to)).toEqual({ records: [], highVersion: 7 });
  });
});

test("a storage over the copy goes on where the storage over the source has ended", async () => {
  const [from, to] = [inFile(), inFile()];
  const clock = new ManualClock(Date.now() + 100 * HOUR_MS);
  const first = await PersistentQueueStorage.open<unknown>({ adapter: from(), clock });
  first.set("session", { user: "ada", since: new Date(0) }, { ttl: HOUR_MS });
  first.set("visits", 12n);
  first.set("passing", "by");
  first.delete("passing");
  const entries = ["session", "visits"].map((key) => first.getEntry(key));
  const { version } = first;
  const closing = first.close();
  await clock.advance(1_000);
  await closing;

  expect(await copy(from(), to(), { clock })).toMatchObject({ records: 2 });
  // Its clock is behind: only the high version keeps what it issues above what the source has issued.
  const second = await PersistentStorage.open<unknown>({ adapter: to() });
  expect(["session", "visits"].map((key) => second.getEntry(key))).toEqual(entries);
  expect(second.size).toBe(2);
  expect(await second.set("next", 1)).toBeGreaterThan(version);
  await second.close();
});

test("the source is only read, and keeps what it held", async () => {
  const from = recordingAdapter(referenceAdapter());
  const to = inMemory();
  await copy(from, to());
  expect(from.calls.map(({ operation }) => operation)).not.toContain("write");
  expect(from.brokenPromises).toEqual([]);
});

test("batches keep both limits, and every promise of core to the adapter", async () => {
  const backend = new ReferenceBackend();
  const from = inMemory();
  await fill(from, [...numbered(1_000), put("large", "x".repeat(5_000), 2_000)]);
  const to = recordingAdapter(referenceAdapter({ backend }));
  await copy(from(), to, { batchMax: 64, batchBytesMax: 2_000 });
  expect(to.brokenPromises).toEqual([]);
  const [mark, ...batches] = to.batches;
  expect(mark).toMatchObject([{ type: "delete", version: FIRST_VERSION + 2_000 }]);
  for (const batch of batches) {
    const bytes = batch.reduce((sum, one) => sum + (one.type === "put" ? one.value.byteLength : 0), 0);
    expect(batch.length <= 64 && (bytes <= 2_000 || batch.length === 1)).toBe(true);
  }
  expect(backend.records.size).toBe(1_001);
});

test("it syncs the target where it can, and only there", async () => {
  for (const levels of [["stored"], ["stored", "synced"]] as const) {
    const to = recordingAdapter(referenceAdapter({ capabilities: { levels } }));
    await copy(inMemory()(), to);
    expect(to.calls.filter(({ operation }) => operation === "sync")).toHaveLength(levels.length - 1);
  }
});

test("progress is told by phase, rising, up to the whole", async () => {
  const from = inMemory();
  await fill(from, numbered(5_000));
  const told: CopyProgress[] = [];
  const report = await copy(from(), inMemory()(), {
    batchMax: 1_000,
    onProgress: (each) => told.push(each),
  });
  const copying = told.filter(({ phase }) => phase === "copying").map(({ records }) => records);
  expect(copying).toEqual([1_000, 2_000, 3_000, 4_000, 5_000]);
  const verifying = told.filter(({ phase }) => phase === "verifying").map(({ records }) => records);
  expect(verifying).toEqual([...verifying].sort((a, b) => a - b));
  expect(told.at(-1)).toEqual({ phase: "verifying", records: 5_000, bytes: report.bytes });
});

test("without verification nothing is read back", async () => {
  const from = inMemory();
  await fill(from, numbered(10));
  const to = recordingAdapter(referenceAdapter());
  expect(await copy(from(), to, { verify: false })).toMatchObject({ records: 10, verified: false });
  expect(to.calls.map(({ operation }) => operation)).toEqual([
    "open",
    "scan",
    "write",
    "write",
    "sync",
    "close",
  ]);
});

describe("refused before anything is opened:", () => {
  const adapter = (): Adapter => recordingAdapter(referenceAdapter());

  test.each<[string, unknown, typeof Error]>([
    ["an option that does not exist", { veryfy: true }, TypeError],
    ["verify that is no boolean", { verify: 1 }, TypeError],
    ["a signal that is none", { signal: {} }, TypeError],
    ["null as a signal", { signal: null }, TypeError],
    ["onProgress that is no function", { onProgress: true }, TypeError],
    ["onFault that is no function", { onFault: "log" }, TypeError],
    ["a batch of none", { batchMax: 0 }, RangeError],
    ["a time before now", { openTimeout: -1 }, RangeError],
    ["an unknown option of retry", { retry: { attempts: 3 } }, TypeError],
    ["options that are none", null, TypeError],
  ])("%s", async (_, options, kind) => {
    const [from, to] = [recordingAdapter(referenceAdapter()), recordingAdapter(referenceAdapter())];
    await expect(copy(from, to, options as CopyOptions)).rejects.toThrow(kind);
    expect([...from.calls, ...to.calls]).toEqual([]);
  });

  test("what is no adapter, and one adapter for both", async () => {
    const one = adapter();
    await expect(copy(undefined as never, one)).rejects.toThrow(/from must be an adapter/);
    await expect(copy(one, new DefaultStorage() as never)).rejects.toThrow(/to must be an adapter/);
    await expect(copy(one, one)).rejects.toThrow(TypeError);
  });

  test("an adapter that a storage has open, which then goes on", async () => {
    const open = adapter();
    const other = adapter();
    const storage = await PersistentStorage.open({ adapter: open });
    await expect(copy(open, other)).rejects.toThrow(TypeError);
    await expect(copy(other, open)).rejects.toThrow(TypeError);
    await storage.set("a", 1);
    await storage.close();
    await copy(open, other);
  });
});

describe("refused unharmed:", () => {
  test("the same backend on both sides", async () => {
    for (const make of [inMemory, inFile]) {
      const backend = make();
      await fill(backend, numbered(3));
      const before = await contents(backend);
      await expect(copy(backend(), backend())).rejects.toMatchObject({ code: "LEAKDB_LOCKED" });
      expect(await contents(backend)).toEqual(before);
    }
  });

  test("two adapters whose backends have one store id", async () => {
    const backend = new ReferenceBackend();
    const twin = Object.assign(new ReferenceBackend(), { storeId: backend.storeId });
    const copying = copy(referenceAdapter({ backend }), referenceAdapter({ backend: twin }));
    await expect(copying).rejects.toMatchObject({ code: "LEAKDB_NOT_SUPPORTED" });
    expect([backend.owner, twin.owner]).toEqual([undefined, undefined]);
  });

  test.each([
    ["other contents", [put("other", "one", 1)]],
    ["contents that are newer", [put("key 0000001", "newer", 500)]],
    ["contents that are older", [put("key 0000001", "older", 0)]],
    ["a key more, under the same high version", [put("more", "one", 100)]],
    ["another value of the same version", [put("key 0000099", "other", 100)]],
    ["another expiry of the same version", [put("key 0000099", "value 99", 100, 4e12)]],
    ["nothing but a past", [put("a", "one", 1), { type: "clear", prefix: "", version: FIRST_VERSION + 2 }]],
  ] as const)("a target with %s", async (_, mutations) => {
    const [from, to] = [inMemory(), inMemory()];
    await fill(from, numbered(100));
    await fill(to, mutations);
    const before = await contents(to);
    const recording = recordingAdapter(to());
    await expect(copy(from(), recording)).rejects.toMatchObject({ code: "LEAKDB_NOT_SUPPORTED" });
    expect(recording.batches).toEqual([]);
    expect(await contents(to)).toEqual(before);
  });

  test.each([
    ["a key", { maxKeyBytes: 10 }, /2 of the records, the first "key 0000000"/],
    ["a value", { maxValueBytes: 2 }, /1 of the records, the first "short"/],
  ])("%s longer than the target takes, before anything is written", async (_, capabilities, message) => {
    const from = inMemory();
    const records = [put("short", "one", 1), put("b", "on", 2), put("c", "long but expired", 3, 1)];
    const isKey = "maxKeyBytes" in capabilities;
    await fill(from, isKey ? [...records, ...numbered(2)] : records);
    const to = recordingAdapter(referenceAdapter({ capabilities }));
    await expect(copy(from(), to)).rejects.toMatchObject({
      code: "LEAKDB_ADAPTER_REJECTED",
      message: expect.stringMatching(message),
    });
    expect(to.batches).toEqual([]);
  });

  test("a source that cannot be opened", async () => {
    const to = recordingAdapter(referenceAdapter());
    const from = inMemory();
    const holder = from();
    await opened(holder, async () => {
      await expect(copy(from(), to)).rejects.toMatchObject({ code: "LEAKDB_LOCKED", retryable: true });
    });
    expect(to.calls.map(({ operation }) => operation)).not.toContain("open");
  });
});
