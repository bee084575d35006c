/** Entries that expire while they are dirty are sent as deletes of their version (I4), never undone by a load (I3). */

import { describe, expect, test } from "vitest";
import { openBehind, openThrough, stored } from "../src/faults/opened-store.js";
import { watched } from "../src/faults/watched-promise.js";

describe.each([1, 3])("a dirty entry that expires (%i lanes)", (workers) => {
  test("before it is sent is sent as a delete of its version", async () => {
    const { storage, clock, recording, backend } = await openBehind<number>({ workers });
    storage.set("a", 1);
    await clock.advance(1_000);
    recording.forget();
    const version = storage.set("a", 2, { ttl: 50 });
    await clock.advance(1_000);
    expect(recording.batches.flat()).toEqual([{ type: "delete", key: "a", version }]);
    expect(stored(backend)).toEqual({});
    expect(storage.has("a")).toBe(false);
  });

  test("while the backend is down is gone from it afterwards, and waits no longer", async () => {
    const { storage, clock, faulty, backend } = await openBehind<number>({ workers });
    for (let index = 0; index < 20; index += 1) storage.set(`key ${index}`, 1);
    await clock.advance(1_000);
    faulty.goDown();
    for (let index = 0; index < 10; index += 1) storage.set(`key ${index}`, 2, { ttl: 5_000 });
    await clock.advance(60_000);
    expect(storage.size).toBe(10);
    expect(storage.has("key 1")).toBe(false);
    faulty.goUp();
    const flushing = watched(storage.flush());
    await clock.advance(60_000);
    expect(flushing.outcome).toBe("resolved");
    const left = [...backend.records.values()].filter(
      ({ expiresAt }) => expiresAt === 0 || expiresAt > clock.now(),
    );
    expect(left).toHaveLength(10);
    expect(storage.stats().queue?.waiting).toBe(0);
  });

  test("and is set again is stored with its new value", async () => {
    const { storage, clock, faulty, backend, recording } = await openBehind<number>({ workers });
    faulty.goDown();
    storage.set("a", 1, { ttl: 1_000 });
    await clock.advance(5_000);
    expect(storage.add("a", 2)).toBeTypeOf("number");
    await clock.advance(5_000);
    faulty.goUp();
    await clock.advance(60_000);
    expect(stored(backend)).toEqual({ a: 2 });
    expect(backend.records.get("a")?.expiresAt).toBe(0);
    expect(recording.brokenPromises).toEqual([]);
  });
});

test("expiry travels with the record, and an expired one is not loaded again", async () => {
  const { storage, clock, backend } = await openBehind<number>();
  const startMs = clock.now();
  storage.set("long", 1, { ttl: 10_000 });
  storage.set("short", 1, { expiresAt: startMs + 2_000 });
  storage.set("never", 1, { ttl: 3_000 });
  storage.set("never", 1);
  await storage.close();
  expect(backend.records.get("long")?.expiresAt).toBe(startMs + 10_000);
  expect(backend.records.get("never")?.expiresAt).toBe(0);
  await clock.advance(2_000);
  const again = await openBehind<number>({}, { backend, clock });
  expect([...again.storage.keys()].sort()).toEqual(["long", "never"]);
  expect(again.storage.getEntry("long")?.expiresAt).toBe(startMs + 10_000);
  await clock.advance(7_999);
  expect(again.storage.has("long")).toBe(true);
  await clock.advance(1);
  expect(again.storage.has("long")).toBe(false);
});

test("a touch is sent: the backend has the new expiry", async () => {
  const { storage, clock, backend } = await openBehind<number>();
  storage.set("a", 1);
  await clock.advance(1_000);
  expect(storage.touch("a", { ttl: 5_000 })).toBe(true);
  const expiresAt = clock.now() + 5_000;
  await clock.advance(1_000);
  expect(backend.records.get("a")?.expiresAt).toBe(expiresAt);
  expect(storage.touch("a")).toBe(true);
  await clock.advance(1_000);
  expect(backend.records.get("a")?.expiresAt).toBe(0);
});

test("an expiry that has passed already makes the entry absent at once, in memory and in the backend", async () => {
  const { storage, clock, backend } = await openBehind<number>();
  storage.set("a", 1);
  await clock.advance(1_000);
  storage.set("a", 2, { expiresAt: 1 });
  expect(storage.has("a")).toBe(false);
  expect(storage.size).toBe(0);
  await clock.advance(1_000);
  expect(stored(backend)).toEqual({});
});

test("write-through: an entry expires in memory without a write, and its key counts as absent", async () => {
  const { storage, clock, recording } = await openThrough<number>();
  await storage.set("a", 1, { ttl: 1_000 });
  recording.forget();
  await clock.advance(1_000);
  expect(storage.get("a")).toBeUndefined();
  expect(await storage.replace("a", 2)).toBeUndefined();
  expect(await storage.delete("a")).toBe(false);
  expect(recording.batches).toEqual([]);
  expect(await storage.incr("a", { initialValue: 7 })).toBe(7);
});
