/** `maxBytes`: slow down at half of it, stop at all of it, go on when there is room again (I5, I8). */

import type { PersistentQueueStorage } from "@leakdb/core";
import { describe, expect, test } from "vitest";
import { stored } from "../src/faults/opened-store.js";
import { codeThrownBy, thrownBy, watched } from "../src/faults/watched-promise.js";
import { JOURNAL, type LivingBehind, Machine, turns } from "../src/journal/machine.js";

const MIB = 1024 * 1024;
const VALUE = "v".repeat(60_000);

/** With the backend down, writes keys of 60 kB, a turn each, until mutations are refused; answers how many were taken. */
async function fill(
  storage: PersistentQueueStorage<string>,
): Promise<{ needDrainAt: number; fullAt: number }> {
  let needDrainAt = -1;
  for (let index = 0; index < 60; index += 1) {
    if (needDrainAt < 0 && storage.needDrain) needDrainAt = index;
    if (codeThrownBy(() => storage.set(`key ${index}`, VALUE)) === "LEAKDB_QUEUE_FULL")
      return { needDrainAt, fullAt: index };
    await storage.flush({ level: "journaled" });
  }
  return { needDrainAt, fullAt: -1 };
}

async function filled(
  machine: Machine,
): Promise<LivingBehind<string> & { needDrainAt: number; fullAt: number }> {
  const living = await machine.openBehind<string>({}, { maxBytes: MIB });
  living.faulty.goDown();
  return { ...living, ...(await fill(living.storage)) };
}

describe("a journal that is not emptied", () => {
  test("asks to slow down past half of maxBytes, and refuses past all of it", async () => {
    const { needDrainAt, fullAt, storage } = await filled(new Machine());
    const perEntry = 60_050;
    expect(needDrainAt * perEntry).toBeGreaterThan(MIB / 2 - perEntry);
    expect(needDrainAt * perEntry).toBeLessThan(MIB / 2 + 2 * perEntry);
    // What is live may stand there twice for a while, when it is written again at the end.
    expect(storage.stats().journal?.bytes).toBeGreaterThanOrEqual(MIB);
    expect(fullAt).toBeGreaterThan(needDrainAt);
    expect(fullAt * perEntry).toBeLessThan(MIB + 3 * perEntry);
    expect(storage.stats().queue?.needDrain).toBe(true);
  });

  test("refuses every mutation, changes nothing by it, and says what to do", async () => {
    const { storage, fullAt } = await filled(new Machine());
    const { version, size } = storage;
    for (const mutate of [
      () => storage.set("key 0", ""),
      () => storage.set("new", ""),
      () => storage.delete("key 0"),
      () => storage.clear(),
      () => storage.setMulti({ a: "", b: "" }),
    ]) {
      const error = await thrownBy(mutate);
      expect(error).toMatchObject({ code: "LEAKDB_QUEUE_FULL" });
      expect(error.message).toContain("drained()");
    }
    expect([storage.version, storage.size]).toEqual([version, size]);
    expect(storage.get("key 0")).toBe(VALUE);
    expect(size).toBe(fullAt);
  });

  test("ends once the backend takes what waits: drained resolves, drain fires, and mutations go on", async () => {
    const machine = new Machine();
    const { storage, faulty, events } = await filled(machine);
    const draining = watched(storage.drained());
    await machine.clock.advance(5_000);
    expect(draining.outcome).toBe("pending");
    faulty.goUp();
    await machine.clock.advance(31_000);
    expect(draining.outcome).toBe("resolved");
    expect(events.of("drain").length).toBeGreaterThanOrEqual(1);
    expect(storage.needDrain).toBe(false);
    storage.set("after", "v");
    await storage.flush();
    expect(stored(machine.backend)).toHaveProperty("after", "v");
    expect(storage.stats().journal?.bytes).toBeLessThan(MIB / 2);
  });

  test("is as full after a restart, and ends there too", async () => {
    const machine = new Machine();
    const { fullAt } = await filled(machine);
    machine.crash();
    const { storage } = await machine.openBehind<string>({}, { maxBytes: MIB });
    await storage.flush();
    await machine.clock.advance(1_000);
    expect(Object.keys(stored(machine.backend))).toHaveLength(fullAt);
    await storage.drained();
    storage.set("after", "v");
    await storage.flush();
    expect(storage.stats().journal?.bytes).toBeLessThan(MIB / 2);
  });

  test("with a smaller maxBytes than it holds opens, has everything, and refuses until there is room", async () => {
    const machine = new Machine();
    const { storage, faulty } = await machine.openBehind<string>({}, { maxBytes: 4 * MIB });
    faulty.goDown();
    for (let index = 0; index < 30; index += 1) storage.set(`key ${index}`, VALUE);
    await storage.flush({ level: "journaled" });
    machine.crash();
    const next = await machine.openBehind<string>({}, { maxBytes: MIB });
    expect(next.storage.size).toBe(30);
    await next.storage.flush();
    await machine.clock.advance(1_000);
    await next.storage.drained();
    next.storage.set("after", "v");
    await next.storage.flush();
  });
});

