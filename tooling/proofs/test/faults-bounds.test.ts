/** The queue's bounds (I5): capacity, high-water mark, and what counts towards them. */

import { describe, expect, test } from "vitest";
import { openBehind, stored } from "../src/faults/opened-store.js";
import { codeThrownBy, thrownBy, watched } from "../src/faults/watched-promise.js";

describe.each([true, false])("a queue at its capacity (coalesce %s)", (coalesce) => {
  test("refuses a further key, changes nothing by it, and takes it once there is room", async () => {
    const { storage, clock, faulty, backend } = await openBehind<number>({ capacity: 3, coalesce });
    faulty.goDown();
    for (const key of ["a", "b", "c"]) storage.set(key, 1);
    const version = storage.version;
    const error = await thrownBy(() => storage.set("d", 1));
    expect(error).toMatchObject({ name: "LeakDBError", code: "LEAKDB_QUEUE_FULL", retryable: true });
    expect(codeThrownBy(() => storage.add("d", 1))).toBe("LEAKDB_QUEUE_FULL");
    expect(codeThrownBy(() => storage.incr("d"))).toBe("LEAKDB_QUEUE_FULL");
    expect(codeThrownBy(() => storage.update("d", () => 1))).toBe("LEAKDB_QUEUE_FULL");
    expect(codeThrownBy(() => storage.setMulti({ d: 1, e: 1 }))).toBe("LEAKDB_QUEUE_FULL");
    expect(storage.size).toBe(3);
    expect(storage.has("d")).toBe(false);
    expect(storage.version).toBe(version);
    expect(storage.stats().queue?.waiting).toBe(3);
    faulty.goUp();
    await clock.advance(60_000);
    storage.set("d", 1);
    await clock.advance(1_000);
    expect(stored(backend)).toEqual({ a: 1, b: 1, c: 1, d: 1 });
  });

  test("lets reads, misses and conditions that fail through", async () => {
    const { storage, faulty } = await openBehind<number>({ capacity: 1, coalesce });
    faulty.goDown();
    storage.set("a", 1);
    expect(storage.get("a")).toBe(1);
    expect(storage.add("a", 2)).toBeUndefined();
    expect(storage.replace("b", 2)).toBeUndefined();
    expect(storage.delete("b")).toBe(false);
    expect(storage.deleteMulti(["b", "c"])).toBe(0);
    expect(storage.setMulti({})).toBe(storage.version);
  });
});

test("rewriting a waiting key never throws, however full the queue is", async () => {
  const { storage, clock, faulty, backend } = await openBehind<number>({ capacity: 2 });
  faulty.goDown();
  storage.set("a", 1);
  storage.set("b", 1);
  for (let round = 0; round < 100; round += 1) {
    storage.set("a", round);
    storage.incr("b");
    storage.touch("a");
    await clock.advance(1_000);
    storage.delete("a");
    storage.add("a", round);
    storage.setMulti({ a: round, b: 7 });
    expect(codeThrownBy(() => storage.set("c", 1))).toBe("LEAKDB_QUEUE_FULL");
    expect(storage.deleteMulti(["a"])).toBe(1);
  }
  faulty.goUp();
  await clock.advance(60_000);
  expect(stored(backend)).toEqual({ b: 7 });
});

test("a setMulti that would pass the capacity changes nothing, and one that just fits is taken", async () => {
  const { storage, faulty } = await openBehind<number>({ capacity: 4 });
  faulty.goDown();
  storage.set("a", 1);
  expect(codeThrownBy(() => storage.setMulti({ a: 2, b: 2, c: 2, d: 2, e: 2 }))).toBe("LEAKDB_QUEUE_FULL");
  expect([...storage.entries()]).toEqual([["a", 1]]);
  storage.setMulti({ a: 2, b: 2, c: 2, d: 2 });
  expect(storage.size).toBe(4);
});

test("a deleteMulti of stored keys that would pass the capacity deletes none", async () => {
  const { storage, clock, faulty } = await openBehind<number>({ capacity: 3 });
  for (const key of ["a", "b", "c"]) storage.set(key, 1);
  await clock.advance(1_000);
  storage.set("d", 1);
  await clock.advance(1_000);
  faulty.goDown();
  expect(codeThrownBy(() => storage.deleteMulti(["a", "b", "c", "d"]))).toBe("LEAKDB_QUEUE_FULL");
  expect(storage.size).toBe(4);
});

test("a clear is one mutation, and what it covers no longer waits", async () => {
  const { storage, clock, faulty, backend } = await openBehind<number>({ capacity: 3 });
  faulty.goDown();
  storage.set("a", 1);
  storage.set("b", 1);
  expect(storage.clear()).toBe(2);
  expect(storage.stats().queue?.waiting).toBe(1);
  storage.set("c", 1);
  storage.set("d", 1);
  expect(codeThrownBy(() => storage.set("e", 1))).toBe("LEAKDB_QUEUE_FULL");
  faulty.goUp();
  await clock.advance(60_000);
  expect(stored(backend)).toEqual({ c: 1, d: 1 });
});

