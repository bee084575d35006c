/** A store whose only persistence is its journal: everything memory can hold is there again, and the journal stays short. */

import { describe, expect, test } from "vitest";
import { inMemory } from "../src/faults/opened-store.js";
import { thrownBy } from "../src/faults/watched-promise.js";
import { JOURNAL, Machine } from "../src/journal/machine.js";

const MIB = 1024 * 1024;

describe("a DefaultStorage with a journal", () => {
  test("comes back with every kind of value, with versions and expiry", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault();
    const circular: { self?: unknown } = {};
    circular.self = circular;
    storage.setMulti({
      ...{ zero: 0, empty: "", none: null, no: false, big: 12n ** 30n, date: new Date(5) },
      ...{ map: new Map([["a", new Set([1])]]), bytes: new Uint8Array([1, 2]), circular },
    });
    const expiresAt = machine.clock.now() + 60_000;
    storage.set("session", { user: 7 }, { expiresAt });
    await storage.flush();
    const before = inMemory(storage);
    const entry = storage.getEntry("session");
    machine.crash();
    const next = (await machine.openDefault()).storage;
    expect(inMemory(next)).toEqual(before);
    expect(next.getEntry("session")).toEqual(entry);
    expect(next.toString()).toContain("10 items");
  });

  test("comes back after each mutator as memory was", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault<number>();
    storage.add("added", 1);
    storage.incr("counter", { initialValue: 5 });
    storage.incr("counter", { delta: 10 });
    storage.decr("counter");
    storage.set("replaced", 1);
    storage.replace("replaced", 2);
    storage.cas("replaced", 3, storage.getEntry("replaced")?.version ?? 0);
    storage.update("updated", () => 1);
    storage.setMulti({ x1: 1, x2: 2, x3: 3 });
    storage.deleteMulti(["x1", "x2"]);
    storage.set("short", 1, { ttl: 1_000 });
    storage.touch("short", { ttl: 90_000 });
    storage.set("gone", 1);
    storage.delete("gone");
    storage.namespace<number>("n:").set("a", 1);
    storage.namespace<number>("m:").set("a", 1);
    storage.namespace("n:").clear();
    await storage.flush();
    const before = inMemory(storage);
    machine.crash({ unsynced: "dropped" }, 60_000);
    const next = (await machine.openDefault<number>()).storage;
    expect(inMemory(next)).toEqual(before);
    expect(before).toEqual({ added: 1, counter: 14, replaced: 3, updated: 1, x3: 3, short: 1, "m:a": 1 });
    expect([...next.keys({ prefix: "x" })]).toEqual(["x3"]);
  });

  test("what has expired while the process was down is gone, and not counted", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault();
    storage.set("a", 1);
    storage.set("a", 2, { ttl: 1_000 });
    storage.set("b", 1, { ttl: 10_000 });
    await storage.flush();
    machine.kill(5_000);
    const next = (await machine.openDefault()).storage;
    expect(inMemory(next)).toEqual({ b: 1 });
    expect(next.size).toBe(1);
  });

  test("copied values are journaled as at the call, and reads of recovered ones are copies", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault<{ n: number }>({}, { values: "copied" });
    const value = { n: 1 };
    storage.set("a", value);
    value.n = 2;
    await storage.flush();
    machine.crash();
    const next = (await machine.openDefault<{ n: number }>({}, { values: "copied" })).storage;
    const read = next.get("a") as { n: number };
    expect(read).toEqual({ n: 1 });
    read.n = 9;
    expect(next.get("a")).toEqual({ n: 1 });
  });

  test("a close loses nothing, whatever was not awaited, and the journal is no one's any more", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault<number>({ sync: "interval", interval: 60_000 });
    for (let index = 0; index < 1_000; index += 1) storage.set(`key ${index}`, index);
    storage.delete("key 0");
    await storage.close();
    machine.crash({ unsynced: "dropped" });
    const next = (await machine.openDefault<number>()).storage;
    expect(next.size).toBe(999);
    expect(next.stats().journal?.recovery.tornBytes).toBe(0);
  });

  test("says at levels it does not have that it has only memory and journaled", async () => {
    const { storage } = await new Machine().openDefault();
    const error = await thrownBy(() => storage.persisted(storage.set("a", 1), "stored"));
    expect(error).toMatchObject({ code: "LEAKDB_NOT_SUPPORTED" });
    expect(error.message).toContain("memory, journaled");
  });

  test("an unencodable value is a dead letter that names it, and everything around it is journaled", async () => {
    const machine = new Machine();
    const { storage, events } = await machine.openDefault();
    storage.set("good", 1);
    const value: { f?: unknown } = { f: () => 1 };
    const bad = storage.set("bad", value);
    storage.set("better", 1);
    expect(await thrownBy(() => storage.flush())).toMatchObject({ code: "LEAKDB_FLUSH_FAILED" });
    expect(storage.deadLetters()).toMatchObject([{ operation: "put", key: "bad", version: bad }]);
    expect(storage.deadLetters()[0]?.error).toMatchObject({ code: "LEAKDB_ENCODE_FAILED" });
    expect(events.of("deadLetter")).toHaveLength(1);
    expect(storage.get("bad")).toBe(value);
    await storage.persisted(storage.version, "journaled", { key: "better" });
    delete value.f;
    expect(storage.deadLetters()[0]?.retry()).toBe(true);
    await storage.flush();
    expect(storage.deadLetters()).toEqual([]);
    machine.crash();
    expect(inMemory((await machine.openDefault()).storage)).toEqual({ good: 1, bad: {}, better: 1 });
  });

  test("the letter of a value that has expired meanwhile can be retried, and is gone then", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault();
    storage.set("a", { f: () => 1 }, { ttl: 1_000 });
    expect(await thrownBy(() => storage.flush())).toMatchObject({ code: "LEAKDB_FLUSH_FAILED" });
    await machine.clock.advance(300_000);
    expect(storage.get("a")).toBeUndefined();
    expect(storage.deadLetters()[0]?.retry()).toBe(true);
    await storage.flush();
    expect(storage.deadLetters()).toEqual([]);
    await storage.close();
  });

  test("an unencodable value that is retried and still is one fails the next flush again", async () => {
    const { storage } = await new Machine().openDefault();
    storage.set("a", { f: () => 1 });
    expect(await thrownBy(() => storage.flush())).toMatchObject({ code: "LEAKDB_FLUSH_FAILED" });
    storage.deadLetters()[0]?.retry();
    expect(await thrownBy(() => storage.flush())).toMatchObject({ code: "LEAKDB_FLUSH_FAILED" });
    expect(storage.deadLetters()).toHaveLength(1);
  });

  test.each(["superseded", "deleted", "cleared", "discarded"] as const)(
    "an unencodable value that is %s covers no flush any more, and its older state is not taken for the newest",
    async (end) => {
      const machine = new Machine();
      const { storage } = await machine.openDefault();
      storage.set("a", 1);
      await storage.flush();
      storage.set("a", { f: () => 1 });
      expect(await thrownBy(() => storage.flush())).toMatchObject({ code: "LEAKDB_FLUSH_FAILED" });
      if (end === "superseded") storage.set("a", 2);
      if (end === "deleted") storage.delete("a");
      if (end === "cleared") storage.clear();
      if (end === "discarded") storage.deadLetters()[0]?.discard();
      await storage.flush();
      expect(storage.deadLetters()).toEqual([]);
      machine.crash();
      // What is given up leaves the persistence what it had.
      const expected = { superseded: { a: 2 }, deleted: {}, cleared: {}, discarded: { a: 1 } }[end];
      expect(inMemory((await machine.openDefault()).storage)).toEqual(expected);
    },
  );
});