describe("what is small and stays", () => {
  test("one key that the backend never takes does not fill the journal, however much else goes through", async () => {
    const machine = new Machine();
    const { storage, faulty } = await machine.openBehind<string>({ workers: 2 }, { maxBytes: MIB });
    faulty.rejectKey("stuck");
    storage.set("stuck", "v");
    let bytesMax = 0;
    for (let index = 0; index < 60; index += 1) {
      storage.set(`other ${index % 7}`, VALUE);
      await storage.flush().catch(() => undefined);
      await machine.clock.settle(30);
      bytesMax = Math.max(bytesMax, storage.stats().journal?.bytes ?? 0);
    }
    expect(bytesMax).toBeLessThan(MIB);
    machine.crash();
    const next = await machine.openBehind<string>({}, { maxBytes: MIB });
    expect(next.storage.deadLetters()).toMatchObject([{ key: "stuck" }]);
  });

  test("a key that is rewritten while the backend is down fills no more than its room", async () => {
    const machine = new Machine();
    const { storage, faulty } = await machine.openBehind<string>({}, { maxBytes: MIB });
    faulty.goDown();
    let refusals = 0;
    for (let index = 0; index < 100; index += 1) {
      if (codeThrownBy(() => storage.set("counter", `${index}`.padEnd(60_000))) !== "nothing") refusals += 1;
      await storage.flush({ level: "journaled" });
      await turns(10);
    }
    // What is live is one entry: it is written again at the end, and everything before goes.
    expect(refusals).toBe(0);
    machine.crash();
    const next = await machine.openBehind<string>({}, { maxBytes: MIB });
    expect(next.storage.get("counter")?.trim()).toBe("99");
  });

  test("the files on the disk are as many as stats say, and within the bound", async () => {
    const machine = new Machine();
    const { storage } = await machine.openBehind<string>({}, { maxBytes: MIB });
    for (let index = 0; index < 30; index += 1) {
      storage.set(`key ${index}`, VALUE);
      await storage.flush();
      await machine.clock.settle(30);
    }
    const { bytes, segments } = storage.stats().journal ?? { bytes: 0, segments: 0 };
    const sizes = machine.disk
      .names(JOURNAL)
      .map((name) => machine.disk.contents(`${JOURNAL}/${name}`).length);
    expect(sizes).toHaveLength(segments);
    expect(sizes.reduce((sum, each) => sum + each, 0)).toBe(bytes);
    expect(bytes).toBeLessThan(MIB);
  });

  test("a single value larger than maxBytes is journaled, delivered, and the bound holds again", async () => {
    const machine = new Machine();
    const { storage } = await machine.openBehind<string>({}, { maxBytes: MIB });
    storage.set("large", "v".repeat(2 * MIB));
    await storage.flush();
    await machine.clock.advance(1_000);
    await storage.drained();
    storage.set("after", "v");
    await storage.flush();
    expect(Object.keys(stored(machine.backend))).toEqual(["after", "large"]);
    expect(storage.stats().journal?.bytes).toBeLessThan(MIB);
  });
});
