/** A backend that is down: at the opening, in the middle, and at the close. */

import { PersistentQueueStorage, PersistentStorage } from "@leakdb/core";
import { AdapterError } from "@leakdb/core/adapter";
import { type CommonFault, ReferenceBackend } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { OPEN_TIMEOUT_MS } from "../src/faults/durations.js";
import { bench, inMemory, openBehind, stored } from "../src/faults/opened-store.js";
import { codeThrownBy, thrownBy, watched } from "../src/faults/watched-promise.js";

const HOUR_MS = 3_600_000;

const STORAGES = [
  ["PersistentQueueStorage", PersistentQueueStorage],
  ["PersistentStorage", PersistentStorage],
] as const;

describe.each(STORAGES)("%s on a backend that is down at its opening", (_name, Storage) => {
  test.each<[CommonFault]>([["transient"], ["permanent"], ["plain"], ["ambiguous"], ["throw-sync"]])(
    "rejects with LEAKDB_OPEN_FAILED after an open that is %s, and nothing stays open",
    async (fault) => {
      const { recording, faulty, backend, clock } = bench();
      faulty.script("open", fault);
      const error = await thrownBy(() => Storage.open({ adapter: recording, clock }));
      expect(error).toMatchObject({ name: "LeakDBError", code: "LEAKDB_OPEN_FAILED", retryable: true });
      expect(error.cause).toBeInstanceOf(Error);
      expect(error.message).toContain("foobar.db");
      expect(backend.owner).toBeUndefined();
      expect(clock.pendingTimers).toBe(0);
      const storage = await Storage.open({ adapter: recording, clock });
      await storage.close();
      expect(recording.brokenPromises).toEqual([]);
    },
  );

  test("rejects by its deadline when the open hangs, aborts it and closes the adapter", async () => {
    const { recording, faulty, backend, clock } = bench();
    faulty.script("open", "hang");
    const opening = watched<unknown>(Storage.open({ adapter: recording, clock }));
    await clock.advance(OPEN_TIMEOUT_MS - 1);
    expect(opening.state).toBe("pending");
    await clock.advance(1);
    expect(opening.outcome).toBe("LEAKDB_OPEN_FAILED");
    expect(backend.owner).toBeUndefined();
    expect(clock.pendingTimers).toBe(0);
  });

  test("keeps the openTimeout it is given, for the open and for each page of the scan", async () => {
    for (const operation of ["open", "scan"] as const) {
      const { recording, faulty, clock } = bench();
      faulty.script(operation, "hang");
      const opening = watched<unknown>(Storage.open({ adapter: recording, clock, openTimeout: 2_000 }));
      await clock.advance(1_999);
      expect(opening.state).toBe("pending");
      await clock.advance(1);
      expect(opening.outcome).toBe("LEAKDB_OPEN_FAILED");
    }
  });

  test.each(["transient", "plain", "throw-sync", "midway", "hang"] as const)(
    "rejects when the scan is %s, and nothing stays open",
    async (fault) => {
      const { recording, faulty, backend, clock } = bench();
      const first = await PersistentQueueStorage.open({ adapter: recording, clock });
      for (let index = 0; index < 10; index += 1) first.set(`key ${index}`, index);
      await first.close();
      faulty.script("scan", fault);
      const opening = watched<unknown>(Storage.open({ adapter: recording, clock }));
      await clock.advance(2 * OPEN_TIMEOUT_MS);
      expect(opening.outcome).toBe("LEAKDB_OPEN_FAILED");
      expect(backend.owner).toBeUndefined();
      expect(backend.records.size).toBe(10);
      expect(clock.pendingTimers).toBe(0);
    },
  );

  test("rejects by its deadline when even the close after a failed open hangs", async () => {
    const { recording, faulty, clock } = bench();
    faulty.script("open", "transient");
    faulty.script("close", "hang");
    const opening = watched<unknown>(Storage.open({ adapter: recording, clock }));
    await clock.advance(2 * OPEN_TIMEOUT_MS);
    expect(opening.outcome).toBe("LEAKDB_OPEN_FAILED");
  });

  test("tells of a backend that is open elsewhere, or damaged, by the adapter's own code", async () => {
    const backend = new ReferenceBackend();
    const owner = await Storage.open({ adapter: bench({ backend }).recording });
    const locked = await thrownBy(() => Storage.open({ adapter: bench({ backend }).recording }));
    expect(locked).toMatchObject({ code: "LEAKDB_LOCKED", retryable: true });
    expect(owner.get("still usable")).toBeUndefined();
    await owner.close();
    const { recording } = bench({ backend });
    recording.inner.open = () =>
      Promise.reject(new AdapterError("page 3 is torn", { kind: "permanent", code: "LEAKDB_CORRUPTION" }));
    const corrupt = await thrownBy(() => Storage.open({ adapter: recording }));
    expect(corrupt).toMatchObject({ code: "LEAKDB_CORRUPTION", retryable: false });
  });
});

