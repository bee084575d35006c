/** The first write or sync of the journal that fails is its last: read-only, told once, draining goes on, nothing is claimed (I6, I10). */

import { type PersistentQueueStorage, QueueStorage } from "@leakdb/core";
import type { DiskFault } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { inMemory, stored } from "../src/faults/opened-store.js";
import { thrownBy, watched } from "../src/faults/watched-promise.js";
import { Machine, turns } from "../src/journal/machine.js";

const FAULTS: [string, DiskFault][] = [
  ["a sync that fails once", { operation: "sync" }],
  ["a write that fails once", { operation: "write" }],
  ["a write that fails half-way", { operation: "write", partBytes: 30 }],
  ["a full disk", { operation: "write", code: "ENOSPC", partBytes: 10, times: Infinity }],
  ["a sync that says it failed and did not", { operation: "sync", isApplied: true }],
];

/** Every mutator, called once. */
function mutations(storage: PersistentQueueStorage<number> | QueueStorage<number>): (() => unknown)[] {
  return [
    () => storage.set("a", 9),
    () => storage.setMulti({ a: 9, z: 9 }),
    () => storage.add("new", 9),
    () => storage.replace("a", 9),
    () => storage.cas("a", 9, storage.getEntry("a")?.version ?? 0),
    () => storage.update("a", () => 9),
    () => storage.incr("a"),
    () => storage.decr("a"),
    () => storage.delete("a"),
    () => storage.deleteMulti(["a"]),
    () => storage.clear(),
    () => storage.clear({ prefix: "a" }),
    () => storage.touch("a", { ttl: 5 }),
    () => storage.namespace<number>("a").set("b", 9),
  ];
}

describe.each(FAULTS)("%s", (_name, fault) => {
  test("makes every mutator LEAKDB_READ_ONLY, which changes nothing, and reads go on", async () => {
    const machine = new Machine();
    const { storage, faulty } = await machine.openBehind<number>();
    storage.set("a", 1);
    await storage.flush();
    faulty.goDown();
    machine.disk.fail(fault);
    storage.set("b", 2);
    await turns();
    const { version } = storage;
    for (const mutate of mutations(storage)) {
      expect(await thrownBy(mutate)).toMatchObject({ code: "LEAKDB_READ_ONLY" });
    }
    expect(inMemory(storage)).toEqual({ a: 1, b: 2 });
    expect(storage.version).toBe(version);
  });

  test("ends every wait for journaled with LEAKDB_FLUSH_FAILED, also those that come later", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault<number>();
    machine.disk.fail(fault);
    const version = storage.set("a", 1);
    const waits = [
      watched(storage.persisted(version, "journaled")),
      watched(storage.persisted(version, "journaled", { key: "a" })),
      watched(storage.flush({ level: "journaled" })),
    ];
    await turns();
    waits.push(watched(storage.persisted(version, "journaled")), watched(storage.flush()));
    await turns();
    expect(new Set(waits.map(({ outcome }) => outcome))).toEqual(new Set(["LEAKDB_FLUSH_FAILED"]));
  });

  test("is one fault event, and stats say why", async () => {
    const machine = new Machine();
    const { storage, events } = await machine.openDefault<number>();
    expect(storage.stats().journal?.failure).toBeUndefined();
    machine.disk.fail(fault);
    storage.set("a", 1);
    await turns();
    await machine.clock.advance(5_000);
    expect(events.of("fault")).toHaveLength(1);
    expect(events.of("fault")[0]).toMatchObject({ code: "LEAKDB_READ_ONLY" });
    expect(storage.stats().journal?.failure).toContain(fault.code ?? "EIO");
  });

  test("lets what memory holds drain to the backend, and nothing more is written to the journal", async () => {
    const machine = new Machine();
    const { storage, faulty } = await machine.openBehind<number>();
    faulty.goDown();
    machine.disk.fail(fault);
    storage.setMulti({ a: 1, b: 2 });
    await turns();
    machine.disk.heal();
    // What says that the journal is obsolete is the header of a new segment.
    const appended = () =>
      machine.disk.operations.filter(({ name, position }) => name === "write" && position !== 0).length;
    const from = appended();
    const flushing = watched(storage.flush({ level: "synced" }));
    faulty.goUp();
    await machine.clock.advance(31_000);
    expect(flushing.outcome).toBe("resolved");
    expect(stored(machine.backend)).toEqual({ a: 1, b: 2 });
    expect(appended()).toBe(from);
  });

  test("loses nothing that was acknowledged before it, and lets the next opening go on", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault<number>();
    storage.set("a", 1);
    await storage.flush();
    machine.disk.fail(fault);
    storage.set("a", 2);
    storage.set("b", 2);
    await turns();
    machine.disk.heal();
    for (const seed of [1, 2, 3]) {
      machine.crash({ seed });
      const next = (await machine.openDefault<number>()).storage;
      // What failed was not acknowledged: all of it is there, or none.
      expect([{ a: 1 }, { a: 2, b: 2 }]).toContainEqual(inMemory(next));
      await next.flush();
    }
  });
});

