/** The level `journaled`: what makes it true, what shares its syncs, and that the backend is never ahead of it (I6, I7). */

import { describe, expect, test } from "vitest";
import { inMemory, sentKeys, stored } from "../src/faults/opened-store.js";
import { thrownBy, watched } from "../src/faults/watched-promise.js";
import { Machine, turns } from "../src/journal/machine.js";

describe("group commit", () => {
  test("all that one turn wrote is one frame with one sync, a key in it once", async () => {
    const machine = new Machine();
    const { storage } = await machine.openBehind<number>({ writeDelay: 60_000 });
    const { groups, syncs } = storage.stats().journal ?? { groups: 0, syncs: 0 };
    const from = machine.disk.count() + 1;
    for (let index = 0; index < 500; index += 1) storage.set(`key ${index % 50}`, index);
    await storage.flush({ level: "journaled" });
    expect(machine.disk.trace(from).replace(/\d+ at \d+/, "…")).toMatch(/^write \S+ …\nsync \S+$/);
    expect(storage.stats().journal).toMatchObject({ groups: groups + 1, syncs: syncs + 1 });
    machine.crash();
    const next = await machine.openBehind<number>();
    expect(next.storage.size).toBe(50);
    expect(next.storage.stats().journal?.recovery.entries).toBe(50);
  });

  test("one sync serves all that waited, and what is written meanwhile is the next group, with one more", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault<number>();
    const from = machine.disk.count() + 1;
    const written: Promise<void>[] = [];
    const write = (key: string): void =>
      void written.push(storage.persisted(storage.set(key, 1), "journaled"));
    machine.disk.onOperation = ({ name }) => {
      if (name === "sync" && written.length === 100)
        for (let index = 0; index < 1_000; index += 1) write(`later ${index}`);
    };
    for (let index = 0; index < 100; index += 1) write(`key ${index}`);
    await Promise.all(written);
    expect(written).toHaveLength(1_100);
    await Promise.all(written);
    const calls = machine.disk
      .trace(from)
      .split("\n")
      .map((line) => line.split(" ")[0]);
    expect(calls).toEqual(["write", "sync", "write", "sync"]);
  });

  test("a wait for journaled ends after the sync, not after the write", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault();
    const order: string[] = [];
    machine.disk.onOperation = ({ name }) => void order.push(name);
    await storage.persisted(storage.set("a", 1), "journaled").then(() => order.push("journaled"));
    expect(order).toEqual(["write", "sync", "journaled"]);
  });

  test("while the disk is slow in syncing, journaled waits and memory does not", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault();
    let letGo = (): void => undefined;
    machine.disk.pause = ({ name }) =>
      name === "sync" ? new Promise((resolve) => (letGo = resolve)) : undefined;
    const waiting = watched(storage.persisted(storage.set("a", 1), "journaled"));
    await storage.persisted(storage.set("b", 1), "memory");
    await turns();
    expect(waiting.outcome).toBe("pending");
    machine.disk.pause = () => undefined;
    letGo();
    await turns();
    expect(waiting.outcome).toBe("resolved");
  });
});

describe("journal before backend", () => {
  test("the adapter is written to only after the mutation has been synced in the journal", async () => {
    const machine = new Machine();
    const { storage, recording } = await machine.openBehind<number>({ writeDelay: 0 });
    let letGo = (): void => undefined;
    machine.disk.pause = ({ name }) =>
      name === "sync" ? new Promise((resolve) => (letGo = resolve)) : undefined;
    storage.set("a", 1);
    const flushing = watched(storage.flush());
    await machine.clock.advance(1_000);
    expect(sentKeys(recording)).toEqual([]);
    machine.disk.pause = () => undefined;
    letGo();
    await machine.clock.advance(1_000);
    expect(sentKeys(recording)).toEqual([["a"]]);
    expect(flushing.outcome).toBe("resolved");
  });

  test.each(["always", "interval", "never"] as const)(
    "under sync %s no power cut leaves the journal behind a backend that holds a newer state",
    async (sync) => {
      const machine = new Machine();
      const { storage } = await machine.openBehind<number>({ writeDelay: 0 }, { sync, interval: 60_000 });
      storage.setMulti({ a: 1, b: 1 });
      await storage.flush();
      storage.set("a", 2);
      storage.delete("b");
      await storage.flush();
      machine.crash({ unsynced: sync === "never" ? "kept" : "dropped" });
      const next = await machine.openBehind<number>();
      expect(inMemory(next.storage)).toEqual({ a: 2 });
    },
  );

  test("the worker of a QueueStorage is given an item only once it is journaled", async () => {
    const machine = new Machine();
    const order: string[] = [];
    const { storage } = await machine.openQueue({
      writeDelay: 0,
      workerProcess: ({ key }) => order.push(key) > 0,
    });
    machine.disk.onOperation = ({ name }) => void order.push(name);
    storage.set("a", 1);
    await storage.flush();
    expect(order.slice(0, 3)).toEqual(["write", "sync", "a"]);
  });
});