describe("write-behind on a backend that is down for an hour", () => {
  test.each([{ workers: 1 }, { workers: 3 }])(
    "goes on reading and writing within its bounds, then drains ($workers lanes)",
    async ({ workers }) => {
      const { storage, clock, faulty, recording, backend, events } = await openBehind<number>({
        workers,
        highWaterMark: 50,
        capacity: 100,
        batchMax: 20,
      });
      storage.set("before", 1);
      await clock.advance(1_000);
      faulty.goDown();
      let refused = 0;
      for (let minute = 0; minute < 60; minute += 1) {
        for (let index = 0; index < 10; index += 1) {
          const key = `key ${minute * 10 + index}`;
          if (codeThrownBy(() => storage.set(key, minute)) === "LEAKDB_QUEUE_FULL") {
            refused += 1;
            // What was refused has changed nothing (I8).
            expect(storage.has(key)).toBe(false);
          }
        }
        storage.set("key 0", minute);
        expect(storage.get("key 0")).toBe(minute);
        expect(storage.get("before")).toBe(1);
        await clock.advance(60_000);
        // A key in the hands of a lane and rewritten meanwhile counts twice.
        expect(storage.stats().queue?.waiting).toBeLessThanOrEqual(100 + workers);
      }
      expect(refused).toBeGreaterThanOrEqual(500);
      expect(refused).toBeLessThanOrEqual(500 + workers);
      expect(storage.needDrain).toBe(true);
      expect(storage.deadLetters()).toEqual([]);
      expect(stored(backend)).toEqual({ before: 1 });
      expect(Math.max(...recording.batches.map((batch) => batch.length))).toBeLessThanOrEqual(20);
      // A backend that is down is asked now and then, not all the time.
      expect(recording.batches.length).toBeLessThan(1_000 * workers);
      faulty.goUp();
      const flushing = watched(storage.flush());
      await clock.advance(60_000);
      expect(flushing.outcome).toBe("resolved");
      expect(storage.needDrain).toBe(false);
      expect(events.of("drain")).toHaveLength(1);
      expect(stored(backend)).toEqual(inMemory(storage));
      expect(recording.brokenPromises).toEqual([]);
      expect(clock.pendingTimers).toBe(0);
    },
  );

  test("drains by itself, without a flush, soon after the backend is back", async () => {
    const { storage, clock, faulty, backend } = await openBehind<number>();
    faulty.goDown();
    for (let index = 0; index < 500; index += 1) storage.set(`key ${index}`, index);
    await clock.advance(HOUR_MS);
    faulty.goUp();
    // Many steps, so that writes without a timer between them have their turns.
    for (let second = 0; second < 120; second += 1) await clock.advance(1_000);
    expect(Object.keys(stored(backend))).toHaveLength(500);
    expect(storage.stats().queue?.waiting).toBe(0);
    expect(storage.deadLetters()).toEqual([]);
  });

  test.each([50, 500, 2_000])(
    "asks it no oftener for %i keys than for one, and writes no key by itself once it is back",
    async (keys) => {
      const { storage, clock, faulty, backend, recording } = await openBehind<number>();
      storage.set("warm", 1);
      await clock.advance(1_000);
      faulty.goDown();
      for (let index = 0; index < keys; index += 1) storage.set(`key ${index}`, index);
      for (let minute = 0; minute < 60; minute += 1) await clock.advance(60_000);
      // At a pause of at most 30 s with jitter that is about 160 tries an hour.
      expect.soft(recording.batches.length).toBeLessThan(300);
      recording.forget();
      faulty.goUp();
      for (let second = 0; second < 120; second += 1) await clock.advance(1_000);
      expect(backend.records.size).toBe(keys + 1);
      expect.soft(recording.batches.length).toBeLessThanOrEqual(keys / 5 + 10);
    },
  );

  test.each([1, 8])(
    "makes no dead letter of what it met, whatever maxAttempts is (%i)",
    async (maxAttempts) => {
      const { storage, clock, faulty, backend } = await openBehind<number>({ retry: { maxAttempts } });
      faulty.goDown();
      for (let index = 0; index < 50; index += 1) storage.set(`key ${index}`, index);
      await clock.advance(HOUR_MS);
      faulty.goUp();
      for (let second = 0; second < 120; second += 1) await clock.advance(1_000);
      expect(storage.deadLetters()).toEqual([]);
      expect(backend.records.size).toBe(50);
    },
  );

  test("makes no dead letter when it takes but one write now and then", async () => {
    const { storage, clock, faulty, backend } = await openBehind<number>();
    faulty.goDown();
    for (let index = 0; index < 50; index += 1) storage.set(`key ${index}`, index);
    for (let minute = 0; minute < 60; minute += 1) {
      await clock.advance(60_000);
      const before = backend.records.size;
      faulty.goUp();
      for (let step = 0; step < 300 && backend.records.size === before; step += 1) await clock.advance(100);
      faulty.goDown();
    }
    expect(storage.deadLetters()).toEqual([]);
    faulty.heal();
    for (let second = 0; second < 120; second += 1) await clock.advance(1_000);
    expect(backend.records.size).toBe(50);
  });

  test("keeps its reopening on when closing and opening fail as well", async () => {
    const { storage, clock, faulty, backend, events, recording } = await openBehind<number>();
    faulty.script("write", "ambiguous");
    faulty.script("close", "transient", "plain");
    faulty.script("open", "transient", "plain", "throw-sync");
    storage.set("key", 1);
    await clock.advance(300_000);
    expect(stored(backend)).toEqual({ key: 1 });
    expect(events.of("fault").length).toBeGreaterThanOrEqual(5);
    expect(recording.brokenPromises).toEqual([]);
  });
});

