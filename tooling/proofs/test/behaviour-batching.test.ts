/** When a batch goes, and what is in it: `maxSize`, `writeDelay`, `batchMax`, `batchBytesMax`, `workers`, coalescing. */

import { describe, expect, test } from "vitest";
import { inMemory, openBehind, sentKeys, stored } from "../src/faults/opened-store.js";

describe("writeDelay", () => {
  test("is the most a write waits, and rewrites never extend it", async () => {
    const { storage, clock, backend, recording } = await openBehind<number>({ writeDelay: 100 });
    for (let ms = 0; ms < 100; ms += 10) {
      storage.set("hot", ms);
      expect(recording.batches).toEqual([]);
      await clock.advance(10);
    }
    expect(stored(backend)).toEqual({ hot: 90 });
    expect(sentKeys(recording)).toEqual([["hot"]]);
  });

  test("holds for every later batch as well, and for keys that come one by one", async () => {
    const { storage, clock, recording, backend } = await openBehind<number>({ writeDelay: 100 });
    const startMs = clock.now();
    for (let ms = 0; ms < 1_000; ms += 10) {
      storage.set(`key ${ms}`, clock.now());
      await clock.advance(10);
      for (const key of storage.keys()) {
        const writtenMs = storage.get(key) as number;
        if (clock.now() - writtenMs > 100)
          expect(backend.records.has(key), `${key} waits too long`).toBe(true);
      }
    }
    expect(clock.now() - startMs).toBe(1_000);
    expect(recording.batches.length).toBeLessThanOrEqual(11);
  });

  test("of 0 writes once the turn has ended, what one turn wrote in one batch", async () => {
    const { storage, clock, recording } = await openBehind<number>({ writeDelay: 0 });
    storage.set("a", 1);
    storage.set("b", 1);
    await Promise.resolve();
    storage.set("c", 1);
    expect(recording.batches).toEqual([]);
    await clock.advance(0);
    expect(sentKeys(recording)).toEqual([["a", "b", "c"]]);
  });

  test("passes without a batch when nothing is dirty", async () => {
    const { storage, clock, recording } = await openBehind<number>();
    storage.get("a");
    storage.delete("a");
    storage.replace("a", 1);
    expect(clock.pendingTimers).toBe(0);
    await clock.advance(10_000);
    expect(recording.batches).toEqual([]);
  });
});

describe("maxSize", () => {
  test("flushes by itself once so many keys wait, without waiting for writeDelay", async () => {
    const { storage, clock, recording } = await openBehind<number>({ maxSize: 5, writeDelay: 1_000_000 });
    for (let index = 0; index < 4; index += 1) storage.set(`key ${index}`, index);
    await clock.advance(1_000);
    expect(recording.batches).toEqual([]);
    storage.set("key 0", 9);
    await clock.advance(1_000);
    expect(recording.batches).toEqual([]);
    storage.set("key 4", 4);
    await clock.settle();
    expect(sentKeys(recording)).toEqual([["key 0", "key 1", "key 2", "key 3", "key 4"]]);
  });

  test("counts over all lanes together", async () => {
    const { storage, clock, backend } = await openBehind<number>({
      maxSize: 8,
      workers: 4,
      writeDelay: 1_000_000,
    });
    for (let index = 0; index < 8; index += 1) storage.set(`key ${index}`, index);
    await clock.settle(20);
    expect(backend.records.size).toBe(8);
  });
});

describe("natural batches", () => {
  test("a free lane takes all that waits: what gathered during a write goes as one", async () => {
    const { storage, clock, faulty, recording, backend } = await openBehind<number>({
      maxSize: 1,
      coalesce: true,
      batchMax: 1_000,
    });
    faulty.gate.hold({ side: "answer" });
    storage.set("first", 0);
    await clock.settle();
    for (let index = 0; index < 500; index += 1) storage.set(`key ${index}`, index);
    await clock.settle();
    expect(recording.batches).toHaveLength(1);
    faulty.heal();
    await clock.settle(20);
    expect(recording.batches.map((batch) => batch.length)).toEqual([1, 500]);
    expect(backend.records.size).toBe(501);
  });

  test("puts and deletes share one", async () => {
    const { storage, clock, recording } = await openBehind<number>();
    storage.setMulti({ a: 1, b: 1, c: 1 });
    await clock.advance(1_000);
    recording.forget();
    storage.set("a", 2);
    storage.delete("b");
    storage.set("d", 2);
    await clock.advance(1_000);
    expect(recording.batches.map((batch) => batch.map(({ type }) => type))).toEqual([
      ["put", "delete", "put"],
    ]);
  });

  test("a key is in each batch once, with its newest state and version, in the order of first becoming dirty", async () => {
    const { storage, clock, recording } = await openBehind<number>();
    storage.set("a", 1);
    storage.set("b", 1);
    storage.set("c", 1);
    const version = storage.set("a", 2);
    await clock.advance(1_000);
    expect(sentKeys(recording)).toEqual([["a", "b", "c"]]);
    expect(recording.batches[0]?.[0]?.version).toBe(version);
    expect(storage.stats().queue).toMatchObject({ coalesced: 1, stored: 3, batches: 1 });
  });

  test("without coalescing every mutation is sent, one key never twice in a batch", async () => {
    const { storage, clock, recording, backend } = await openBehind<number>({ coalesce: false });
    for (let round = 0; round < 5; round += 1) {
      storage.set("a", round);
      storage.set(`b ${round}`, round);
    }
    await clock.advance(1_000);
    expect(recording.batches.flat()).toHaveLength(10);
    for (const keys of sentKeys(recording)) expect(new Set(keys).size).toBe(keys.length);
    expect(stored(backend)).toEqual(inMemory(storage));
    expect(recording.brokenPromises).toEqual([]);
  });
});