describe("the levels", () => {
  test("journaled is reached while the backend is down, stored only once it is back", async () => {
    const machine = new Machine();
    const { storage, faulty } = await machine.openBehind();
    faulty.goDown();
    const version = storage.set("a", 1);
    await storage.persisted(version, "journaled");
    await storage.flush({ level: "journaled" });
    const storedWait = watched(storage.flush({ level: "stored" }));
    const syncedWait = watched(storage.flush({ level: "synced" }));
    await machine.clock.advance(20_000);
    expect([storedWait.outcome, syncedWait.outcome]).toEqual(["pending", "pending"]);
    faulty.goUp();
    await machine.clock.advance(31_000);
    expect([storedWait.outcome, syncedWait.outcome]).toEqual(["resolved", "resolved"]);
    expect(stored(machine.backend)).toEqual({ a: 1 });
  });

  test("synced calls the backend's sync, stored does not", async () => {
    const machine = new Machine();
    const { storage, recording } = await machine.openBehind();
    storage.set("a", 1);
    await storage.flush({ level: "stored" });
    expect(recording.trace()).not.toContain("sync");
    await storage.flush({ level: "synced" });
    expect(recording.trace()).toContain("sync: ok");
  });

  test("with a key, journaled waits for that key's writes alone", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault();
    const version = storage.set("a", 1);
    await storage.flush();
    machine.disk.pause = () => new Promise(() => undefined);
    storage.set("b", 1);
    await storage.persisted(version, "journaled", { key: "a" });
    await storage.persisted(storage.version, "journaled", { key: "a" });
    const other = watched(storage.persisted(storage.version, "journaled", { key: "b" }));
    await turns();
    expect(other.outcome).toBe("pending");
  });

  test("a wait for journaled ends at its timeout or at an abort, and the write goes on", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault();
    let letGo = (): void => undefined;
    machine.disk.pause = () => new Promise((resolve) => (letGo = resolve));
    const version = storage.set("a", 1);
    const late = watched(storage.persisted(version, "journaled", { timeout: 500 }));
    const abort = new AbortController();
    const given = watched(storage.flush({ signal: abort.signal }));
    abort.abort(new RangeError("enough"));
    await machine.clock.advance(600);
    expect([late.outcome, given.outcome]).toEqual(["LEAKDB_TIMEOUT", "RangeError"]);
    machine.disk.pause = () => undefined;
    letGo();
    await storage.persisted(version, "journaled");
  });

  test("a value that the codec cannot encode is not journaled, and the wait says so", async () => {
    const machine = new Machine();
    const { storage } = await machine.openBehind<unknown>({ values: "reference" });
    const good = storage.set("good", 1);
    const bad = storage.set("bad", { code: () => 1 });
    const error = await thrownBy(() => storage.persisted(bad, "journaled"));
    expect(error.code).toBe("LEAKDB_FLUSH_FAILED");
    await storage.persisted(good, "journaled");
    await storage.persisted(storage.set("bad", 1), "journaled");
  });

  test("an empty storage, and one where nothing is left to do, is journaled at once", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault();
    const from = machine.disk.count();
    await storage.flush({ level: "journaled" });
    await storage.persisted(storage.version, "journaled");
    expect(machine.disk.count()).toBe(from);
  });
});

