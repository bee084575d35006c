/** Closing: mutators refuse from the call on, reads from its end; a second close is the first; disposable. */

import { DefaultStorage, QueueStorage } from "@leakdb/core";
import { ManualClock } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { type Bench, openBehind, openThrough, stored } from "../src/faults/opened-store.js";
import { thrownBy, watched } from "../src/faults/watched-promise.js";

const clock = new ManualClock();
const OPEN = [
  ["DefaultStorage", async () => ({ storage: new DefaultStorage<number>({ clock }), bench: undefined })],
  [
    "QueueStorage",
    async () => ({
      storage: new QueueStorage<number>({ clock, workerProcess: () => true }),
      bench: undefined,
    }),
  ],
  [
    "PersistentQueueStorage",
    async () => {
      const { storage, ...bench } = await openBehind<number>();
      return { storage, bench: bench as Bench | undefined };
    },
  ],
  [
    "PersistentStorage",
    async () => {
      const { storage, ...bench } = await openThrough<number>();
      return { storage, bench: bench as Bench | undefined };
    },
  ],
] as const;

describe.each(OPEN)("%s", (_name, open) => {
  test("refuses every mutator at once after close is called, on namespaces as well, and reads once it ended", async () => {
    const { storage, bench } = await open();
    await storage.set("a", 1);
    const view = storage.namespace<number>("n");
    const mutators: (() => unknown)[] = [
      () => storage.set("a", 2),
      () => storage.setMulti({ a: 2 }),
      () => storage.setMulti({}),
      () => storage.add("b", 2),
      () => storage.replace("a", 2),
      () => storage.cas("a", 2, storage.version),
      () => storage.update("a", () => 2),
      () => storage.incr("a"),
      () => storage.decr("a"),
      () => storage.delete("a"),
      () => storage.delete("absent"),
      () => storage.deleteMulti(["a"]),
      () => storage.deleteMulti([]),
      () => storage.clear(),
      () => storage.touch("a", { ttl: 5 }),
      () => view.set("a", 2),
      () => view.clear(),
    ];
    const reads: (() => unknown)[] = [
      () => storage.get("a"),
      () => storage.get("absent"),
      () => storage.has("a"),
      () => storage.getEntry("a"),
      () => storage.getMulti(["a"]),
      () => storage.keys(),
      () => storage.values({ prefix: "a" }),
      () => storage.entries(),
      () => view.get("a"),
    ];
    bench?.faulty.gate.hold({ operation: "close" });
    const closing = watched(storage.close());
    for (const mutate of mutators) {
      expect(await thrownBy(mutate), String(mutate)).toMatchObject({
        name: "LeakDBError",
        code: "LEAKDB_CLOSED",
      });
    }
    if (bench !== undefined) {
      await bench.clock.settle();
      expect(closing.state).toBe("pending");
      expect(storage.get("a")).toBe(1);
      for (const read of reads) read();
      bench.faulty.heal();
    }
    await storage.close();
    for (const read of reads) {
      expect(await thrownBy(read), String(read)).toMatchObject({
        name: "LeakDBError",
        code: "LEAKDB_CLOSED",
      });
    }
    for (const mutate of mutators) expect((await thrownBy(mutate)).code).toBe("LEAKDB_CLOSED");
    // What is not data still answers: for logs after the end.
    expect(String(storage)).toContain("items in storage memory");
    expect(storage.version).toBeGreaterThan(0);
    expect(storage.stats().version).toBe(storage.version);
  });

  test("closes once: a second close, meanwhile or afterwards, is the same", async () => {
    const { storage, bench } = await open();
    await storage.set("a", 1);
    await Promise.all([storage.close(), storage.close({ timeout: 1 }), storage.close()]);
    await storage.close();
    expect(bench?.recording.calls.filter(({ operation }) => operation === "close").length ?? 1).toBe(1);
  });

  test("is an async disposable", async () => {
    const { storage, bench } = await open();
    {
      await using owned = storage;
      await owned.set("a", 1);
    }
    expect((await thrownBy(() => storage.get("a"))).code).toBe("LEAKDB_CLOSED");
    if (bench !== undefined) expect(stored(bench.backend)).toEqual({ a: 1 });
    await storage[Symbol.asyncDispose]();
  });

  test("leaves no timer behind, whatever had a TTL or waited", async () => {
    const { storage, bench } = await open();
    const before = (bench?.clock ?? clock).pendingTimers;
    await storage.set("a", 1, { ttl: 5_000 });
    await storage.set("b", 1);
    await storage.close();
    expect((bench?.clock ?? clock).pendingTimers).toBe(before);
  });

  test("a flush, a persisted and a drained after the close settle", async () => {
    const { storage } = await open();
    const version = await storage.set("a", 1);
    await storage.close();
    await storage.flush();
    await storage.persisted(version, "memory");
    await storage.drained();
    expect(storage.deadLetters()).toEqual([]);
  });
});

test("waiters at the time of an incomplete close are answered by it or by their own deadline", async () => {
  const { storage, clock, faulty } = await openBehind<number>({ highWaterMark: 1 });
  faulty.goDown();
  storage.setMulti({ a: 1, b: 1 });
  const waiting = [storage.flush(), storage.persisted(storage.version), storage.drained()].map((each) =>
    watched(each),
  );
  const closing = watched(storage.close({ timeout: 1_000 }));
  await clock.advance(1_000);
  expect(closing.outcome).toBe("LEAKDB_CLOSE_INCOMPLETE");
  await clock.advance(60_000);
  for (const { state } of waiting) expect(state).toBe("rejected");
  expect(clock.pendingTimers).toBe(0);
});

test("a dead letter answered after the close is no trouble", async () => {
  const { storage, clock, faulty, recording } = await openBehind<number>();
  faulty.rejectKey("a");
  storage.set("a", 1);
  await clock.advance(1_000);
  const [letter] = storage.deadLetters();
  await storage
    .close()
    .catch((error: { code: string }) => expect(error.code).toBe("LEAKDB_CLOSE_INCOMPLETE"));
  recording.forget();
  letter?.retry();
  letter?.discard();
  await clock.advance(60_000);
  expect(recording.calls).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
});
