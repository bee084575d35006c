/** Write-through: operations of one key go one after the other, those of different keys share batches, all bounded. */

import { describe, expect, test } from "vitest";
import { FLUSH_TIMEOUT_MS, WRITE_TIMEOUT_MS } from "../src/faults/durations.js";
import { inMemory, openThrough, sentKeys, stored } from "../src/faults/opened-store.js";
import { codeThrownBy, thrownBy, watched } from "../src/faults/watched-promise.js";

describe("operations of one key", () => {
  test("go in the order of their calls, each deciding on what the one before committed", async () => {
    const { storage, backend, recording } = await openThrough<number>();
    const results = await Promise.all([
      storage.incr("a"),
      storage.incr("a", { delta: 5 }),
      storage.add("a", 100),
      storage.update("a", (value) => (value ?? 0) * 2),
      storage.delete("a"),
      storage.replace("a", 1),
      storage.add("a", 50),
      storage.decr("a"),
    ]);
    expect(results.slice(0, 6)).toEqual([1, 6, undefined, 12, true, undefined]);
    expect(results[7]).toBe(49);
    expect(stored(backend)).toEqual({ a: 49 });
    expect(recording.brokenPromises).toEqual([]);
    for (const batch of recording.batches) expect(batch).toHaveLength(1);
  });

  test("cas has one winner among many that saw the same version", async () => {
    const { storage } = await openThrough<number>();
    const version = await storage.set("a", 0);
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, index) => storage.cas("a", index, version)),
    );
    expect(results.filter((result) => result !== undefined)).toHaveLength(1);
    expect(storage.get("a")).toBe(0);
  });

  test("go on after one that was rejected, in a fresh decision", async () => {
    const { storage, clock, faulty, backend } = await openThrough<number>();
    await storage.set("a", 1);
    faulty.script("write", "permanent");
    const first = watched(storage.set("a", 100));
    const second = watched(storage.incr("a"));
    await clock.advance(1_000);
    expect(first.outcome).toBe("LEAKDB_ADAPTER_REJECTED");
    expect(second.value).toBe(2);
    expect(stored(backend)).toEqual({ a: 2 });
  });

  test("behind one that hangs get a deadline of their own", async () => {
    const { storage, clock, faulty, backend } = await openThrough<number>();
    faulty.script("write", "hang", "hang", "hang", "hang", "hang");
    const writes = Array.from({ length: 5 }, (_, index) => watched(storage.set("a", index)));
    await clock.advance(2 * WRITE_TIMEOUT_MS);
    for (const { outcome } of writes) expect(outcome).toMatch(/LEAKDB_(PERHAPS_APPLIED|TIMEOUT)/);
    faulty.heal();
    await clock.advance(2 * WRITE_TIMEOUT_MS);
    expect(await storage.incr("a", { initialValue: 7 })).toBe(7);
    expect(stored(backend)).toEqual({ a: 7 });
  });

  test("an operation rejected with LEAKDB_TIMEOUT was not applied and never will be", async () => {
    const { storage, clock, faulty, backend, recording } = await openThrough<number>();
    faulty.gate.hold();
    const first = watched(storage.set("a", 1));
    await clock.advance(WRITE_TIMEOUT_MS / 2);
    const second = watched(storage.set("a", 2));
    await clock.advance(2 * WRITE_TIMEOUT_MS);
    expect(first.outcome).toBe("LEAKDB_PERHAPS_APPLIED");
    faulty.heal();
    await clock.advance(2 * WRITE_TIMEOUT_MS);
    expect(["resolved", "LEAKDB_TIMEOUT", "LEAKDB_PERHAPS_APPLIED"]).toContain(second.outcome);
    if (second.outcome === "LEAKDB_TIMEOUT") {
      expect(recording.batches.flat().map((mutation) => mutation.version)).toHaveLength(1);
      expect(stored(backend)["a"]).not.toBe(2);
    }
  });

  test("a mistake inside update rejects, changes nothing and holds nobody up", async () => {
    const { storage } = await openThrough<number>();
    await storage.set("a", 1);
    const mistake = new Error("a mistake of the caller");
    const thrown = await thrownBy(() =>
      storage.update("a", () => {
        throw mistake;
      }),
    );
    expect(thrown).toBe(mistake);
    expect(await thrownBy(() => storage.incr("a", { delta: Number.MAX_SAFE_INTEGER }))).toBeInstanceOf(
      RangeError,
    );
    expect(await storage.incr("a")).toBe(2);
  });
});

