/** A clear under faults: older mutations never land after it, newer ones never before it, in any number of lanes. */

import type { WriteFault } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { FLUSH_TIMEOUT_MS } from "../src/faults/durations.js";
import { inMemory, openBehind, sentKeys, stored } from "../src/faults/opened-store.js";
import { PoisonAdapter } from "../src/faults/poison-adapter.js";
import { watched } from "../src/faults/watched-promise.js";

const FAULTS: readonly WriteFault[] = [
  "none",
  "transient",
  "ambiguous",
  "plain",
  "hang",
  "late-landing",
  "late-answer",
  "die-midway",
];

describe.each([1, 2, 4])("with %i lanes", (workers) => {
  test.each(FAULTS)("clears between writes keep their place when writes meet %s", async (fault) => {
    for (let position = 0; position < 6; position += 1) {
      const { storage, clock, faulty, backend, recording } = await openBehind<number>(
        { workers },
        { capabilities: { atomicBatch: false } },
      );
      faulty.script("write", ...Array.from({ length: position }, () => "none" as const), fault);
      for (let round = 0; round < 4; round += 1) {
        for (let index = 0; index < 8; index += 1)
          storage.set(`${index % 2 === 0 ? "even" : "odd"} ${index}`, round);
        storage.clear({ prefix: round % 2 === 0 ? "even" : "odd" });
        storage.set("even 0", round);
        if (round === 2) storage.clear();
        await clock.advance(round * 60);
      }
      const flushing = watched(storage.flush());
      await clock.advance(FLUSH_TIMEOUT_MS);
      expect(flushing.outcome, `fault at write ${position}`).toBe("resolved");
      expect(stored(backend)).toEqual(inMemory(storage));
      expect(recording.brokenPromises).toEqual([]);
    }
  });

  test("a clear waits for a poisoned key it covers, and never lets it land afterwards", async () => {
    let poison: PoisonAdapter | undefined;
    const { storage, clock, backend, recording } = await openBehind<number>(
      { workers },
      {
        wrap: (inner) => {
          poison = new PoisonAdapter(inner, "transient");
          return poison;
        },
      },
    );
    poison?.poisoned.add("bad");
    storage.set("bad", 1);
    storage.set("good", 1);
    await clock.advance(2_000);
    storage.clear();
    storage.set("after", 1);
    await clock.advance(120_000);
    poison?.poisoned.clear();
    const flushing = watched(storage.flush());
    await clock.advance(FLUSH_TIMEOUT_MS);
    expect(flushing.outcome).toBe("resolved");
    expect(stored(backend)).toEqual({ after: 1 });
    expect(recording.brokenPromises).toEqual([]);
  });
});

test("a clear is sent as one mutation, however many keys it covers", async () => {
  const { storage, clock, backend, recording } = await openBehind<number>();
  for (let index = 0; index < 1_000; index += 1) storage.set(`key ${index}`, index);
  await clock.advance(1_000);
  recording.forget();
  expect(storage.clear()).toBe(1_000);
  await clock.advance(1_000);
  expect(sentKeys(recording)).toEqual([["clear:"]]);
  expect(stored(backend)).toEqual({});
});

test("what a clear covers before it was sent is not sent at all", async () => {
  const { storage, clock, recording } = await openBehind<number>();
  storage.set("a", 1);
  storage.set("b", 1);
  storage.clear();
  await clock.advance(1_000);
  expect(sentKeys(recording)).toEqual([["clear:"]]);
});

test("a clear that fails for good is a dead letter which a flush reports, and whose key-waiters are let go", async () => {
  const { storage, clock, faulty, backend } = await openBehind<number>();
  storage.set("a", 1);
  await clock.advance(1_000);
  faulty.script("write", "permanent");
  storage.clear();
  const waiting = watched(storage.persisted(storage.version, "stored", { key: "a" }));
  const flushing = watched(storage.flush());
  await clock.advance(FLUSH_TIMEOUT_MS);
  expect(flushing.outcome).toBe("LEAKDB_FLUSH_FAILED");
  expect(waiting.outcome).toBe("LEAKDB_FLUSH_FAILED");
  expect(storage.deadLetters()).toMatchObject([{ operation: "clear", key: "" }]);
  storage.set("b", 2);
  const [letter] = storage.deadLetters();
  expect(letter?.retry()).toBe(true);
  const again = watched(storage.flush());
  await clock.advance(FLUSH_TIMEOUT_MS);
  expect(again.outcome).toBe("resolved");
  expect(stored(backend)).toEqual({ b: 2 });
});

test("a dead clear that is retried removes nothing that was written after it", async () => {
  const { storage, clock, faulty, backend } = await openBehind<number>();
  storage.setMulti({ a: 1, b: 1 });
  await clock.advance(1_000);
  faulty.script("write", "permanent");
  storage.clear();
  await clock.advance(1_000);
  storage.set("a", 2);
  await clock.advance(1_000);
  expect(stored(backend)).toEqual({ a: 2, b: 1 });
  storage.deadLetters()[0]?.retry();
  await clock.advance(1_000);
  expect(stored(backend)).toEqual({ a: 2 });
  expect(stored(backend)).toEqual(inMemory(storage));
});