describe("after the journal has failed", () => {
  test("before it ends, what reached the backend is not undone by what the journal still holds", async () => {
    const machine = new Machine();
    const { storage } = await machine.openBehind<number>();
    storage.setMulti({ a: 1, b: 1 });
    await storage.flush();
    machine.disk.fail({ operation: "sync" });
    storage.delete("a");
    storage.set("b", 2);
    await turns();
    machine.disk.heal();
    await storage.flush({ level: "synced" });
    await machine.clock.advance(1_000);
    expect(stored(machine.backend)).toEqual({ b: 2 });
    machine.crash({ unsynced: "dropped" });
    const next = await machine.openBehind<number>();
    await next.storage.flush();
    expect(inMemory(next.storage)).toEqual({ b: 2 });
    expect(stored(machine.backend)).toEqual({ b: 2 });
  });

  test("a close drains to the backend, and resolves: nothing was lost", async () => {
    const machine = new Machine();
    const { storage } = await machine.openBehind<number>();
    machine.disk.fail({ operation: "sync" });
    storage.setMulti({ a: 1, b: 1 });
    await turns();
    machine.disk.heal();
    await storage.close();
    expect(stored(machine.backend)).toEqual({ a: 1, b: 1 });
    const next = await machine.openBehind<number>();
    next.storage.set("c", 1);
    await next.storage.flush({ level: "journaled" });
    expect(inMemory(next.storage)).toEqual({ a: 1, b: 1, c: 1 });
    expect(next.storage.stats().journal?.failure).toBeUndefined();
  });

  test("a close of a DefaultStorage gives back what the journal did not take: puts, deletes and clears", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault<number>();
    storage.setMulti({ kept: 1, gone: 1, "n:a": 1 });
    await storage.flush();
    machine.disk.fail({ operation: "sync", times: Infinity });
    storage.set("a", 1, { expiresAt: machine.clock.now() + 60_000 });
    storage.delete("gone");
    storage.clear({ prefix: "n:" });
    const { version } = storage;
    await turns();
    const error = await thrownBy(() => storage.close());
    expect(error).toMatchObject({ code: "LEAKDB_CLOSE_INCOMPLETE" });
    const { unwritten } = error as { unwritten?: readonly object[] };
    expect(unwritten).toEqual([
      expect.objectContaining({ operation: "put", key: "a", value: 1, expiresAt: expect.any(Number) }),
      expect.objectContaining({ operation: "delete", key: "gone" }),
      expect.objectContaining({ operation: "clear", key: "n:", version }),
    ]);
    expect(error.message).not.toContain("the journal keeps them");
  });

  test("a close gives back what reached neither journal nor backend, and says so", async () => {
    const machine = new Machine();
    const { storage, faulty } = await machine.openBehind<number>();
    faulty.goDown();
    machine.disk.fail({ operation: "write", times: Infinity });
    storage.set("a", 1);
    await turns();
    const closing = watched(storage.close({ timeout: 1_000 }));
    await machine.clock.advance(2_000);
    expect(closing.outcome).toBe("LEAKDB_CLOSE_INCOMPLETE");
    expect(closing.error).toMatchObject({ unwritten: [{ operation: "put", key: "a", value: 1 }] });
    expect((closing.error as Error).message).not.toContain("the journal keeps them");
  });

  test("a worker still gets what waits", async () => {
    const machine = new Machine();
    const items: string[] = [];
    const { storage } = await machine.openQueue<number>({ workerProcess: ({ key }) => items.push(key) > 0 });
    machine.disk.fail({ operation: "sync" });
    storage.setMulti({ a: 1, b: 1 });
    await turns();
    expect(await thrownBy(() => storage.set("c", 1))).toMatchObject({ code: "LEAKDB_READ_ONLY" });
    await machine.clock.advance(1_000);
    expect(items).toEqual(["a", "b"]);
    await storage.close();
  });

  test("dead letters can still be retried and discarded", async () => {
    const machine = new Machine();
    const { storage, faulty } = await machine.openBehind<number>();
    faulty.rejectKey("bad");
    faulty.rejectKey("worse");
    storage.setMulti({ bad: 1, worse: 1 });
    expect(await thrownBy(() => storage.flush())).toMatchObject({ code: "LEAKDB_FLUSH_FAILED" });
    machine.disk.fail({ operation: "sync" });
    storage.set("last", 1);
    await turns();
    faulty.acceptKey("bad");
    for (const letter of storage.deadLetters()) {
      if (letter.key === "bad") expect(letter.retry()).toBe(true);
      else expect(letter.discard()).toBe(true);
    }
    await storage.flush();
    expect(stored(machine.backend)).toEqual({ bad: 1, last: 1 });
    await storage.close();
  });

  test("under interval and never it is the same: the first failure is the last try", async () => {
    for (const sync of ["interval", "never"] as const) {
      const machine = new Machine();
      const { storage } = await machine.openDefault<number>({ sync, interval: 100 });
      machine.disk.fail({ operation: sync === "never" ? "write" : "sync" });
      storage.set("a", 1);
      await machine.clock.advance(500);
      expect(await thrownBy(() => storage.set("b", 1)), sync).toMatchObject({ code: "LEAKDB_READ_ONLY" });
    }
  });

  test("a QueueStorage without a journal in the same process is not touched by it", () => {
    const storage = new QueueStorage<number>({ workerProcess: () => true });
    expect(storage.set("a", 1)).toBeGreaterThan(0);
  });
});

describe("a disk that fills up and is given room", () => {
  test("the storage is read-only until it is opened again, and then has all that was acknowledged", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault<string>();
    machine.disk.capacityBytes = 100_000;
    let acknowledged = 0;
    for (let index = 0; index < 100; index += 1) {
      try {
        storage.set(`key ${index}`, "v".repeat(5_000));
        await storage.flush();
        acknowledged = index + 1;
      } catch {
        break;
      }
    }
    expect(acknowledged).toBeGreaterThan(10);
    expect(acknowledged).toBeLessThan(25);
    machine.disk.capacityBytes = Infinity;
    expect(await thrownBy(() => storage.set("a", ""))).toMatchObject({ code: "LEAKDB_READ_ONLY" });
    await storage.close().catch(() => undefined);
    const next = (await machine.openDefault<string>()).storage;
    expect(next.size).toBeGreaterThanOrEqual(acknowledged);
    next.set("a", "");
    await next.flush();
  });
});
