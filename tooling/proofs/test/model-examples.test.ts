/** The smallest examples of what the model tests have once found: each stays, so that it is not found again. */

import {
  DefaultStorage,
  PersistentQueueStorage,
  PersistentStorage,
  type QueueItem,
  QueueStorage,
} from "@leakdb/core";
import { ManualClock, recordingAdapter, referenceAdapter } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { nextTurn, outcomeOf } from "../src/model/settled.js";

describe("values", () => {
  test("what is no value is a TypeError at the call, whether the condition of the call holds or not", () => {
    const storage = new DefaultStorage<unknown>();
    storage.set("present", 1);
    expect(() => storage.add("present", undefined)).toThrow(TypeError);
    expect(() => storage.replace("absent", () => 1)).toThrow(TypeError);
    expect(() => storage.cas("absent", Symbol("none"), 1)).toThrow(TypeError);
  });

  test("a missing key counts as 0, which is not -0", () => {
    expect(new DefaultStorage<number>().decr("absent", { delta: 0 })).toBe(0);
  });

  test('with values "copied" a write-through add keeps what it was called with', async () => {
    const adapter = referenceAdapter();
    const storage = await PersistentStorage.open<number[]>({ adapter, values: "copied" });
    const value = [1];
    const added = storage.add("key", value);
    value.push(2);
    await added;
    expect(storage.get("key")).toEqual([1]);
    await storage.close();
  });
});

describe("batches", () => {
  test("a setMulti keeps to the batch limit that the adapter was told", async () => {
    const adapter = recordingAdapter(referenceAdapter());
    const storage = await PersistentStorage.open<number>({ adapter, batchMax: 2 });
    await outcomeOf(storage.setMulti({ a: 1, b: 2, c: 3 }));
    await storage.close();
    expect(adapter.brokenPromises).toEqual([]);
  });

  const taken = async (
    isBatch: boolean,
    fails: (item: QueueItem, attempt: number) => boolean,
  ): Promise<string[]> => {
    const clock = new ManualClock();
    const order: string[] = [];
    const one = (item: QueueItem, attempt: number): boolean => {
      if (fails(item, attempt)) return false;
      order.push(`${item.operation} ${item.key}`);
      return true;
    };
    const storage = new QueueStorage<number>({
      clock,
      ...(isBatch
        ? { workerProcessBatch: (items, { attempt }) => items.map((item) => one(item, attempt)) }
        : { workerProcess: (item, { attempt }) => one(item, attempt) }),
    });
    storage.set("before", 1);
    storage.clear();
    storage.set("after", 2);
    const flushed = storage.flush();
    await clock.advance(1_000);
    await flushed;
    await storage.close();
    return order;
  };

  test.each([true, false])(
    "a clear that fails once goes before what is newer (as a batch: %s)",
    async (isBatch) => {
      const order = await taken(isBatch, ({ operation }, attempt) => operation === "clear" && attempt === 1);
      expect(order).toEqual(["put before", "clear ", "put after"]);
    },
  );

  test.each([true, false])(
    "a clear waits for an older item that failed (as a batch: %s)",
    async (isBatch) => {
      const order = await taken(isBatch, ({ key }, attempt) => key === "before" && attempt === 1);
      expect(order).toEqual(["put before", "clear ", "put after"]);
    },
  );
});

describe("time", () => {
  test("after the close no timer waits, however often an earlier expiry came up", async () => {
    const clock = new ManualClock();
    const storage = new DefaultStorage<number>({ clock });
    storage.set("first", 1, { ttl: 5 });
    storage.delete("first");
    clock.set(clock.now() + 60_000);
    expect(storage.size).toBe(0);
    storage.set("second", 1, { ttl: 5 });
    await storage.close();
    expect(clock.pendingTimers).toBe(0);
  });

  test("with writeDelay 0, a clear that waits for a failed key does not keep the lane running", async () => {
    const clock = new ManualClock();
    let calls = 0;
    const workerProcess = (): boolean => ++calls > 1;
    const retry = { backoff: 10_000 };
    const storage = new QueueStorage<number>({ clock, workerProcess, writeDelay: 0, maxSize: 1, retry });
    storage.set("key", 1);
    storage.clear();
    storage.set("key", 2);
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    let timers = 0;
    while (timers < 50 && (clock.nextTimerInMs ?? 1) === 0) {
      timers += 1;
      await clock.advanceToNextTimer();
    }
    expect(timers, "timers that were due at once").toBeLessThan(50);
    await clock.advance(20_000);
    await storage.close();
  });

  test("a wall clock that steps back does not put off the retry of a failed key", async () => {
    const clock = new ManualClock();
    let calls = 0;
    const storage = new QueueStorage<number>({ clock, workerProcess: () => ++calls > 1 });
    storage.set("key", 1);
    const flushed = storage.flush();
    await clock.settle();
    clock.set(clock.now() - 3_600_000);
    await clock.advance(1_000);
    expect(await outcomeOf(flushed)).toEqual({ value: undefined });
    await storage.close();
  });

  test("persisted of a key ends when that key is stored, although newer versions concern other keys", async () => {
    const clock = new ManualClock();
    const storage = await PersistentQueueStorage.open<number>({ adapter: referenceAdapter(), clock });
    storage.set("key", 1);
    storage.set("other", 2);
    const persisted = storage.persisted(storage.version, "stored", { key: "key" });
    await clock.advance(100);
    expect(await outcomeOf(persisted)).toEqual({ value: undefined });
    await storage.close();
  });
});
