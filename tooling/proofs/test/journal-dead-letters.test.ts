/** Dead letters over crashes: carried over as they stood, ended once and for all, and never in the way of what is newer (I10). */

import type { PersistentQueueStorage, QueueStorage } from "@leakdb/core";
import { describe, expect, test } from "vitest";
import { inMemory, stored } from "../src/faults/opened-store.js";
import { thrownBy } from "../src/faults/watched-promise.js";
import { Machine, turns } from "../src/journal/machine.js";

const keysOf = (storage: { deadLetters(): { key: string }[] }): string[] =>
  storage.deadLetters().map(({ key }) => key);

/** Opens with a backend that refuses these keys. */
async function openRefusing(machine: Machine, ...keys: string[]): Promise<PersistentQueueStorage<unknown>> {
  const { storage, faulty } = await machine.openBehind();
  for (const key of keys) faulty.rejectKey(key);
  return storage;
}

async function refused(
  machine: Machine,
): Promise<{ storage: PersistentQueueStorage<unknown>; version: number }> {
  const storage = await openRefusing(machine, "bad");
  const version = storage.set("bad", { n: 1 });
  storage.set("good", 1);
  expect(await thrownBy(() => storage.flush())).toMatchObject({ code: "LEAKDB_FLUSH_FAILED" });
  await turns();
  return { storage, version };
}