describe("sync", () => {
  test("interval syncs once the interval has passed, and what waits for journaled waits until then", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault({ sync: "interval", interval: 400 });
    const from = machine.disk.count("sync");
    const waiting = watched(storage.persisted(storage.set("a", 1), "journaled", { timeout: Infinity }));
    await machine.clock.advance(390);
    expect(machine.disk.count("sync")).toBe(from);
    storage.set("b", 1);
    await machine.clock.advance(20);
    expect(machine.disk.count("sync")).toBe(from + 1);
    expect(waiting.outcome).toBe("resolved");
    await machine.clock.advance(10_000);
    expect(machine.disk.count("sync")).toBeLessThanOrEqual(from + 2);
  });

  test("interval is one second unless said otherwise", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault({ sync: "interval" });
    const waiting = watched(storage.persisted(storage.set("a", 1), "journaled"));
    await machine.clock.advance(990);
    expect(waiting.outcome).toBe("pending");
    await machine.clock.advance(20);
    expect(waiting.outcome).toBe("resolved");
  });

  test("interval syncs without waiting for a flush of journaled, and before a batch goes to the backend", async () => {
    const machine = new Machine();
    const { storage } = await machine.openBehind({}, { sync: "interval", interval: 60_000 });
    storage.set("a", 1);
    await storage.flush({ level: "journaled" });
    storage.set("b", 1);
    await storage.flush({ level: "stored" });
    expect(stored(machine.backend)).toEqual({ a: 1, b: 1 });
  });

  test("interval keeps no flush waiting whose writes came while a group was being written", async () => {
    for (const name of ["write", "sync"] as const) {
      const machine = new Machine();
      const { storage } = await machine.openDefault<number>({ sync: "interval", interval: 60_000 });
      let flushing: ReturnType<typeof watched> | undefined;
      machine.disk.onOperation = (operation) => {
        if (operation.name !== name || flushing !== undefined) return;
        storage.set("b", 1);
        flushing = watched(storage.flush());
      };
      storage.set("a", 1);
      if (name === "sync") await storage.flush();
      await turns();
      expect(flushing?.outcome, name).toBe("resolved");
    }
  });

  test("an idle journal under interval neither writes nor syncs, and keeps no timer", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault({ sync: "interval", interval: 100 });
    storage.set("a", 1);
    await machine.clock.advance(1_000);
    const from = machine.disk.count();
    await machine.clock.advance(60_000);
    expect(machine.disk.count()).toBe(from);
    expect(machine.clock.pendingTimers).toBe(0);
  });

  test("under never, to wait for journaled is LEAKDB_NOT_SUPPORTED, whatever waits", async () => {
    const machine = new Machine();
    const { storage } = await machine.openBehind({}, { sync: "never" });
    const version = storage.set("a", 1);
    for (const wait of [
      () => storage.persisted(version, "journaled"),
      () => storage.flush({ level: "journaled" }),
      () => storage.persisted(version, "journaled", { key: "a" }),
    ]) {
      expect(await thrownBy(wait)).toMatchObject({ code: "LEAKDB_NOT_SUPPORTED" });
    }
    await storage.flush({ level: "synced" });
  });

  test("under never nothing is synced while it runs, and what was written survives the process", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault<number>({ sync: "never" });
    const from = machine.disk.count("sync");
    for (let index = 0; index < 20; index += 1) {
      storage.set("a", index);
      await turns(5);
    }
    await storage.flush();
    expect(machine.disk.count("sync")).toBe(from);
    machine.kill();
    expect(inMemory((await machine.openDefault()).storage)).toEqual({ a: 19 });
  });

  test("a DefaultStorage with a journal flushes to journaled by default, one without to memory", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault();
    storage.set("a", 1);
    await storage.flush();
    machine.crash();
    expect(inMemory((await machine.openDefault()).storage)).toEqual({ a: 1 });
    await expect(storage.persisted(1, "stored")).rejects.toMatchObject({ code: "LEAKDB_NOT_SUPPORTED" });
  });
});
