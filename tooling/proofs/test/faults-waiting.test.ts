/** `flush` and `persisted` settle by their deadline (I10), and never before what they cover is durable (I6). */

import { describe, expect, test } from "vitest";
import { FLUSH_TIMEOUT_MS } from "../src/faults/durations.js";
import { openBehind, openThrough, stored } from "../src/faults/opened-store.js";
import { thrownBy, watched } from "../src/faults/watched-promise.js";

describe.each([
  ["write-behind", openBehind],
  ["write-through", openThrough],
] as const)("waiting, %s", (_name, open) => {
  test("flush rejects with LEAKDB_TIMEOUT by its timeout, and by flushTimeout when none is given", async () => {
    const { storage, clock, faulty } = await open({ flushTimeout: 3_000 });
    faulty.script("write", "hang", "hang");
    void watched(Promise.resolve(storage.set("key", 1)));
    const given = watched(storage.flush({ timeout: 500 }));
    const byDefault = watched(storage.flush());
    await clock.advance(499);
    expect(given.state).toBe("pending");
    await clock.advance(1);
    expect(given.outcome).toBe("LEAKDB_TIMEOUT");
    expect(given.error).toMatchObject({ name: "LeakDBError", retryable: true });
    await clock.advance(2_499);
    expect(byDefault.state).toBe("pending");
    await clock.advance(1);
    expect(byDefault.outcome).toBe("LEAKDB_TIMEOUT");
  });

  test("a signal rejects with its reason at once, before or during the wait, and cancels no write", async () => {
    const { storage, clock, faulty, backend } = await open();
    faulty.script("write", { slowMs: 1_000 });
    void watched(Promise.resolve(storage.set("key", 1)));
    const controller = new AbortController();
    const flushing = watched(storage.flush({ signal: controller.signal }));
    await clock.advance(500);
    const reason = { not: "even an Error" };
    controller.abort(reason);
    await clock.settle();
    expect(flushing.error).toBe(reason);
    expect(await thrownBy(() => storage.flush({ signal: controller.signal }))).toBe(reason);
    expect(await thrownBy(() => storage.persisted(0, "stored", { signal: controller.signal }))).toBe(reason);
    expect(await thrownBy(() => storage.drained({ signal: controller.signal }))).toBe(reason);
    await clock.advance(1_000);
    expect(stored(backend)).toEqual({ key: 1 });
    await storage.flush();
  });

  test("a timeout of 0 and of Infinity are taken at their word", async () => {
    const { storage, clock, faulty } = await open();
    faulty.script("write", { slowMs: 20_000 });
    void watched(Promise.resolve(storage.set("key", 1)));
    const now = watched(storage.flush({ timeout: 0 }));
    const never = watched(storage.flush({ timeout: Infinity }));
    await clock.advance(0);
    expect(now.outcome).toBe("LEAKDB_TIMEOUT");
    await clock.advance(60_000);
    expect(never.outcome).toBe("resolved");
  });

  test("a level that was synced waits for the sync, one that is stored does not", async () => {
    const { storage, clock, faulty, recording } = await open();
    faulty.script("sync", { slowMs: 1_000 });
    void watched(Promise.resolve(storage.set("key", 1)));
    const synced = watched(storage.flush({ level: "synced" }));
    const flushed = watched(storage.flush());
    await clock.advance(200);
    expect(flushed.outcome).toBe("resolved");
    expect(synced.state).toBe("pending");
    await clock.advance(1_000);
    expect(synced.outcome).toBe("resolved");
    expect(recording.calls.filter(({ operation }) => operation === "sync")).toHaveLength(1);
  });

  test.each(["transient", "plain", "throw-sync", "permanent"] as const)(
    "a sync that is %s rejects whoever waits for it, and the next flush asks again",
    async (fault) => {
      const { storage, clock, faulty } = await open();
      faulty.script("sync", fault);
      void watched(Promise.resolve(storage.set("key", 1)));
      const first = watched(storage.flush({ level: "synced" }));
      await clock.advance(1_000);
      expect(first.outcome).toBe("LEAKDB_FLUSH_FAILED");
      expect(first.error).toMatchObject({ retryable: true });
      const second = watched(storage.flush({ level: "synced" }));
      await clock.advance(1_000);
      expect(second.outcome).toBe("resolved");
    },
  );

  test("a sync that hangs rejects by the deadline of who waits, and blocks no later one", async () => {
    const { storage, clock, faulty } = await open();
    faulty.script("sync", "hang");
    void watched(Promise.resolve(storage.set("key", 1)));
    const first = watched(storage.flush({ level: "synced", timeout: 2_000 }));
    await clock.advance(2_000);
    expect(first.outcome).toBe("LEAKDB_TIMEOUT");
    const second = watched(storage.flush({ level: "synced" }));
    await clock.advance(FLUSH_TIMEOUT_MS);
    expect(second.outcome).not.toBe("pending");
    const third = watched(storage.flush({ level: "synced" }));
    await clock.advance(1_000);
    expect(third.outcome).toBe("resolved");
  });

  test("a sync that fails at the close is told, and the close still ends", async () => {
    const { storage, clock, faulty, backend } = await open();
    faulty.script("sync", "transient");
    void watched(Promise.resolve(storage.set("key", 1)));
    const closing = watched(storage.close());
    await clock.advance(FLUSH_TIMEOUT_MS);
    expect(closing.outcome).toBe("LEAKDB_CLOSE_INCOMPLETE");
    expect(stored(backend)).toEqual({ key: 1 });
    expect(backend.owner).toBeUndefined();
  });
});