describe("refused by the backend", () => {
  test("a letter stands after a crash as it stood before: operation, key, version, date, attempts, code and message", async () => {
    const machine = new Machine();
    const { storage } = await refused(machine);
    const [before] = storage.deadLetters();
    machine.crash({ unsynced: "dropped" }, 3_600_000);
    const next = await openRefusing(machine, "bad");
    const [after] = next.deadLetters();
    expect(next.deadLetters()).toHaveLength(1);
    const { operation, key, version, attempts, date } = before ?? {};
    expect(after).toMatchObject({ operation, key, version, attempts, date });
    expect(after?.error).toMatchObject({ code: "LEAKDB_ADAPTER_REJECTED", message: before?.error.message });
    expect(next.get("bad")).toEqual({ n: 1 });
    expect(next.stats().queue?.deadLetters).toBe(1);
  });

  test("it is not tried again by itself, covers flushes, and keeps no other key from being stored", async () => {
    const machine = new Machine();
    await refused(machine);
    machine.crash();
    const { storage, recording } = await machine.openBehind();
    storage.set("other", 1);
    expect(await thrownBy(() => storage.flush())).toMatchObject({ code: "LEAKDB_FLUSH_FAILED" });
    expect(JSON.stringify(recording.batches)).not.toContain('"bad"');
    expect(stored(machine.backend)).toEqual({ good: 1, other: 1 });
    await storage.flush({ level: "journaled" });
  });

  test("over many restarts it stands once", async () => {
    const machine = new Machine();
    await refused(machine);
    for (let life = 0; life < 4; life += 1) {
      machine.crash({ seed: life });
      const storage = await openRefusing(machine, "bad");
      storage.set(`life ${life}`, life);
      await storage.flush({ level: "journaled" });
      expect(keysOf(storage)).toEqual(["bad"]);
    }
    expect((await closed(machine)).unwritten).toHaveLength(1);
    expect(keysOf(await openRefusing(machine))).toEqual(["bad"]);
  });

  test("retried once the backend takes it, it is stored with its version, and gone after the next crash too", async () => {
    const machine = new Machine();
    const { version } = await refused(machine);
    machine.crash();
    const next = await openRefusing(machine);
    expect(next.deadLetters()[0]?.retry()).toBe(true);
    await next.flush();
    expect(next.deadLetters()).toEqual([]);
    expect(machine.backend.records.get("bad")?.version).toBe(version);
    machine.crash({ unsynced: "kept" });
    expect(keysOf(await openRefusing(machine))).toEqual([]);
  });

  test("discarded, it does not come back, and neither does its value over what the backend has", async () => {
    const machine = new Machine();
    const storage = await openRefusing(machine);
    storage.set("bad", "older");
    await storage.flush();
    await storage.close();
    await refused(machine);
    machine.crash();
    const next = await openRefusing(machine, "bad");
    expect(next.deadLetters()[0]?.discard()).toBe(true);
    await next.flush();
    await turns();
    machine.crash();
    const last = await openRefusing(machine);
    expect(keysOf(last)).toEqual([]);
    await last.flush();
    expect(inMemory(last)).toEqual({ bad: "older", good: 1 });
  });

  test.each<[string, (storage: PersistentQueueStorage<unknown>) => unknown, object]>([
    ["a newer put", (storage) => storage.set("bad", 2), { bad: 2, good: 1 }],
    ["a delete", (storage) => storage.delete("bad"), { good: 1 }],
    ["a clear", (storage) => storage.clear({ prefix: "b" }), { good: 1 }],
  ])("superseded by %s, it is gone, after the next crash too", async (_name, supersede, expected) => {
    const machine = new Machine();
    await refused(machine);
    machine.crash();
    const next = await openRefusing(machine);
    supersede(next);
    await next.flush();
    expect(keysOf(next)).toEqual([]);
    machine.crash({ unsynced: "kept" });
    const last = await openRefusing(machine);
    await last.flush();
    expect(keysOf(last)).toEqual([]);
    expect(inMemory(last)).toEqual(expected);
    expect(stored(machine.backend)).toEqual(expected);
  });

  test("a newer put that was journaled and not stored goes before it after a crash", async () => {
    const machine = new Machine();
    await refused(machine);
    machine.crash();
    const { storage, faulty } = await machine.openBehind();
    faulty.goDown();
    storage.set("bad", 2);
    await storage.flush({ level: "journaled" });
    machine.crash();
    const last = await openRefusing(machine);
    await last.flush();
    expect(keysOf(last)).toEqual([]);
    expect(stored(machine.backend)).toEqual({ bad: 2, good: 1 });
  });

  test("a refused delete stands as a delete: memory has it gone, and the backend may keep it", async () => {
    const machine = new Machine();
    const storage = await openRefusing(machine);
    storage.set("bad", 1);
    await storage.flush();
    await storage.close();
    const next = await openRefusing(machine, "bad");
    next.delete("bad");
    expect(await thrownBy(() => next.flush())).toMatchObject({ code: "LEAKDB_FLUSH_FAILED" });
    await turns();
    machine.crash();
    const last = await openRefusing(machine);
    expect(last.deadLetters()).toMatchObject([{ operation: "delete", key: "bad" }]);
    expect(last.get("bad")).toBeUndefined();
    last.deadLetters()[0]?.retry();
    await last.flush();
    expect(stored(machine.backend)).toEqual({});
  });

  test("it outlives the files it was told of first: whatever is cut off, it stands", async () => {
    const machine = new Machine();
    const { storage, faulty } = await machine.openBehind<string>({}, { maxBytes: 1024 * 1024 });
    faulty.rejectKey("bad");
    storage.set("bad", "v");
    for (let round = 0; round < 20; round += 1) {
      storage.set("other", `${round}`.padEnd(100_000));
      await storage.flush().catch(() => undefined);
      await machine.clock.settle(30);
    }
    expect(machine.disk.count("remove")).toBeGreaterThan(3);
    machine.crash();
    const next = await openRefusing(machine);
    expect(keysOf(next)).toEqual(["bad"]);
    expect(next.get("bad")).toBe("v");
  });
});

/** Closes the storage of a new life on the machine; answers what it rejects with. */
async function closed(machine: Machine): Promise<{ code?: string; unwritten?: readonly { key: string }[] }> {
  machine.kill();
  return thrownBy(async () => (await openRefusing(machine)).close());
}

