/** A journal before a backend, whatever the queue between them is like; and what is cut off of the journal, and when (I5). */

import { jsonCodec } from "@leakdb/core";
import { describe, expect, test } from "vitest";
import { inMemory, stored } from "../src/faults/opened-store.js";
import { Machine } from "../src/journal/machine.js";

describe("shapes of the queue", () => {
  test("several lanes, and a queue that does not coalesce, deliver a recovered key's newest state", async () => {
    for (const options of [
      { workers: 4 },
      { coalesce: false },
      { workers: 4, coalesce: false, batchMax: 3 },
    ]) {
      const machine = new Machine();
      const { storage, faulty } = await machine.openBehind<number>(options);
      storage.setMulti(Array.from({ length: 30 }, (_, index) => [`stored ${index}`, 0] as const));
      await storage.flush();
      faulty.goDown();
      for (let round = 1; round <= 5; round += 1) {
        for (let index = 0; index < 20; index += 1) storage.set(`key ${index}`, round);
        storage.delete(`stored ${round}`);
      }
      storage.clear({ prefix: "stored 2" });
      await storage.flush({ level: "journaled" });
      const expected = inMemory(storage);
      machine.crash();
      const next = await machine.openBehind<number>(options);
      expect(inMemory(next.storage)).toEqual(expected);
      await next.storage.flush();
      expect(stored(machine.backend)).toEqual(expected);
      expect(next.recording.brokenPromises).toEqual([]);
    }
  });

  test("copied values are journaled as they were at the call, whatever became of the object", async () => {
    const machine = new Machine();
    const { storage, faulty } = await machine.openBehind<{ n: number }>({ values: "copied" });
    faulty.goDown();
    const value = { n: 1 };
    storage.set("a", value);
    value.n = 2;
    await storage.flush({ level: "journaled" });
    machine.crash();
    const next = await machine.openBehind<{ n: number }>({ values: "copied" });
    expect(next.storage.get("a")).toEqual({ n: 1 });
  });

  test("a referenced value is journaled with its group, so that a change before the turn ends is in it", async () => {
    const machine = new Machine();
    const { storage, faulty } = await machine.openBehind<{ n: number }>();
    faulty.goDown();
    const value = { n: 1 };
    const version = storage.set("a", value);
    value.n = 2;
    await storage.persisted(version, "journaled");
    value.n = 3;
    machine.crash();
    expect((await machine.openBehind<{ n: number }>()).storage.get("a")).toEqual({ n: 2 });
  });

  test("any codec serves the journal; another one than it was written with is LEAKDB_DECODE_FAILED, and loses nothing", async () => {
    const machine = new Machine();
    const { storage, faulty } = await machine.openBehind({ codec: jsonCodec() });
    faulty.goDown();
    storage.set("a", { n: [1] });
    await storage.flush({ level: "journaled" });
    machine.crash();
    const broken = {
      name: "broken",
      encode: () => new Uint8Array(1),
      decode: () => {
        throw new Error("never");
      },
    };
    await expect(machine.openBehind({ codec: broken })).rejects.toMatchObject({
      code: "LEAKDB_DECODE_FAILED",
    });
    expect((await machine.openBehind({ codec: jsonCodec() })).storage.get("a")).toEqual({ n: [1] });
  });
});

describe("what the backend has is cut off", () => {
  test("only after the backend has synced it, and what it does not have stays", async () => {
    const machine = new Machine();
    const { storage, faulty, recording } = await machine.openBehind<string>({}, { maxBytes: 1024 * 1024 });
    const order: string[] = [];
    machine.disk.onOperation = ({ name }) => {
      if (name !== "remove") return;
      order.push("remove");
      const last = recording.calls.findLast(({ operation }) => operation !== "open");
      expect(last).toMatchObject({ operation: "sync", state: "resolved" });
    };
    for (let round = 0; round < 12; round += 1) {
      storage.set(`key ${round % 3}`, "v".repeat(100_000));
      await storage.flush();
      await machine.clock.settle(30);
    }
    expect(order.length).toBeGreaterThan(2);
    expect(storage.stats().journal?.bytes).toBeLessThan(600_000);
    faulty.goDown();
    storage.set("last", "v");
    await storage.flush({ level: "journaled" });
    machine.disk.onOperation = undefined;
    machine.crash();
    const next = await machine.openBehind();
    await next.storage.flush();
    expect(Object.keys(stored(machine.backend))).toEqual(["key 0", "key 1", "key 2", "last"]);
  });

  test("a backend that acknowledges and cannot sync keeps nothing from being written, and nothing is cut off", async () => {
    const machine = new Machine();
    const { storage, faulty } = await machine.openBehind<string>({}, { maxBytes: 1024 * 1024 });
    faulty.script("sync", ...Array.from({ length: 50 }, () => "transient" as const));
    for (let round = 0; round < 4; round += 1) {
      storage.set(`key ${round}`, "v".repeat(100_000));
      await storage.flush();
      await machine.clock.settle(30);
    }
    expect(machine.disk.count("remove")).toBe(0);
    expect(storage.stats().journal?.bytes).toBeGreaterThan(400_000);
  });
});
