/** Closing with a journal: what the backend has is forgotten, what it has not is delivered at the next opening. */

import { describe, expect, test } from "vitest";
import { inMemory, stored } from "../src/faults/opened-store.js";
import { thrownBy, watched } from "../src/faults/watched-promise.js";
import { JOURNAL, Machine, turns } from "../src/journal/machine.js";

const never = (): Promise<boolean> => new Promise(() => undefined);

describe("a close that drains", () => {
  test("leaves a journal that has nothing to tell, and lets go of its directory", async () => {
    const machine = new Machine();
    const { storage } = await machine.openBehind<number>();
    storage.setMulti({ a: 1, b: 1 });
    storage.delete("b");
    await storage.close();
    expect(stored(machine.backend)).toEqual({ a: 1 });
    const next = await machine.openBehind<number>();
    expect(next.storage.stats().journal?.recovery).toMatchObject({ entries: 0, tornBytes: 0 });
    expect(inMemory(next.storage)).toEqual({ a: 1 });
  });

  test("leaves a journal that is still its own backend's, and LEAKDB_CORRUPTION before another", async () => {
    const machine = new Machine();
    const { storage } = await machine.openBehind<number>();
    storage.set("a", 1);
    await storage.close();
    machine.backend = new Machine().backend;
    await expect(machine.openBehind()).rejects.toMatchObject({ code: "LEAKDB_CORRUPTION" });
  });

  test("makes nothing of a queue be delivered again", async () => {
    const machine = new Machine();
    let deliveries = 0;
    const workerProcess = (): boolean => {
      deliveries += 1;
      return true;
    };
    const { storage } = await machine.openQueue<number>({ workerProcess });
    storage.setMulti({ a: 1, b: 1 });
    await storage.close();
    const next = await machine.openQueue<number>({ workerProcess });
    await next.storage.flush();
    await next.storage.close();
    expect(deliveries).toBe(2);
  });

  test("is idempotent, fires close once, and mutators and reads are LEAKDB_CLOSED in their turn", async () => {
    const machine = new Machine();
    const { storage, events } = await machine.openBehind<number>();
    storage.set("a", 1);
    const closing = storage.close();
    expect(storage.close()).toBe(closing);
    expect(await thrownBy(() => storage.set("b", 1))).toMatchObject({ code: "LEAKDB_CLOSED" });
    expect(storage.get("a")).toBe(1);
    await closing;
    await storage.close();
    expect(await thrownBy(() => storage.get("a"))).toMatchObject({ code: "LEAKDB_CLOSED" });
    expect(events.of("close")).toHaveLength(1);
    expect(machine.clock.pendingTimers).toBe(0);
  });

  test("ends waits that cannot end any more, and none hangs", async () => {
    const machine = new Machine();
    const { storage, faulty } = await machine.openBehind<number>();
    faulty.goDown();
    const version = storage.set("a", 1);
    const waits = [
      watched(storage.persisted(version, "stored")),
      watched(storage.persisted(version, "synced")),
    ];
    await storage.flush({ level: "journaled" });
    const closing = watched(storage.close({ timeout: 1_000 }));
    await machine.clock.advance(2_000);
    expect(closing.outcome).toBe("LEAKDB_CLOSE_INCOMPLETE");
    for (const { outcome } of waits) expect(outcome).toBe("LEAKDB_CLOSED");
  });
});

describe("a close whose deadline passes", () => {
  test("says what was not stored and that the journal keeps it, and the next opening delivers it", async () => {
    const machine = new Machine();
    const { storage, faulty } = await machine.openBehind<number>();
    storage.setMulti({ a: 1, old: 1 });
    await storage.flush();
    faulty.goDown();
    storage.set("a", 2);
    storage.set("b", 2);
    storage.delete("old");
    const closing = watched(storage.close({ timeout: 1_000 }));
    await machine.clock.advance(1_500);
    expect(closing.outcome).toBe("LEAKDB_CLOSE_INCOMPLETE");
    const { message, unwritten = [] } = closing.error as Error & { unwritten?: readonly { key: string }[] };
    expect(unwritten.map(({ key }) => key).sort()).toEqual(["a", "b", "old"]);
    expect(message).toContain("the journal keeps them");
    machine.crash();
    const next = await machine.openBehind<number>();
    expect(inMemory(next.storage)).toEqual({ a: 2, b: 2 });
    await next.storage.flush();
    expect(stored(machine.backend)).toEqual({ a: 2, b: 2 });
  });

  test("keeps what was set in the turn of the close, which nobody had awaited", async () => {
    const machine = new Machine();
    const { storage, faulty } = await machine.openBehind<number>({}, { sync: "interval", interval: 60_000 });
    faulty.goDown();
    storage.set("a", 1);
    const closing = watched(storage.close({ timeout: 1_000 }));
    await machine.clock.advance(1_500);
    expect(closing.outcome).toBe("LEAKDB_CLOSE_INCOMPLETE");
    machine.crash();
    expect(inMemory((await machine.openBehind()).storage)).toEqual({ a: 1 });
  });

  test("lets go of the journal, so that the next opening in this process can have it", async () => {
    const machine = new Machine();
    const { storage, faulty } = await machine.openBehind<number>();
    faulty.goDown();
    storage.set("a", 1);
    const closing = watched(storage.close({ timeout: 1_000 }));
    await machine.clock.advance(1_500);
    expect(closing.outcome).toBe("LEAKDB_CLOSE_INCOMPLETE");
    machine.backend.owner = undefined;
    const next = await machine.openBehind<number>();
    await next.storage.flush();
    expect(stored(machine.backend)).toEqual({ a: 1 });
  });

  test("of a queue delivers what its worker had not done at the next opening, in its order", async () => {
    const machine = new Machine();
    const { storage } = await machine.openQueue<number>({ workerProcess: never });
    storage.setMulti({ a: 1, b: 1 });
    storage.set("a", 2);
    const closing = watched(storage.close({ timeout: 1_000 }));
    await machine.clock.advance(1_500);
    expect(closing.outcome).toBe("LEAKDB_CLOSE_INCOMPLETE");
    expect((closing.error as { unwritten?: unknown[] }).unwritten).toHaveLength(3);
    machine.kill();
    const items: string[] = [];
    const next = await machine.openQueue<number>({
      workerProcess: ({ key, value }) => items.push(`${key}${value}`) > 0,
    });
    await next.storage.close();
    expect(items).toEqual(["a1", "b1", "a2"]);
  });

  test("because the disk of the journal hangs ends at its deadline as well", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault<number>();
    machine.disk.pause = ({ name }) => (name === "sync" ? new Promise(() => undefined) : undefined);
    storage.set("a", 1);
    const closing = watched(storage.close({ timeout: 1_000 }));
    await machine.clock.advance(1_500);
    expect(closing.outcome).toBe("LEAKDB_CLOSE_INCOMPLETE");
    expect(closing.error).toMatchObject({ unwritten: [{ operation: "put", key: "a", value: 1 }] });
    expect((closing.error as Error).message).not.toContain("the journal keeps them");
    expect(await thrownBy(() => storage.get("a"))).toMatchObject({ code: "LEAKDB_CLOSED" });
  });
});

