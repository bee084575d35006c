/** Write-behind under every fault that a write can meet: nothing is lost (I9), reordered (I1) or left hanging (I10). */

import type { WriteFault } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { FLUSH_TIMEOUT_MS } from "../src/faults/durations.js";
import { inMemory, openBehind, stored } from "../src/faults/opened-store.js";
import { watched } from "../src/faults/watched-promise.js";

const FAULTS: readonly WriteFault[] = [
  "transient",
  "plain",
  "ambiguous",
  "throw-sync",
  "hang",
  "slow",
  { slowMs: 5_000 },
  { slowMs: 45_000 },
  "ambiguous-after",
  "hang-after",
  "late-answer",
  "late-landing",
  "die-midway",
];

const named = FAULTS.map(
  (fault) => [typeof fault === "string" ? fault : `slow ${fault.slowMs} ms`, fault] as const,
);

const SHAPES = [
  { workers: 1, coalesce: true },
  { workers: 3, coalesce: true },
  { workers: 1, coalesce: false },
  { workers: 3, coalesce: false },
];

describe.each(SHAPES)("with $workers lanes, coalesce $coalesce", (shape) => {
  test.each(named)(
    "a write that meets %s is tried again until everything is stored",
    async (_name, fault) => {
      const { storage, clock, faulty, recording, backend } = await openBehind<number>(shape, {
        capabilities: { atomicBatch: false },
      });
      faulty.script("write", fault);
      for (let index = 0; index < 10; index += 1) storage.set(`key ${index}`, index);
      storage.delete("key 3");
      const flushing = watched(storage.flush());
      await clock.advance(FLUSH_TIMEOUT_MS);
      expect(flushing.outcome).toBe("resolved");
      expect(stored(backend)).toEqual(inMemory(storage));
      expect(storage.size).toBe(9);
      expect(storage.deadLetters()).toEqual([]);
      expect(storage.stats().queue?.waiting).toBe(0);
      expect(recording.brokenPromises).toEqual([]);
      expect([...faulty.injected.values()]).toEqual([1]);
    },
  );

  test.each(named)(
    "what is written while a write meets %s is stored too, the newest last",
    async (_name, fault) => {
      const { storage, clock, faulty, recording, backend } = await openBehind<number>(shape, {
        capabilities: { atomicBatch: false },
      });
      faulty.script("write", fault, fault, fault);
      for (let round = 0; round < 20; round += 1) {
        for (let index = 0; index < 5; index += 1) storage.set(`key ${index}`, round * 10 + index);
        if (round % 4 === 3) storage.delete(`key ${round % 5}`);
        if (round % 7 === 6) storage.clear({ prefix: "key 1" });
        expect(storage.get("key 2")).toBe(round % 4 === 3 && round % 5 === 2 ? undefined : round * 10 + 2);
        await clock.advance(1_000);
      }
      const flushing = watched(storage.flush({ timeout: 10 * FLUSH_TIMEOUT_MS }));
      await clock.advance(10 * FLUSH_TIMEOUT_MS);
      expect(flushing.outcome).toBe("resolved");
      expect(stored(backend)).toEqual(inMemory(storage));
      expect(recording.brokenPromises).toEqual([]);
      await storage.close();
      expect(backend.owner).toBeUndefined();
    },
  );

  test.each(named)(
    "a close during %s keeps its deadline and stores all or says what it could not",
    async (_name, fault) => {
      const { storage, clock, faulty, backend, recording } = await openBehind<number>(shape, {
        capabilities: { atomicBatch: false },
      });
      faulty.script("write", fault);
      for (let index = 0; index < 10; index += 1) storage.set(`key ${index}`, index);
      const closing = watched(storage.close());
      await clock.advance(FLUSH_TIMEOUT_MS);
      expect(closing.outcome).toBe("resolved");
      expect(Object.keys(stored(backend))).toHaveLength(10);
      expect(recording.brokenPromises).toEqual([]);
    },
  );
});

test.each(named.filter(([name]) => !name.startsWith("slow")))(
  "a backend whose every write meets %s makes neither a dead letter nor a hanging flush, and drains once healed",
  async (_name, fault) => {
    const { storage, clock, faulty, backend, recording } = await openBehind<number>(
      {},
      { capabilities: { atomicBatch: false } },
    );
    faulty.script("write", ...Array.from({ length: 500 }, () => fault));
    for (let index = 0; index < 20; index += 1) storage.set(`key ${index}`, index);
    const first = watched(storage.flush({ timeout: 5_000 }));
    await clock.advance(5_000);
    expect(first.outcome).toBe("LEAKDB_TIMEOUT");
    await clock.advance(600_000);
    expect(storage.deadLetters()).toEqual([]);
    faulty.heal();
    const second = watched(storage.flush({ timeout: 120_000 }));
    await clock.advance(120_000);
    expect(second.outcome).toBe("resolved");
    expect(stored(backend)).toEqual(inMemory(storage));
    expect(recording.brokenPromises).toEqual([]);
  },
);
