/** The example with which LeakDB for Python (2014) introduced itself, line for line, on a real file and on a clock. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PersistentQueueStorage } from "@leakdb/core";
import { sqlite } from "@leakdb/sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { openBehind, openThrough, sentKeys, stored } from "../src/faults/opened-store.js";

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "leakdb-first-example-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test("does what it did in 2014: sets, counts, reads many, prints itself, flushes, closes and is there again", async () => {
  const filename = join(temporaryDirectory(), "foobar.db");
  const leak = await PersistentQueueStorage.open<string | number>({
    adapter: sqlite({ filename }),
    maxSize: 100,
    workers: 1,
    writeDelay: 60_000,
  });
  leak.set("bar", "fooo");
  leak.set("foo", 2, { keyPrefix: "test_" });
  expect(leak.incr("foo", { keyPrefix: "test_", delta: 5 })).toBe(7);
  expect(leak.incr("foobar", { initialValue: 1000 })).toBe(1000);
  expect(leak.getMulti(["bar", "foobar"])).toEqual(
    new Map<string, string | number>([
      ["bar", "fooo"],
      ["foobar", 1000],
    ]),
  );
  expect(leak.getMulti(["foo", "absent"], { keyPrefix: "test_" })).toEqual(new Map([["foo", 7]]));
  expect(leak.get("test_foo")).toBe(7);
  expect(String(leak)).toMatch(/^foobar\.db \d+ bytes :: 3 items in queue :: 3 items in storage memory$/);
  await leak.flush();
  expect(String(leak)).toMatch(
    /^foobar\.db [1-9]\d* bytes :: 0 items in queue :: 3 items in storage memory$/,
  );
  await leak.close();

  const again = await PersistentQueueStorage.open<string | number>({ adapter: sqlite({ filename }) });
  expect(Object.fromEntries(again.entries())).toEqual({ bar: "fooo", foobar: 1000, test_foo: 7 });
  expect(String(again)).toMatch(/:: 0 items in queue :: 3 items in storage memory$/);
  await again.close();
});

describe("maxSize: 1, workers: 1", () => {
  test("persists each operation by itself, in its order, none coalesced", async () => {
    const { storage, clock, recording, backend } = await openBehind<number>({ maxSize: 1, workers: 1 });
    const versions = [
      storage.set("a", 1),
      storage.set("a", 2),
      storage.incr("a") && storage.version,
      storage.set("b", 1),
      storage.delete("b") && storage.version,
      storage.setMulti({ c: 1, d: 2 }) - 1,
      storage.version,
    ];
    await clock.settle(50);
    expect(sentKeys(recording)).toEqual([["a"], ["a"], ["a"], ["b"], ["b"], ["c"], ["d"]]);
    expect(recording.batches.flat().map(({ version }) => version)).toEqual(versions);
    expect(stored(backend)).toEqual({ a: 3, c: 1, d: 2 });
    expect(storage.stats().queue).toMatchObject({ batches: 7, stored: 7, coalesced: 0, waiting: 0 });
  });

  test("does not wait for writeDelay", async () => {
    const { storage, clock, backend } = await openBehind<number>({ maxSize: 1, writeDelay: 1_000_000 });
    storage.set("a", 1);
    await clock.settle();
    expect(stored(backend)).toEqual({ a: 1 });
  });
});

test("the mistakes of 2014 are not made again", async () => {
  const { storage, clock, backend } = await openBehind<unknown>();
  // Deleting a falsy value skipped persistence, so the key came back.
  storage.set("zero", 0);
  await clock.advance(1_000);
  expect(storage.delete("zero")).toBe(true);
  // `incr` on an existing 0 applied the initial value.
  storage.set("count", 0);
  expect(storage.incr("count", { initialValue: 1000 })).toBe(1);
  // Only `set` honoured the prefix.
  storage.set("key", 1, { keyPrefix: "p_" });
  expect(storage.get("key", { keyPrefix: "p_" })).toBe(1);
  expect(storage.has("key", { keyPrefix: "p_" })).toBe(true);
  expect(storage.replace("key", 2, { keyPrefix: "p_" })).toBeTypeOf("number");
  expect(storage.touch("key", { keyPrefix: "p_", ttl: 10_000 })).toBe(true);
  expect(storage.update("key", () => 3, { keyPrefix: "p_" })).toBe(3);
  expect([...storage.keys({ keyPrefix: "p_" })]).toEqual(["key"]);
  expect(storage.delete("key", { keyPrefix: "p_" })).toBe(true);
  await storage.close();
  // Three queued sets were gone after a close.
  expect(stored(backend)).toEqual({ count: 1 });
});

test.each([null, 0, "", false, -0, Number.NaN])(
  "%s is a value like any other, in each storage and after reopening",
  async (value) => {
    for (const open of [openBehind, openThrough]) {
      const { storage, clock, backend } = await open();
      await storage.set("key", value);
      expect(storage.has("key")).toBe(true);
      expect(storage.get("key")).toBe(value);
      expect(await storage.add("key", 1)).toBeUndefined();
      await storage.close();
      const again = await open({}, { backend, clock });
      expect(again.storage.get("key")).toBe(value);
      expect(await again.storage.delete("key")).toBe(true);
    }
  },
);
