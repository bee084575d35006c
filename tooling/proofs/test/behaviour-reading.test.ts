/** Iterators, levels of durability, counters and the printed line. */

import { DefaultStorage, QueueStorage } from "@leakdb/core";
import { ManualClock } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { openBehind, openThrough } from "../src/faults/opened-store.js";
import { thrownBy, watched } from "../src/faults/watched-promise.js";

describe("iterators are weakly consistent", () => {
  test.each([undefined, { prefix: "" }, { reverse: true }, { gte: "" }])(
    "never visit a key added after the call, nor one deleted meanwhile, and end (%j)",
    async (range) => {
      const { storage } = await openBehind<number>();
      for (let index = 0; index < 10; index += 1) storage.set(`key ${index}`, index);
      const visited: string[] = [];
      const iterator = storage.keys(range);
      storage.set("added before the first step", 0);
      for (const key of iterator) {
        visited.push(key);
        storage.set(`z added ${visited.length}`, 1);
        storage.set(`a added ${visited.length}`, 1);
        if (visited.length === 1) storage.delete(key === "key 5" ? "key 6" : "key 5");
      }
      expect(visited).toHaveLength(9);
      expect(visited.filter((key) => key.includes("added"))).toEqual([]);
    },
  );

  test("see a changed value as it is when visited, and no key twice that is deleted and set again", async () => {
    const { storage } = await openBehind<number>();
    storage.setMulti({ a: 1, b: 1, c: 1 });
    const seen: [string, number][] = [];
    for (const [key, value] of storage.entries({ gte: "a" })) {
      seen.push([key, value]);
      if (key === "a") {
        storage.set("c", 9);
        storage.delete("a");
        storage.set("a", 5);
      }
    }
    expect(seen).toEqual([
      ["a", 1],
      ["b", 1],
      ["c", 9],
    ]);
  });

  test("survive a clear in the middle, and an expiry", async () => {
    for (const range of [undefined, { prefix: "key" }]) {
      const { storage, clock } = await openBehind<number>();
      for (let index = 0; index < 10; index += 1) storage.set(`key ${index}`, index, { ttl: 1_000 + index });
      const iterator = storage.keys(range);
      iterator.next();
      await clock.advance(1_005);
      const left = [...storage.keys(range)].length;
      expect(left).toBe(4);
      iterator.next();
      storage.clear();
      storage.set("key 5", 1);
      expect([...iterator]).toEqual([]);
    }
  });

  test("keep the order of UTF-8 bytes where a range asks for one", async () => {
    const { storage } = await openBehind<number>();
    const keys = ["\uff5e", "\u{1f600}", "é", "a", "a\0", "b", "Z", "ab"];
    for (const key of keys) storage.set(key, 1);
    const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect([...storage.keys({ gte: "" })]).toEqual(sorted);
    expect([...storage.keys({ reverse: true })]).toEqual([...sorted].reverse());
    expect([...storage.keys({ prefix: "a" })]).toEqual(["a", "a\0", "ab"]);
    expect([...storage.keys({ gt: "a", lt: "b" })]).toEqual(["a\0", "ab"]);
    expect([...storage.keys({ gte: "a", lte: "b", limit: 2 })]).toEqual(["a", "a\0"]);
    expect([...storage.keys({ prefix: "a", reverse: true, limit: 1 })]).toEqual(["ab"]);
    expect([...storage.keys({ limit: 0 })]).toEqual([]);
    expect([...storage.keys({ gt: "b", lt: "a" })]).toEqual([]);
  });
});

