/** `QueueStorage`: every item is delivered, in the order of its key, until the worker says true or has failed enough. */

import { type QueueItem, QueueStorage, type QueueStorageOptions, type WorkerContext } from "@leakdb/core";
import { ManualClock } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { EventLog } from "../src/faults/event-log.js";
import { codeThrownBy, watched } from "../src/faults/watched-promise.js";

const HOUR_MS = 3_600_000;

interface Delivery {
  readonly item: QueueItem<unknown>;
  readonly attempt: number;
}

/** A storage whose worker notes each delivery, then answers as `answer` says; true by default. */
function noted(
  answer: (item: QueueItem<unknown>, context: WorkerContext) => unknown = () => true,
  options: QueueStorageOptions = {},
) {
  const clock = new ManualClock();
  const deliveries: Delivery[] = [];
  const storage = new QueueStorage<unknown>({
    clock,
    workerProcess: (item, context) => {
      deliveries.push({ item, attempt: context.attempt });
      return answer(item, context) as boolean;
    },
    ...options,
  });
  const seen = (): string[] =>
    deliveries.map(({ item }) => `${item.operation} ${item.key} ${String(item.value)}`);
  return { clock, storage, deliveries, seen, events: new EventLog(storage) };
}

test("every mutation is an item of its own, in order, with its operation, value, version and date", async () => {
  const { clock, storage, deliveries, seen } = noted();
  const madeMs = clock.now();
  const version = storage.set("a", 1);
  storage.set("a", 2);
  storage.incr("a");
  storage.setMulti({ b: 1, c: 1 });
  storage.delete("b");
  storage.touch("c", { ttl: 1_000_000 });
  storage.clear({ prefix: "c" });
  expect(deliveries).toEqual([]);
  await clock.advance(100);
  expect(seen()).toEqual([
    "put a 1",
    "put a 2",
    "put a 3",
    "put b 1",
    "put c 1",
    "delete b undefined",
    "put c 1",
    "clear c undefined",
  ]);
  expect(deliveries[0]).toEqual({
    item: { operation: "put", key: "a", value: 1, version, date: new Date(madeMs) },
    attempt: 1,
  });
  const versions = deliveries.map(({ item }) => item.version);
  expect(versions).toEqual([...versions].sort((a, b) => a - b));
  expect(new Set(versions).size).toBe(8);
  expect(storage.stats().queue?.waiting).toBe(0);
});

test("falsy values and deletes of them are delivered like any other", async () => {
  const { clock, storage, seen } = noted();
  for (const value of [0, "", false, null]) {
    storage.set("key", value);
    storage.delete("key");
  }
  await clock.advance(1_000);
  expect(seen()).toHaveLength(8);
});

test("coalesce: true gives each key once, with its newest state", async () => {
  const { clock, storage, seen } = noted(undefined, { coalesce: true });
  storage.set("a", 1);
  storage.set("b", 1);
  storage.set("a", 2);
  await clock.advance(1_000);
  expect(seen()).toEqual(["put a 2", "put b 1"]);
});

describe.each([
  ["false", () => false],
  [
    "a throw",
    () => {
      throw new Error("worker trouble");
    },
  ],
  ["a rejection", () => Promise.reject(new Error("worker trouble"))],
  ["a promise of false", () => Promise.resolve(false)],
  ["a forgotten return", () => undefined],
  ["something truthy that is not true", () => 1],
])("%s", (name, answer) => {
  test("delivers the item again with backoff, before newer items of its key, until it is a dead letter", async () => {
    const { clock, storage, deliveries, events } = noted((item) => (item.key === "bad" ? answer() : true), {
      retry: { maxAttempts: 4, backoff: 100, maxBackoff: 1_000 },
    });
    storage.set("bad", 1);
    storage.set("bad", 2);
    for (let index = 0; index < 10; index += 1) storage.set(`good ${index}`, index);
    await clock.advance(100);
    expect(deliveries.filter(({ item }) => item.key !== "bad")).toHaveLength(10);
    expect(deliveries.filter(({ item }) => item.key === "bad")).toHaveLength(1);
    await clock.advance(HOUR_MS);
    const bad = deliveries.filter(({ item }) => item.key === "bad");
    expect(bad.map(({ item, attempt }) => [item.value, attempt])).toEqual([
      [1, 1],
      [1, 2],
      [1, 3],
      [1, 4],
      [2, 1],
      [2, 2],
      [2, 3],
      [2, 4],
    ]);
    expect(storage.deadLetters().map(({ key, attempts }) => [key, attempts])).toEqual([
      ["bad", 4],
      ["bad", 4],
    ]);
    const message = storage.deadLetters()[0]?.error.message ?? "";
    if (name === "a forgotten return") expect(message).toContain("return");
    if (name.includes("throw") || name.includes("rejection")) expect(message).toContain("worker trouble");
    expect(events.of("retry").length).toBeGreaterThanOrEqual(6);
    expect(events.of("deadLetter")).toHaveLength(2);
    expect(storage.get("bad")).toBe(2);
  });
});