describe("compaction", () => {
  test("rewriting a few keys for long takes bounded room, and refuses nobody who awaits the room", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault<string>({ maxBytes: MIB });
    let bytesMax = 0;
    for (let round = 0; round < 60; round += 1) {
      if (storage.needDrain) await storage.drained();
      storage.set(`key ${round % 5}`, String(round).padEnd(50_000, "."));
      await storage.flush();
      bytesMax = Math.max(bytesMax, storage.stats().journal?.bytes ?? 0);
    }
    expect(bytesMax).toBeLessThan(1.3 * MIB);
    machine.crash();
    const next = (await machine.openDefault<string>({ maxBytes: MIB })).storage;
    expect([...next.values()].map((value) => Number.parseInt(value, 10)).sort()).toEqual([
      55, 56, 57, 58, 59,
    ]);
  });

  test("more live data than maxBytes can be held", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault<string>({ maxBytes: MIB });
    for (let index = 0; index < 60; index += 1) {
      if (storage.needDrain) await storage.drained();
      storage.set(`key ${index}`, "v".repeat(50_000));
      await storage.flush();
    }
    machine.crash();
    const next = (await machine.openDefault<string>({ maxBytes: MIB })).storage;
    expect(next.size).toBe(60);
    if (next.needDrain) await next.drained();
    next.set("one more", "");
    await next.flush();
  });

  test("wherever the power is cut while it compacts, what was acknowledged is there and what was deleted is not", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault<string>({ maxBytes: MIB });
    const images: { image: ReturnType<typeof machine.disk.snapshot>; round: number }[] = [];
    let acknowledged = -1;
    machine.disk.onOperation = ({ name }) => {
      if (["create", "remove", "syncDirectory", "sync"].includes(name))
        images.push({ image: machine.disk.snapshot(), round: acknowledged });
    };
    for (let round = 0; round < 25; round += 1) {
      if (storage.needDrain) await storage.drained();
      storage.set("round", `${round}`.padEnd(60_000));
      storage.set(`key ${round}`, "");
      storage.delete(`key ${round - 1}`);
      if (round === 10) storage.clear({ prefix: "other" });
      await storage.flush();
      acknowledged = round;
    }
    machine.disk.onOperation = undefined;
    expect(machine.disk.count("remove")).toBeGreaterThan(3);
    for (const [seed, { image, round }] of images.entries()) {
      machine.disk.restore(image);
      machine.crash({ seed });
      const next = (await machine.openDefault<string>({ maxBytes: MIB })).storage;
      const found = Number(next.get("round") ?? -1);
      expect(found, `seed ${seed}`).toBeGreaterThanOrEqual(round);
      expect(next.size, `seed ${seed}`).toBe(found < 0 ? 0 : 2);
      if (found >= 0) expect(next.has(`key ${found}`), `seed ${seed}`).toBe(true);
      machine.kill();
    }
  });

  test("a directory that holds other files keeps them", async () => {
    const machine = new Machine();
    await machine.disk.files.makeDirectory(JOURNAL);
    await (await machine.disk.files.open(`${JOURNAL}/notes.txt`, "create")).close();
    const { storage } = await machine.openDefault<string>({ maxBytes: MIB });
    for (let round = 0; round < 20; round += 1) {
      storage.set("a", "v".repeat(60_000));
      await storage.flush();
    }
    await storage.close();
    expect(machine.disk.names(JOURNAL)).toContain("notes.txt");
  });
});