describe("a close with dead letters", () => {
  test("is incomplete, has them among the unwritten, and they stand at the next opening", async () => {
    const machine = new Machine();
    const { storage, faulty } = await machine.openBehind<number>();
    faulty.rejectKey("bad");
    storage.setMulti({ bad: 1, good: 1 });
    const error = await thrownBy(() => storage.close());
    expect(error).toMatchObject({ code: "LEAKDB_CLOSE_INCOMPLETE", unwritten: [{ key: "bad", value: 1 }] });
    expect(error.message).toContain("the journal keeps them");
    expect(stored(machine.backend)).toEqual({ good: 1 });
    const next = await machine.openBehind<number>();
    expect(next.storage.deadLetters()).toMatchObject([{ key: "bad" }]);
    expect(inMemory(next.storage)).toEqual({ bad: 1, good: 1 });
  });

  test("of a queue keeps the letter and no item that was done", async () => {
    const machine = new Machine();
    const { storage } = await machine.openQueue<number>({
      retry: { maxAttempts: 1 },
      workerProcess: ({ key }) => key !== "bad",
    });
    storage.setMulti({ bad: 1, good: 1 });
    const closing = watched(storage.close());
    await machine.clock.advance(1_000);
    expect(closing.outcome).toBe("LEAKDB_CLOSE_INCOMPLETE");
    const items: string[] = [];
    const next = await machine.openQueue<number>({ workerProcess: ({ key }) => items.push(key) > 0 });
    await machine.clock.advance(1_000);
    expect(items).toEqual([]);
    expect(next.storage.deadLetters()).toMatchObject([{ key: "bad" }]);
  });

  test("that cannot be encoded does not say that the journal keeps it", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault();
    storage.setMulti({ bad: { f: () => 1 }, good: 1 });
    const error = await thrownBy(() => storage.close());
    expect(error).toMatchObject({ code: "LEAKDB_CLOSE_INCOMPLETE", unwritten: [{ key: "bad" }] });
    expect(error.message).not.toContain("the journal keeps them");
    expect(inMemory((await machine.openDefault()).storage)).toEqual({ good: 1 });
  });
});

test("a close whose backend fails to sync keeps the journal for the next opening", async () => {
  const machine = new Machine();
  const { storage, faulty } = await machine.openBehind<number>();
  storage.set("a", 1);
  faulty.script("sync", ...Array.from({ length: 20 }, () => "transient" as const));
  const closing = watched(storage.close({ timeout: 2_000 }));
  await machine.clock.advance(3_000);
  expect(closing.outcome).toBe("LEAKDB_CLOSE_INCOMPLETE");
  expect(machine.disk.names(JOURNAL).length).toBeGreaterThan(0);
  // The power goes, and with it what the backend had not synced.
  machine.backend.remove("a");
  machine.crash();
  const next = await machine.openBehind<number>();
  await next.storage.flush();
  expect(stored(machine.backend)).toEqual({ a: 1 });
});

test("a process that dies during a close loses nothing", async () => {
  const machine = new Machine();
  const { storage } = await machine.openBehind<number>();
  storage.setMulti({ a: 1, b: 1 });
  const closing = watched(storage.close());
  await turns(3);
  machine.kill();
  await turns(5);
  expect(closing.outcome).not.toBe("resolved");
  const next = await machine.openBehind<number>();
  const content = inMemory(next.storage);
  expect([{}, { a: 1, b: 1 }]).toContainEqual(content);
  await next.storage.flush();
  expect(stored(machine.backend)).toEqual(content);
});