test("a flush settles once every item is done, and fails while one is a dead letter", async () => {
  const { clock, storage } = noted((item) => item.key !== "bad", { retry: { maxAttempts: 2 } });
  storage.set("good", 1);
  const good = watched(storage.flush());
  await clock.settle();
  expect(good.outcome).toBe("resolved");
  storage.set("bad", 1);
  const bad = watched(storage.flush());
  await clock.advance(10_000);
  expect(bad.outcome).toBe("LEAKDB_FLUSH_FAILED");
  expect(storage.deadLetters()[0]?.discard()).toBe(true);
  await storage.flush();
});

test("a newer item of its key does not supersede a dead letter: every item counts", async () => {
  let isBroken = true;
  const { clock, storage, seen } = noted(() => !isBroken, { retry: { maxAttempts: 1 } });
  storage.set("a", 1);
  await clock.advance(1_000);
  isBroken = false;
  storage.set("a", 2);
  await clock.advance(1_000);
  expect(storage.deadLetters().map(({ key }) => key)).toEqual(["a"]);
  expect(storage.deadLetters()[0]?.retry()).toBe(true);
  await clock.advance(1_000);
  expect(storage.deadLetters()).toEqual([]);
  expect(seen()).toEqual(["put a 1", "put a 2", "put a 1"]);
});

test("a retry is not put off by a step of the wall clock back", async () => {
  let isBroken = true;
  const { clock, storage, deliveries } = noted(() => !isBroken);
  storage.set("a", 1);
  await clock.advance(100);
  expect(deliveries).toHaveLength(1);
  isBroken = false;
  clock.set(clock.now() - HOUR_MS);
  await clock.advance(60_000);
  expect(deliveries).toHaveLength(2);
  expect(storage.stats().queue?.waiting).toBe(0);
});

describe("several workers", () => {
  test("work side by side on different keys, one key in order in one of them", async () => {
    let busy = 0;
    let most = 0;
    const release: (() => void)[] = [];
    const { clock, storage, deliveries } = noted(
      async () => {
        busy += 1;
        most = Math.max(most, busy);
        await new Promise<void>((resolve) => release.push(resolve));
        busy -= 1;
        return true;
      },
      { workers: 3 },
    );
    for (let index = 0; index < 60; index += 1) storage.set(`key ${index % 12}`, index);
    for (let turn = 0; turn < 200 && storage.stats().queue?.waiting !== 0; turn += 1) {
      await clock.advance(10);
      for (const go of release.splice(0)) go();
    }
    expect(most).toBe(3);
    expect(deliveries).toHaveLength(60);
    for (let key = 0; key < 12; key += 1) {
      const values = deliveries.filter(({ item }) => item.key === `key ${key}`).map(({ item }) => item.value);
      expect(values).toEqual([0, 1, 2, 3, 4].map((round) => round * 12 + key));
    }
  });

  test("a worker that hangs meets writeTimeout, its signal is aborted, and the others go on", async () => {
    const signals: AbortSignal[] = [];
    const { clock, storage, deliveries } = noted(
      (item, { signal, attempt }) => {
        if (item.key !== "stuck" || attempt > 1) return true;
        signals.push(signal);
        return new Promise(() => undefined);
      },
      { workers: 2, writeTimeout: 5_000 },
    );
    storage.set("stuck", 1);
    for (let index = 0; index < 30; index += 1) storage.set(`key ${index}`, index);
    await clock.advance(1_000);
    expect(deliveries.length).toBeGreaterThan(5);
    await clock.advance(60_000);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    expect(storage.stats().queue?.waiting).toBe(0);
    expect(deliveries.filter(({ item }) => item.key === "stuck").map(({ attempt }) => attempt)).toEqual([
      1, 2,
    ]);
  });
});