describe("operations of different keys", () => {
  test("share batches, and one that waits for its chain keeps no other from going", async () => {
    const { storage, clock, faulty, recording } = await openThrough<number>();
    const writes = Array.from({ length: 100 }, (_, index) => storage.set(`key ${index}`, index));
    await Promise.all(writes);
    expect(recording.batches.length).toBeLessThanOrEqual(2);
    recording.forget();
    faulty.gate.hold();
    const slow = watched(storage.set("key 0", 1));
    await clock.settle();
    const rest = [1, 2, 3].map((index) => watched(storage.set(`key ${index}`, 0)));
    const next = watched(storage.set("key 0", 2));
    await clock.settle();
    faulty.heal();
    await clock.advance(1_000);
    expect([slow, next, ...rest].map(({ outcome }) => outcome)).toEqual(Array(5).fill("resolved"));
    expect(recording.brokenPromises).toEqual([]);
    expect(storage.get("key 0")).toBe(2);
  });

  test("get shows the last committed value meanwhile, and so do iteration and size", async () => {
    const { storage, clock, faulty } = await openThrough<number>();
    await storage.setMulti({ a: 1, b: 1 });
    faulty.gate.hold();
    const writes = [storage.set("a", 2), storage.set("c", 2), storage.delete("b")].map((each) =>
      watched<unknown>(each),
    );
    await clock.settle();
    expect(inMemory(storage)).toEqual({ a: 1, b: 1 });
    expect(storage.size).toBe(2);
    faulty.heal();
    await clock.advance(1_000);
    expect(writes.map(({ outcome }) => outcome)).toEqual(["resolved", "resolved", "resolved"]);
    expect(inMemory(storage)).toEqual({ a: 2, c: 2 });
  });
});

describe("a setMulti", () => {
  test("joins the chains of its keys: after what was asked before, before what is asked after", async () => {
    const { storage, backend } = await openThrough<number>();
    const results = await Promise.all([
      storage.incr("a"),
      storage.setMulti({ a: 10, b: 20 }),
      storage.incr("a"),
      storage.incr("b"),
      storage.setMulti(
        new Map([
          ["b", 1],
          ["c", 1],
        ]),
      ),
      storage.incr("c"),
    ]);
    expect([results[0], results[2], results[3], results[5]]).toEqual([1, 11, 21, 2]);
    expect(stored(backend)).toEqual({ a: 11, b: 1, c: 2 });
  });

  test("is one batch of rising versions, however many others are under way", async () => {
    const { storage, recording } = await openThrough<number>();
    const entries = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`key ${index}`, index]));
    const version = await storage.setMulti(entries);
    expect(recording.batches).toHaveLength(1);
    expect(recording.batches[0]).toHaveLength(50);
    expect(recording.batches[0]?.at(-1)?.version).toBe(version);
    expect(storage.getEntry("key 49")?.version).toBe(version);
  });

  test("that crosses another one the other way round does not lock up", async () => {
    const { storage, clock } = await openThrough<number>();
    const both = watched(
      Promise.all([
        storage.setMulti([
          ["a", 1],
          ["b", 1],
        ]),
        storage.setMulti([
          ["b", 2],
          ["a", 2],
        ]),
        storage.deleteMulti(["b", "a"]),
        storage.clear(),
        storage.setMulti([
          ["a", 3],
          ["b", 3],
        ]),
      ]),
    );
    await clock.advance(1_000);
    expect(both.outcome).toBe("resolved");
    expect(inMemory(storage)).toEqual({ a: 3, b: 3 });
  });
});

test("a clear waits for what was asked before it, and what is asked after it waits for it", async () => {
  const { storage, clock, backend } = await openThrough<number>({ workers: 4 });
  const results = watched(
    Promise.all([
      storage.set("a", 1),
      storage.set("p b", 1),
      storage.clear(),
      storage.add("a", 2),
      storage.add("p b", 2),
      storage.clear({ prefix: "p" }),
      storage.set("p c", 3),
    ]),
  );
  await clock.advance(1_000);
  expect(results.value?.[2]).toBe(2);
  expect(results.value?.[5]).toBe(1);
  expect(inMemory(storage)).toEqual({ a: 2, "p c": 3 });
  expect(stored(backend)).toEqual(inMemory(storage));
});