test.each(["", "p"])(
  "clears of %j that cannot be sent do not outgrow the capacity either",
  async (prefix) => {
    const { storage, clock, faulty } = await openBehind<number>({ capacity: 10 });
    faulty.goDown();
    for (let round = 0; round < 100; round += 1) {
      codeThrownBy(() => storage.set("p", round));
      codeThrownBy(() => storage.clear({ prefix }));
      await clock.advance(10);
      // One more than the capacity: a clear of everything is let in where it makes room.
      expect(storage.stats().queue?.waiting).toBeLessThanOrEqual(11);
    }
  },
);

test("dead letters count towards the capacity, and leave it when they are discarded", async () => {
  const { storage, clock, faulty } = await openBehind<number>({ capacity: 2 });
  faulty.rejectKey("a");
  faulty.rejectKey("b");
  storage.set("a", 1);
  storage.set("b", 1);
  await clock.advance(1_000);
  expect(storage.deadLetters()).toHaveLength(2);
  expect(codeThrownBy(() => storage.set("c", 1))).toBe("LEAKDB_QUEUE_FULL");
  for (const letter of storage.deadLetters()) letter.discard();
  storage.set("c", 1);
});

test("dead letters of a key that is rewritten for ever stay within the bounds", async () => {
  const { storage, clock, faulty } = await openBehind<number>({ capacity: 10, coalesce: false });
  faulty.rejectKey("a");
  for (let round = 0; round < 100; round += 1) {
    codeThrownBy(() => storage.set("a", round));
    await clock.advance(200);
    expect(storage.deadLetters().length).toBeLessThanOrEqual(10);
  }
});

test("idle resolves once nothing waits, what was written meanwhile included, or by its deadline", async () => {
  const { storage, clock, faulty } = await openBehind<number>();
  await storage.idle();
  faulty.goDown();
  storage.set("a", 1);
  const late = watched(storage.idle({ timeout: 500 }));
  const patient = watched(storage.idle());
  await clock.advance(500);
  expect(late.outcome).toBe("LEAKDB_TIMEOUT");
  storage.set("b", 1);
  faulty.rejectKey("b");
  faulty.goUp();
  expect(patient.state).toBe("pending");
  await clock.advance(30_000);
  expect(patient.outcome).toBe("resolved");
  expect(storage.deadLetters()).toHaveLength(1);
  await storage.idle();
});

describe("the high-water mark", () => {
  test("asks to drain once passed, and says when it is over: event, promise and property", async () => {
    const { storage, clock, faulty, events } = await openBehind<number>({ highWaterMark: 2 });
    faulty.goDown();
    storage.set("a", 1);
    storage.set("b", 1);
    expect(storage.needDrain).toBe(false);
    await storage.drained();
    storage.set("c", 1);
    expect(storage.needDrain).toBe(true);
    expect(storage.stats().queue?.needDrain).toBe(true);
    const drained = watched(storage.drained());
    await clock.advance(1_000);
    expect(drained.state).toBe("pending");
    expect(events.of("drain")).toEqual([]);
    faulty.goUp();
    await clock.advance(50_000);
    expect(drained.outcome).toBe("resolved");
    expect(storage.needDrain).toBe(false);
    expect(events.of("drain")).toHaveLength(1);
  });

  test("drained rejects by its deadline, and with the reason of its signal", async () => {
    const { storage, clock, faulty } = await openBehind<number>({ highWaterMark: 1 });
    faulty.goDown();
    storage.setMulti({ a: 1, b: 1 });
    const controller = new AbortController();
    const late = watched(storage.drained({ timeout: 1_000 }));
    const aborted = watched(storage.drained({ signal: controller.signal }));
    const byDefault = watched(storage.drained());
    const reason = new Error("changed my mind");
    controller.abort(reason);
    await clock.advance(1_000);
    expect(late.outcome).toBe("LEAKDB_TIMEOUT");
    expect(aborted.error).toBe(reason);
    expect(byDefault.state).toBe("pending");
    await clock.advance(59_000);
    expect(byDefault.outcome).toBe("LEAKDB_TIMEOUT");
  });

  test("a producer that awaits drained never meets the capacity", async () => {
    const { storage, clock, backend } = await openBehind<number>({
      highWaterMark: 20,
      capacity: 40,
      maxSize: 5,
    });
    const produced = watched(
      (async () => {
        for (let index = 0; index < 1_000; index += 1) {
          storage.set(`key ${index}`, index);
          if (storage.needDrain) await storage.drained();
        }
      })(),
    );
    for (let turn = 0; turn < 1_000 && produced.state === "pending"; turn += 1) await clock.advance(10);
    expect(produced.outcome).toBe("resolved");
    await clock.advance(1_000);
    expect(backend.records.size).toBe(1_000);
  });
});