test("an override in a subclass works as the option does, and sees the subclass", async () => {
  class Mailer extends QueueStorage<string> {
    readonly sent: string[] = [];
    override workerProcess(item: QueueItem<string>): boolean {
      this.sent.push(`${item.key}: ${item.value}`);
      return true;
    }
  }
  const clock = new ManualClock();
  const mailer = new Mailer({ clock });
  mailer.set("ada", "hello");
  await clock.advance(1_000);
  expect(mailer.sent).toEqual(["ada: hello"]);
  await mailer.close();
});

test("without any worker it is a TypeError at once", () => {
  expect(() => new QueueStorage()).toThrow(TypeError);
  expect(codeThrownBy(() => new QueueStorage({ clock: new ManualClock() }))).toBe("TypeError");
});

test("a worker may write to the storage that called it", async () => {
  const { clock, storage, seen } = noted((item) => {
    if (item.key === "a") storage.set("b", item.value);
    return true;
  });
  storage.set("a", 1);
  await clock.advance(1_000);
  expect(seen()).toEqual(["put a 1", "put b 1"]);
});

describe("closing", () => {
  test("drains every item first", async () => {
    const { clock, storage, deliveries } = noted(async () => true);
    for (let index = 0; index < 100; index += 1) storage.set(`key ${index % 7}`, index);
    const closing = watched(storage.close());
    await clock.advance(1_000);
    expect(closing.outcome).toBe("resolved");
    expect(deliveries).toHaveLength(100);
  });

  test("gives back what the worker would not take, by its deadline", async () => {
    const { clock, storage } = noted((item) => item.key !== "bad");
    storage.set("bad", { deep: 1 });
    storage.set("good", 1);
    const closing = watched(storage.close({ timeout: 1_000 }));
    await clock.advance(1_000);
    expect(closing.outcome).toBe("LEAKDB_CLOSE_INCOMPLETE");
    expect(closing.error).toMatchObject({
      unwritten: [{ operation: "put", key: "bad", value: { deep: 1 } }],
    });
    await clock.advance(HOUR_MS);
    expect(clock.pendingTimers).toBe(0);
  });

  test("ends by its deadline when the worker never answers", async () => {
    const { clock, storage } = noted(() => new Promise(() => undefined));
    storage.setMulti({ a: 1, b: 2 });
    const closing = watched(storage.close({ timeout: 1_000 }));
    await clock.advance(1_000);
    expect(closing.outcome).toBe("LEAKDB_CLOSE_INCOMPLETE");
    expect(
      (closing.error as { unwritten: { key: string }[] }).unwritten.map(({ key }) => key).sort(),
    ).toEqual(["a", "b"]);
  });
});

test("the queue is bounded and asks to drain like every other", async () => {
  const { clock, storage } = noted(() => false, {
    capacity: 3,
    highWaterMark: 2,
    retry: { maxAttempts: 1_000 },
  });
  storage.set("a", 1);
  storage.set("a", 2);
  expect(storage.needDrain).toBe(false);
  storage.set("a", 3);
  expect(storage.needDrain).toBe(true);
  expect(codeThrownBy(() => storage.set("a", 4))).toBe("LEAKDB_QUEUE_FULL");
  expect(storage.get("a")).toBe(3);
  await clock.advance(10_000);
  expect(storage.stats().queue?.waiting).toBe(3);
});

test("toString tells of the queue and of memory", () => {
  const { storage } = noted();
  storage.set("a", 1);
  storage.set("a", 2);
  expect(String(storage)).toBe("QueueStorage :: 2 items in queue :: 1 items in storage memory");
});