describe("bounds of write-through", () => {
  test("an operation past the capacity rejects with LEAKDB_QUEUE_FULL, of one key or of many", async () => {
    const { storage, clock, faulty, backend } = await openThrough<number>({ capacity: 5 });
    faulty.gate.hold();
    const sameKey = Array.from({ length: 8 }, () => watched(storage.incr("a")));
    await clock.settle();
    expect(
      sameKey.map(({ outcome }) => outcome).filter((outcome) => outcome === "LEAKDB_QUEUE_FULL"),
    ).toHaveLength(3);
    const other = watched(storage.set("b", 1));
    await clock.settle();
    expect(other.outcome).toBe("LEAKDB_QUEUE_FULL");
    faulty.heal();
    await clock.advance(1_000);
    expect(stored(backend)).toEqual({ a: 5 });
    await storage.set("b", 1);
  });

  test("the high-water mark asks to drain, and drained resolves once it is over", async () => {
    const { storage, clock, faulty, events } = await openThrough<number>({ highWaterMark: 2 });
    faulty.gate.hold();
    for (let index = 0; index < 4; index += 1) void watched(storage.set(`key ${index}`, index));
    await clock.settle();
    expect(storage.needDrain).toBe(true);
    const drained = watched(storage.drained());
    faulty.heal();
    await clock.advance(1_000);
    expect(drained.outcome).toBe("resolved");
    expect(events.of("drain")).toHaveLength(1);
  });

  test("a batch never holds more than batchMax, however many operations wait", async () => {
    const { storage, clock, recording } = await openThrough<number>({ batchMax: 7 });
    const writes = Array.from({ length: 100 }, (_, index) => watched(storage.set(`key ${index}`, index)));
    await clock.advance(1_000);
    expect(writes.every(({ outcome }) => outcome === "resolved")).toBe(true);
    expect(Math.max(...sentKeys(recording).map((batch) => batch.length))).toBe(7);
    expect(recording.brokenPromises).toEqual([]);
  });

  test("a setMulti larger than batchMax is refused at the call or sent in batches core promised", async () => {
    const { storage, clock, recording } = await openThrough<number>({ batchMax: 3 });
    const writing = watched(storage.setMulti({ a: 1, b: 1, c: 1, d: 1, e: 1 }));
    await clock.advance(1_000);
    expect(writing.state).not.toBe("pending");
    expect(recording.brokenPromises).toEqual([]);
  });
});

describe("closing write-through", () => {
  test("waits for what was asked, and refuses what comes later", async () => {
    const { storage, clock, faulty, backend } = await openThrough<number>();
    faulty.script("write", { slowMs: 1_000 });
    const writes = [storage.set("a", 1), storage.incr("a"), storage.set("b", 1)].map((each) =>
      watched<unknown>(each),
    );
    const closing = watched(storage.close());
    expect((await thrownBy(() => storage.set("c", 1))).code).toBe("LEAKDB_CLOSED");
    await clock.advance(5_000);
    expect(closing.outcome).toBe("resolved");
    expect(writes.map(({ outcome }) => outcome)).toEqual(["resolved", "resolved", "resolved"]);
    expect(stored(backend)).toEqual({ a: 2, b: 1 });
    expect(backend.owner).toBeUndefined();
  });

  test("by its deadline every operation has been answered, and the close says what was not stored", async () => {
    const { storage, clock, faulty } = await openThrough<number>();
    faulty.goDown();
    const writes = Array.from({ length: 5 }, (_, index) => watched(storage.set(`key ${index % 2}`, index)));
    const closing = watched(storage.close({ timeout: 2_000 }));
    await clock.advance(2_000);
    expect(closing.outcome).toBe("LEAKDB_CLOSE_INCOMPLETE");
    await clock.advance(FLUSH_TIMEOUT_MS);
    for (const { outcome } of writes) expect(outcome).toMatch(/LEAKDB_(CLOSED|ADAPTER_UNAVAILABLE|TIMEOUT)/);
    expect(clock.pendingTimers).toBe(0);
    expect(codeThrownBy(() => storage.get("a"))).toBe("LEAKDB_CLOSED");
  });
});