describe("what cannot be encoded", () => {
  test("is a dead letter that no journal can hold: it is gone after a crash, and the state before it is there", async () => {
    const machine = new Machine();
    const storage = await openRefusing(machine);
    storage.set("a", 1);
    await storage.flush();
    storage.set("a", { f: () => 1 });
    expect(await thrownBy(() => storage.flush())).toMatchObject({ code: "LEAKDB_FLUSH_FAILED" });
    expect(storage.deadLetters()[0]?.error).toMatchObject({ code: "LEAKDB_ENCODE_FAILED" });
    expect(await thrownBy(() => storage.flush({ level: "journaled" }))).toMatchObject({
      code: "LEAKDB_FLUSH_FAILED",
    });
    machine.crash();
    const next = await openRefusing(machine);
    expect(inMemory(next)).toEqual({ a: 1 });
    expect(next.deadLetters()).toEqual([]);
  });

  test.each(["retried", "superseded", "discarded"] as const)(
    "once %s, it covers neither level any more",
    async (end) => {
      const machine = new Machine();
      const storage = await openRefusing(machine);
      const value: { f?: unknown } = { f: () => 1 };
      storage.set("a", value);
      expect(await thrownBy(() => storage.flush())).toMatchObject({ code: "LEAKDB_FLUSH_FAILED" });
      delete value.f;
      if (end === "retried") storage.deadLetters()[0]?.retry();
      if (end === "superseded") storage.set("a", {});
      if (end === "discarded") storage.deadLetters()[0]?.discard();
      await storage.flush();
      await storage.flush({ level: "journaled" });
      machine.crash();
      expect(inMemory(await openRefusing(machine))).toEqual(end === "discarded" ? {} : { a: {} });
    },
  );
});

describe("given up by a worker", () => {
  const mistake = Object.assign(new TypeError("no such page"), { code: "E_PAGE" });

  async function failed(machine: Machine): Promise<QueueStorage<number>> {
    const { storage } = await machine.openQueue<number>({
      retry: { maxAttempts: 2, backoff: 1 },
      workerProcess: ({ key }) => {
        if (key === "bad") throw mistake;
        return true;
      },
    });
    storage.setMulti({ bad: 1, good: 1 });
    await machine.clock.advance(1_000);
    return storage;
  }

  test("a letter stands after a crash, with what the worker threw, and the item is not delivered by itself", async () => {
    const machine = new Machine();
    const before = (await failed(machine)).deadLetters()[0];
    machine.crash();
    const items: string[] = [];
    const { storage } = await machine.openQueue<number>({ workerProcess: ({ key }) => items.push(key) > 0 });
    const [letter] = storage.deadLetters();
    expect(letter).toMatchObject({ operation: "put", key: "bad", version: before?.version, attempts: 2 });
    expect(letter?.error.message).toBe("no such page");
    expect(letter?.date).toEqual(before?.date);
    await machine.clock.advance(60_000);
    expect(items).toEqual([]);
  });

  test("retried, the item itself is delivered, and over a crash before that it is delivered still", async () => {
    const machine = new Machine();
    await failed(machine);
    machine.crash();
    const stuck = await machine.openQueue<number>({ workerProcess: () => new Promise(() => undefined) });
    expect(stuck.storage.deadLetters()[0]?.retry()).toBe(true);
    await turns();
    machine.crash();
    const items: string[] = [];
    const { storage } = await machine.openQueue<number>({
      workerProcess: ({ key, value }) => items.push(`${key}=${value}`) > 0,
    });
    // Delivered, or still a letter: the retry was journaled, so it must be the former.
    await storage.flush().catch(() => undefined);
    expect([items, keysOf(storage)]).toEqual([["bad=1"], []]);
  });

  test("discarded, it does not come back", async () => {
    const machine = new Machine();
    const storage = await failed(machine);
    storage.deadLetters()[0]?.discard();
    await turns();
    machine.crash();
    const { storage: next } = await machine.openQueue<number>({ workerProcess: () => true });
    expect(next.deadLetters()).toEqual([]);
    await next.flush();
    await next.close();
  });

  test("a newer item of its key leaves it standing: items do not supersede each other", async () => {
    const machine = new Machine();
    await failed(machine);
    machine.crash();
    const { storage } = await machine.openQueue<number>({ workerProcess: () => true });
    storage.set("bad", 2);
    await machine.clock.advance(1_000);
    expect(storage.deadLetters()).toMatchObject([{ key: "bad" }]);
    machine.crash();
    expect(keysOf((await machine.openQueue({ workerProcess: () => true })).storage)).toEqual(["bad"]);
  });
});