test("persisted covers its version and all before it, not what came after", async () => {
  const { storage, clock, faulty } = await openBehind<number>();
  storage.set("a", 1);
  const version = storage.set("b", 1);
  const early = watched(storage.persisted(version));
  await clock.advance(99);
  expect(early.state).toBe("pending");
  await clock.advance(1);
  expect(early.outcome).toBe("resolved");
  faulty.goDown();
  storage.set("c", 1);
  await storage.persisted(version);
  await storage.persisted(0);
});

test("persisted with a key waits for that key alone, whatever else is stuck", async () => {
  const { storage, clock, faulty } = await openBehind<number>({ workers: 4 });
  faulty.gate.hold();
  for (let index = 0; index < 20; index += 1) storage.set(`key ${index}`, index);
  await clock.advance(200);
  const [held] = faulty.gate.waiting;
  const keys = held?.batch.map((mutation) => (mutation.type === "clear" ? "" : mutation.key)) ?? [];
  const [inside] = keys;
  const outside = [...storage.keys()].find((key) => !keys.includes(key));
  const first = watched(storage.persisted(storage.version, "stored", { key: inside }));
  const other = watched(storage.persisted(storage.version, "stored", { key: outside }));
  const prefixed = watched(
    storage.persisted(storage.version, "stored", { keyPrefix: inside?.slice(0, 2), key: inside?.slice(2) }),
  );
  held?.release();
  await clock.settle();
  expect(first.outcome).toBe("resolved");
  expect(prefixed.outcome).toBe("resolved");
  expect(other.state).toBe("pending");
  await storage.persisted(storage.version, "stored", { key: "never written" });
  faulty.heal();
  await clock.advance(1_000);
  expect(other.outcome).toBe("resolved");
});

test("persisted with the key of a clear waits for the clear", async () => {
  const { storage, clock, faulty } = await openBehind<number>();
  storage.set("prefix a", 1);
  await clock.advance(1_000);
  faulty.gate.hold();
  storage.clear({ prefix: "prefix" });
  const waiting = watched(storage.persisted(storage.version, "stored", { key: "prefix a" }));
  await clock.advance(1_000);
  expect(waiting.state).toBe("pending");
  faulty.heal();
  await clock.advance(1_000);
  expect(waiting.outcome).toBe("resolved");
});

test("flush makes what waits due at once, and ends a pause between two tries", async () => {
  const { storage, clock, faulty, backend } = await openBehind<number>({ writeDelay: 1_000_000 });
  storage.set("a", 1);
  const flushing = watched(storage.flush());
  await clock.settle();
  expect(flushing.outcome).toBe("resolved");
  faulty.goDown();
  storage.set("b", 1);
  void watched(storage.flush());
  await clock.advance(3_600_000);
  faulty.goUp();
  const after = watched(storage.flush());
  await clock.settle();
  expect(after.outcome).toBe("resolved");
  expect(stored(backend)).toEqual({ a: 1, b: 1 });
});

test("a flush does not wait for what is written after it", async () => {
  const { storage, clock, faulty } = await openBehind<number>();
  faulty.gate.hold();
  storage.set("a", 1);
  const flushing = watched(storage.flush());
  await clock.settle();
  storage.set("a", 2);
  storage.set("b", 2);
  faulty.gate.waiting[0]?.release();
  await clock.settle();
  expect(flushing.outcome).toBe("resolved");
});

test("many flushes that give up leave nothing behind", async () => {
  const { storage, clock, faulty } = await openBehind<number>();
  faulty.goDown();
  storage.set("a", 1);
  await clock.advance(100);
  const timers = clock.pendingTimers;
  for (let index = 0; index < 100; index += 1) void watched(storage.flush({ timeout: 10 }));
  for (let index = 0; index < 100; index += 1) {
    void watched(storage.persisted(storage.version, "stored", { key: "a", timeout: 10 }));
  }
  await clock.advance(10);
  expect(clock.pendingTimers).toBeLessThanOrEqual(timers + 1);
});
