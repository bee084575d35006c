/** Write-through under faults: a rejected write changes nothing (I8), and an ambiguous one says that it is. */

import type { PersistentStorage } from "@leakdb/core";
import { type CommonFault, ReferenceBackend, type WriteFault } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { FLUSH_TIMEOUT_MS, WRITE_TIMEOUT_MS } from "../src/faults/durations.js";
import { inMemory, type OpenedStore, openThrough, stored } from "../src/faults/opened-store.js";
import { codeThrownBy, thrownBy, watched } from "../src/faults/watched-promise.js";

type Store = OpenedStore<PersistentStorage<unknown>>;

/** Every mutator, on a store that holds `{ a: 1, b: 2 }`. */
const MUTATORS: readonly [string, (storage: PersistentStorage<unknown>) => Promise<unknown>][] = [
  ["set", (storage) => storage.set("a", 9)],
  ["set of a new key", (storage) => storage.set("c", 9)],
  ["setMulti", (storage) => storage.setMulti({ a: 9, c: 9 })],
  ["add", (storage) => storage.add("c", 9)],
  ["replace", (storage) => storage.replace("a", 9)],
  ["update", (storage) => storage.update("a", () => 9)],
  ["incr", (storage) => storage.incr("a")],
  ["decr", (storage) => storage.decr("c", { initialValue: 5 })],
  ["delete", (storage) => storage.delete("a")],
  ["deleteMulti", (storage) => storage.deleteMulti(["a", "b"])],
  ["clear", (storage) => storage.clear()],
  ["touch", (storage) => storage.touch("a", { ttl: 1_000_000 })],
];

async function filled(): Promise<Store> {
  const store = await openThrough({}, { capabilities: { atomicBatch: false } });
  await store.storage.setMulti({ a: 1, b: 2 });
  store.recording.forget();
  return store;
}

describe.each(MUTATORS)("%s", (_name, mutate) => {
  test("is stored when its promise resolves, and not in memory before", async () => {
    const { storage, clock, faulty, backend } = await filled();
    const before = inMemory(storage);
    faulty.gate.hold({ side: "answer" });
    const mutating = watched(mutate(storage));
    await clock.settle();
    expect(mutating.state).toBe("pending");
    expect(inMemory(storage)).toEqual(before);
    faulty.heal();
    await clock.settle();
    expect(mutating.outcome).toBe("resolved");
    expect(stored(backend)).toEqual(inMemory(storage));
  });

  test("of a backend that refuses it rejects with LEAKDB_ADAPTER_REJECTED and changes nothing", async () => {
    const { storage, clock, faulty, backend } = await filled();
    faulty.script("write", "permanent");
    const entries = ["a", "b", "c"].map((key) => storage.getEntry(key));
    const mutating = watched(mutate(storage));
    await clock.advance(FLUSH_TIMEOUT_MS);
    expect(mutating.outcome).toBe("LEAKDB_ADAPTER_REJECTED");
    expect(mutating.error).toMatchObject({ name: "LeakDBError", retryable: false });
    expect(["a", "b", "c"].map((key) => storage.getEntry(key))).toEqual(entries);
    expect(stored(backend)).toEqual({ a: 1, b: 2 });
    expect(storage.deadLetters()).toEqual([]);
    await storage.flush();
  });

  test("of a backend that is down rejects with LEAKDB_ADAPTER_UNAVAILABLE and changes nothing", async () => {
    const { storage, clock, faulty, backend } = await filled();
    faulty.goDown();
    const mutating = watched(mutate(storage));
    await clock.advance(WRITE_TIMEOUT_MS + 1_000);
    expect(mutating.outcome).toBe("LEAKDB_ADAPTER_UNAVAILABLE");
    expect(mutating.error).toMatchObject({ retryable: true });
    expect(inMemory(storage)).toEqual({ a: 1, b: 2 });
    faulty.goUp();
    await clock.advance(WRITE_TIMEOUT_MS);
    // What was rejected as not applied must not be applied later.
    expect(stored(backend)).toEqual({ a: 1, b: 2 });
    const again = watched(mutate(storage));
    await clock.advance(WRITE_TIMEOUT_MS);
    expect(again.outcome).toBe("resolved");
    expect(stored(backend)).toEqual(inMemory(storage));
  });

  test.each<[WriteFault]>([
    ["ambiguous"],
    ["plain"],
    ["throw-sync"],
    ["ambiguous-after"],
    ["hang"],
    ["hang-after"],
    ["late-answer"],
    ["late-landing"],
    ["die-midway"],
  ])(
    "after %s is LEAKDB_PERHAPS_APPLIED: memory shows the last committed value, and the next operation asks first",
    async (fault) => {
      const { storage, clock, faulty, backend, recording } = await filled();
      faulty.script("write", fault);
      const mutating = watched(mutate(storage));
      await clock.advance(2 * WRITE_TIMEOUT_MS);
      expect(mutating.outcome).toBe("LEAKDB_PERHAPS_APPLIED");
      expect(mutating.error).toMatchObject({ retryable: true });
      expect(inMemory(storage)).toEqual({ a: 1, b: 2 });
      const versions = ["a", "b", "c"].map((key) => backend.records.get(key)?.version ?? 0);
      // Operations that decide on the old value: what they find is what the backend holds.
      for (const key of ["a", "b", "c"]) await storage.update(key, () => undefined);
      expect(inMemory(storage)).toEqual(stored(backend));
      for (const [index, key] of ["a", "b", "c"].entries()) {
        const version = backend.records.get(key)?.version ?? Infinity;
        expect(version).toBeGreaterThanOrEqual(versions[index] as number);
        if (version !== Infinity) expect(storage.getEntry(key)?.version).toBe(version);
      }
      const again = watched(mutate(storage));
      await clock.advance(WRITE_TIMEOUT_MS);
      expect(again.outcome).toBe("resolved");
      expect(stored(backend)).toEqual(inMemory(storage));
      expect(recording.brokenPromises).toEqual([]);
    },
  );

  test("that meets one transient failure is tried again and resolves", async () => {
    const { storage, clock, faulty, backend, events } = await filled();
    faulty.script("write", "transient");
    const mutating = watched(mutate(storage));
    await clock.advance(1_000);
    expect(mutating.outcome).toBe("resolved");
    expect(events.of("retry")).toHaveLength(1);
    expect(stored(backend)).toEqual(inMemory(storage));
  });
});