describe("levels", () => {
  test("those the backend promises are waited for, the others are LEAKDB_NOT_SUPPORTED", async () => {
    for (const open of [openBehind, openThrough]) {
      const { storage, clock } = await open<number>({}, { capabilities: { levels: ["stored"] } });
      const writing = Promise.resolve(storage.set("a", 1));
      await clock.advance(1_000);
      const version = await writing;
      for (const level of ["memory", "stored"] as const) {
        await storage.persisted(version, level);
        await storage.flush({ level });
      }
      for (const level of ["synced", "journaled"] as const) {
        const error = await thrownBy(() => storage.persisted(version, level));
        expect(error).toMatchObject({ code: "LEAKDB_NOT_SUPPORTED", retryable: false });
        expect(error.message).toContain("stored");
        expect((await thrownBy(() => storage.flush({ level }))).code).toBe("LEAKDB_NOT_SUPPORTED");
      }
      await storage.close();
    }
  });

  test("memory alone has no level but memory, and its flush has nothing to wait for", async () => {
    const storage = new DefaultStorage<number>();
    const version = storage.set("a", 1);
    await storage.persisted(version, "memory");
    await storage.flush();
    await storage.flush({ level: "memory" });
    for (const level of ["stored", "synced", "journaled"] as const) {
      expect((await thrownBy(() => storage.persisted(version, level))).code).toBe("LEAKDB_NOT_SUPPORTED");
    }
    await storage.close();
  });

  test("of a QueueStorage, stored is what the worker took; there is no disk to sync", async () => {
    const clock = new ManualClock();
    const storage = new QueueStorage<number>({ clock, workerProcess: () => true });
    const waiting = watched(storage.persisted(storage.set("a", 1)));
    await clock.advance(99);
    expect(waiting.state).toBe("pending");
    await clock.advance(1);
    expect(waiting.outcome).toBe("resolved");
    expect((await thrownBy(() => storage.flush({ level: "synced" }))).code).toBe("LEAKDB_NOT_SUPPORTED");
    await storage.close();
  });

  test("memory is reached at once, whatever the backend does", async () => {
    const { storage, faulty } = await openBehind<number>();
    faulty.goDown();
    await storage.persisted(storage.set("a", 1), "memory");
    await storage.flush({ level: "memory" });
  });
});

test("stats count hits, misses, expiries, entries, what waits, was stored, coalesced, retried and died", async () => {
  const { storage, clock, faulty } = await openBehind<number>();
  expect(storage.stats()).toEqual({
    entries: 0,
    hits: 0,
    misses: 0,
    expired: 0,
    version: 0,
    queue: { waiting: 0, needDrain: false, coalesced: 0, stored: 0, batches: 0, retries: 0, deadLetters: 0 },
    backend: { name: "foobar.db", bytes: 0 },
  });
  storage.set("a", 1);
  storage.set("a", 2);
  storage.set("gone", 1, { ttl: 200 });
  faulty.rejectKey("bad");
  storage.set("bad", 1);
  storage.get("a");
  storage.get("absent");
  expect(storage.stats()).toMatchObject({ entries: 3, hits: 1, misses: 1 });
  expect(storage.stats().queue).toMatchObject({ waiting: 3, coalesced: 1, stored: 0 });
  await clock.advance(5_000);
  const stats = storage.stats();
  expect(stats).toMatchObject({ entries: 2, expired: 1, version: storage.version });
  expect(stats.queue).toMatchObject({ waiting: 0, stored: 2, batches: 1, deadLetters: 1 });
  expect(stats.backend?.bytes).toBeGreaterThan(0);
  expect(JSON.parse(JSON.stringify(stats))).toEqual(stats);
});

test("memory alone has stats without a queue and a backend", () => {
  const storage = new DefaultStorage<number>();
  storage.set("a", 1);
  expect(storage.stats()).toMatchObject({ entries: 1, queue: undefined, backend: undefined });
  expect(storage.deadLetters()).toEqual([]);
  expect(storage.needDrain).toBe(false);
  expect(String(storage)).toMatch(/1 items in storage memory$/);
});

test("the printed line names the backend, its bytes, the queue and memory", async () => {
  const { storage, clock, backend } = await openBehind<number>();
  storage.setMulti({ a: 1, b: 2, c: 3 });
  expect(String(storage)).toBe("foobar.db 0 bytes :: 3 items in queue :: 3 items in storage memory");
  await clock.advance(1_000);
  expect(`${storage}`).toBe(
    `foobar.db ${backend.bytes} bytes :: 0 items in queue :: 3 items in storage memory`,
  );
});