describe("batchMax and batchBytesMax", () => {
  test("batchMax is the most mutations of one batch", async () => {
    const { storage, clock, recording, backend } = await openBehind<number>({ batchMax: 10 });
    for (let index = 0; index < 95; index += 1) storage.set(`key ${index}`, index);
    await clock.advance(1_000);
    expect(recording.batches.map((batch) => batch.length)).toEqual([...Array<number>(9).fill(10), 5]);
    expect(backend.records.size).toBe(95);
  });

  test("batchBytesMax is the most encoded bytes of one batch; a single larger value goes alone", async () => {
    const { storage, clock, recording, backend } = await openBehind<string>({ batchBytesMax: 1_000 });
    for (let index = 0; index < 10; index += 1) storage.set(`key ${index}`, "x".repeat(300));
    storage.set("large", "x".repeat(5_000));
    for (let index = 10; index < 14; index += 1) storage.set(`key ${index}`, "x".repeat(300));
    await clock.advance(1_000);
    expect(backend.records.size).toBe(15);
    for (const batch of recording.batches) {
      const bytes = batch.reduce((sum, each) => sum + (each.type === "put" ? each.value.byteLength : 0), 0);
      if (bytes > 1_000) expect(batch).toHaveLength(1);
    }
    expect(sentKeys(recording).find((keys) => keys.includes("large"))).toEqual(["large"]);
    expect(recording.batches.some((batch) => batch.length > 1)).toBe(true);
    expect(recording.brokenPromises).toEqual([]);
  });

  test("both limits are what the adapter is told at its opening", async () => {
    const limits: unknown[] = [];
    await openBehind(
      { batchMax: 7, batchBytesMax: 99 },
      {
        wrap: (inner) => {
          const open = inner.open.bind(inner);
          inner.open = (context) => {
            limits.push(context.limits);
            return open(context);
          };
          return inner;
        },
      },
    );
    expect(limits).toEqual([{ batchMax: 7, batchBytesMax: 99 }]);
  });
});

describe("workers", () => {
  test("write side by side, each key in its own lane, and never more than the adapter allows", async () => {
    for (const [workers, lanesMax, most] of [
      [4, 4, 4],
      [8, 2, 2],
      [1, 4, 1],
    ] as const) {
      const { storage, clock, faulty, recording, backend } = await openBehind<number>(
        { workers },
        { capabilities: { lanesMax } },
      );
      faulty.gate.hold();
      for (let index = 0; index < 200; index += 1) storage.set(`key ${index}`, index);
      await clock.advance(200);
      expect(recording.writesUnderWay).toBe(most);
      faulty.heal();
      await clock.advance(1_000);
      for (let index = 0; index < 200; index += 1) storage.set(`key ${index}`, index + 1);
      await clock.advance(1_000);
      expect(stored(backend)).toEqual(inMemory(storage));
      expect(recording.writesUnderWayMax).toBe(most);
      expect(recording.brokenPromises).toEqual([]);
    }
  });

  test("a slow lane holds up no other lane", async () => {
    const { storage, clock, faulty, backend } = await openBehind<number>({ workers: 2 });
    faulty.gate.hold();
    for (let index = 0; index < 50; index += 1) storage.set(`key ${index}`, index);
    await clock.advance(200);
    const [, second] = faulty.gate.waiting;
    second?.release();
    await clock.settle();
    expect(backend.records.size).toBe(second?.batch.length);
    expect(second?.batch.length).toBeGreaterThan(5);
  });
});