test("the operation after a perhaps-applied one loads the record and rewrites it with a new version", async () => {
  const { storage, clock, faulty, backend, recording } = await filled();
  faulty.script("write", "ambiguous-after");
  await thrownBy(() => storage.set("a", 9));
  const applied = backend.records.get("a")?.version ?? 0;
  recording.forget();
  expect(storage.get("a")).toBe(1);
  expect(await storage.incr("a")).toBe(10);
  await clock.settle();
  const calls = recording.calls.filter(({ operation }) => operation !== "close" && operation !== "open");
  expect(calls.map(({ operation }) => operation)).toEqual(["load", "write", "write"]);
  expect(calls[0]?.keys).toEqual(["a"]);
  const [rewrite, increment] = recording.batches.flat();
  expect(rewrite?.version).toBeGreaterThan(applied);
  expect(increment?.version).toBeGreaterThan(rewrite?.version ?? Infinity);
  expect(stored(backend)).toEqual({ a: 10, b: 2 });
});

test.each<[CommonFault]>([["transient"], ["plain"], ["throw-sync"], ["hang"]])(
  "a load that is %s after a perhaps-applied write rejects as unavailable, decides nothing, and is asked again",
  async (fault) => {
    const { storage, clock, faulty } = await filled();
    faulty.script("write", "ambiguous-after");
    await thrownBy(() => storage.set("a", 9));
    faulty.script("load", fault);
    const first = watched(storage.incr("a"));
    await clock.advance(2 * WRITE_TIMEOUT_MS);
    expect(first.outcome).toBe("LEAKDB_ADAPTER_UNAVAILABLE");
    expect(storage.get("a")).toBe(1);
    expect(await storage.incr("a")).toBe(10);
  },
);

test("cas after a perhaps-applied write never succeeds on the version that was replaced", async () => {
  const { storage, faulty, backend } = await filled();
  const version = storage.getEntry("a")?.version ?? 0;
  faulty.script("write", "ambiguous-after");
  await thrownBy(() => storage.set("a", 9));
  expect(await storage.cas("a", 10, version)).toBeUndefined();
  expect(storage.get("a")).toBe(9);
  expect(stored(backend)).toEqual({ a: 9, b: 2 });
});

test("a perhaps-applied write that another process reads after a restart is there or not, and never torn", async () => {
  const backend = new ReferenceBackend();
  const { storage, clock, faulty } = await openThrough({}, { backend });
  await storage.set("a", 1);
  faulty.script("write", "hang-after");
  const writing = watched(storage.set("a", 2));
  const closing = watched(storage.close());
  await clock.advance(FLUSH_TIMEOUT_MS);
  expect(writing.outcome).toBe("LEAKDB_PERHAPS_APPLIED");
  expect(closing.state).not.toBe("pending");
  const again = await openThrough({}, { backend, clock });
  expect(again.storage.get("a")).toBe(2);
});

describe("a setMulti of which the backend refuses a part", () => {
  test("lists what was applied, and memory shows just that", async () => {
    const { storage, clock, faulty, backend } = await filled();
    faulty.rejectKey("bad");
    const writing = watched(storage.setMulti({ a: 9, bad: 9, c: 9 }));
    await clock.advance(WRITE_TIMEOUT_MS);
    expect(writing.outcome).toBe("LEAKDB_ADAPTER_REJECTED");
    const { applied } = writing.error as { applied: string[] };
    expect([...applied].sort()).toEqual(["a", "c"]);
    expect(stored(backend)).toEqual({ a: 9, b: 2, c: 9 });
    expect(inMemory(storage)).toEqual(stored(backend));
  });

  test("rejects as a whole when the batch is refused without naming a key", async () => {
    const { storage, clock, faulty, backend } = await filled();
    faulty.refuseKey("bad");
    const writing = watched(storage.setMulti({ a: 9, bad: 9, c: 9 }));
    const neighbour = watched(storage.set("d", 4));
    await clock.advance(WRITE_TIMEOUT_MS);
    expect(writing.outcome).toBe("LEAKDB_ADAPTER_REJECTED");
    expect(neighbour.outcome).toBe("resolved");
    expect(stored(backend)).toEqual({ a: 1, b: 2, d: 4 });
    expect(inMemory(storage)).toEqual(stored(backend));
  });
});

test("one refused key in a shared batch rejects its own operation alone", async () => {
  for (const refuse of ["rejectKey", "refuseKey"] as const) {
    const { storage, clock, faulty, backend } = await openThrough<number>();
    faulty[refuse]("key 5");
    const writes = Array.from({ length: 20 }, (_, index) => watched(storage.set(`key ${index}`, index)));
    await clock.advance(WRITE_TIMEOUT_MS);
    const outcomes = writes.map(({ outcome }) => outcome);
    expect(outcomes.filter((outcome) => outcome === "resolved")).toHaveLength(19);
    expect(outcomes[5]).toBe("LEAKDB_ADAPTER_REJECTED");
    expect(stored(backend)).toEqual(inMemory(storage));
    expect(codeThrownBy(() => storage.get("key 5"))).toBe("nothing");
  }
});