describe("write-behind on a backend that is down at its close", () => {
  test.each(["down", "hanging"])("gives back by the deadline what it could not store (%s)", async (how) => {
    const { storage, clock, faulty, backend } = await openBehind();
    storage.set("stored", 1);
    storage.set("gone", 1);
    await clock.advance(1_000);
    if (how === "down") faulty.goDown();
    else faulty.script("write", "hang", "hang", "hang");
    const version = storage.set("key", { deep: true }, { ttl: HOUR_MS });
    storage.delete("gone");
    storage.clear({ prefix: "p" });
    const startMs = clock.now();
    const closing = watched(storage.close({ timeout: 5_000 }));
    expect(codeThrownBy(() => storage.set("late", 1))).toBe("LEAKDB_CLOSED");
    await clock.advance(4_999);
    expect(closing.state).toBe("pending");
    expect(storage.get("key")).toEqual({ deep: true });
    await clock.advance(1);
    expect(closing.outcome).toBe("LEAKDB_CLOSE_INCOMPLETE");
    const { unwritten } = closing.error as { unwritten: unknown[] };
    expect(unwritten).toEqual([
      {
        operation: "put",
        key: "key",
        value: { deep: true },
        version,
        expiresAt: startMs + HOUR_MS,
      },
      { operation: "delete", key: "gone", value: undefined, version: version + 1, expiresAt: undefined },
      { operation: "clear", key: "p", value: undefined, version: version + 2, expiresAt: undefined },
    ]);
    expect(codeThrownBy(() => storage.get("key"))).toBe("LEAKDB_CLOSED");
    await clock.advance(HOUR_MS);
    expect(clock.pendingTimers).toBe(0);
    expect(stored(backend)).toEqual({ gone: 1, stored: 1 });
    expect(backend.owner).toBeUndefined();
  });

  test("rejects by its deadline when the adapter's close hangs", async () => {
    const { storage, clock, faulty, backend } = await openBehind();
    faulty.script("close", "hang");
    storage.set("key", 1);
    const closing = watched(storage.close({ timeout: 5_000 }));
    await clock.advance(5_000);
    expect(closing.outcome).toBe("LEAKDB_CLOSE_INCOMPLETE");
    expect(closing.error).toMatchObject({ unwritten: [] });
    expect(stored(backend)).toEqual({ key: 1 });
  });

  test.each(["transient", "plain", "throw-sync"] as const)(
    "says so when the adapter's close is %s",
    async (fault) => {
      const { storage, clock, faulty, backend } = await openBehind();
      faulty.script("close", fault);
      storage.set("key", 1);
      const closing = watched(storage.close({ timeout: 5_000 }));
      await clock.advance(5_000);
      expect(closing.outcome).toBe("LEAKDB_CLOSE_INCOMPLETE");
      expect(stored(backend)).toEqual({ key: 1 });
    },
  );

  test("ends in time with a timeout of 0, and what was not stored is given back", async () => {
    const { storage, clock, faulty } = await openBehind();
    faulty.goDown();
    storage.set("key", 1);
    const closing = watched(storage.close({ timeout: 0 }));
    await clock.advance(0);
    expect(closing.outcome).toBe("LEAKDB_CLOSE_INCOMPLETE");
    expect(closing.error).toMatchObject({ unwritten: [{ key: "key" }] });
  });
});
