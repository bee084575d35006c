/** One key the backend refuses never holds up another key, nor a flush; it stands as a dead letter until answered. */

import type { DeadLetter, PersistentQueueStorage } from "@leakdb/core";
import { describe, expect, test } from "vitest";
import { FLUSH_TIMEOUT_MS } from "../src/faults/durations.js";
import { inMemory, type OpenedStore, openBehind, sentKeys, stored } from "../src/faults/opened-store.js";
import { thrownBy, watched } from "../src/faults/watched-promise.js";

type Store = OpenedStore<PersistentQueueStorage<unknown>>;

interface FlushFailed extends Error {
  readonly code: string;
  readonly deadLetters: readonly DeadLetter[];
}

const REFUSALS = [
  ["named by the adapter", ({ faulty }: Store) => faulty.rejectKey("bad", new Error("no such thing"))],
  ["refused with its whole batch", ({ faulty }: Store) => faulty.refuseKey("bad")],
] as const;

async function flushed(store: Store): Promise<unknown> {
  const flushing = watched(store.storage.flush());
  await store.clock.advance(FLUSH_TIMEOUT_MS);
  return flushing.state === "rejected" ? flushing.error : flushing.state;
}

async function opened(refuse: (store: Store) => void, coalesce = true): Promise<Store> {
  const store = await openBehind({ coalesce });
  refuse(store);
  return store;
}

describe.each(REFUSALS)("a key %s", (_name, refuse) => {
  test.each([true, false])(
    "becomes a dead letter while its neighbours are stored (coalesce %s)",
    async (coalesce) => {
      const store = await opened(refuse, coalesce);
      const { storage, backend, events } = store;
      for (let index = 0; index < 30; index += 1) storage.set(index === 17 ? "bad" : `key ${index}`, index);
      const version = storage.getEntry("bad")?.version;
      const error = (await flushed(store)) as FlushFailed;
      expect(error.code).toBe("LEAKDB_FLUSH_FAILED");
      expect(error.deadLetters.map(({ key }) => key)).toEqual(["bad"]);
      expect(Object.keys(stored(backend))).toHaveLength(29);
      expect(storage.get("bad")).toBe(17);
      const [letter] = storage.deadLetters();
      expect(letter).toMatchObject({ operation: "put", key: "bad", version });
      expect(letter?.error).toBeInstanceOf(Error);
      expect(letter?.date).toBeInstanceOf(Date);
      expect(events.of("deadLetter").map(({ key }) => key)).toEqual(["bad"]);
      expect(store.recording.brokenPromises).toEqual([]);
    },
  );

  test("is superseded by a newer write of it that is stored", async () => {
    const store = await opened(refuse);
    const { storage, backend, faulty } = store;
    storage.set("bad", 1);
    await flushed(store);
    faulty.acceptKey("bad");
    storage.set("bad", 2);
    expect(await flushed(store)).toBe("resolved");
    expect(storage.deadLetters()).toEqual([]);
    expect(stored(backend)).toEqual({ bad: 2 });
  });

  test("is superseded by a delete, and by a clear", async () => {
    for (const remove of ["delete", "clear"] as const) {
      const store = await opened(refuse);
      const { storage, backend, faulty } = store;
      storage.set("bad", 1);
      await flushed(store);
      faulty.acceptKey("bad");
      if (remove === "delete") storage.delete("bad");
      else storage.clear();
      expect(await flushed(store)).toBe("resolved");
      expect(storage.deadLetters()).toEqual([]);
      expect(stored(backend)).toEqual({});
    }
  });

  test("is stored by a retry, with the newest state and once", async () => {
    const store = await opened(refuse);
    const { storage, backend, faulty, recording } = store;
    const version = storage.set("bad", 1);
    await flushed(store);
    const [letter] = storage.deadLetters();
    faulty.acceptKey("bad");
    recording.forget();
    expect(letter?.retry()).toBe(true);
    expect(letter?.retry()).toBe(false);
    expect(await flushed(store)).toBe("resolved");
    expect(storage.deadLetters()).toEqual([]);
    expect(stored(backend)).toEqual({ bad: 1 });
    expect(backend.records.get("bad")?.version).toBe(version);
    expect(sentKeys(recording)).toEqual([["bad"]]);
    expect(letter?.retry()).toBe(false);
    expect(letter?.discard()).toBe(false);
  });

  test("is a dead letter again when a retry is refused again, and flush fails again", async () => {
    const store = await opened(refuse);
    const { storage } = store;
    storage.set("bad", 1);
    await flushed(store);
    storage.deadLetters()[0]?.retry();
    expect(((await flushed(store)) as FlushFailed).code).toBe("LEAKDB_FLUSH_FAILED");
    expect(storage.deadLetters()).toHaveLength(1);
    expect(storage.stats().queue?.deadLetters).toBe(1);
  });

  test("is given up by a discard: memory keeps its value and flush resolves", async () => {
    const store = await opened(refuse);
    const { storage, backend } = store;
    storage.set("bad", 1);
    await flushed(store);
    const [letter] = storage.deadLetters();
    expect(letter?.discard()).toBe(true);
    expect(letter?.discard()).toBe(false);
    expect(letter?.retry()).toBe(false);
    expect(storage.deadLetters()).toEqual([]);
    expect(await flushed(store)).toBe("resolved");
    expect(storage.get("bad")).toBe(1);
    expect(stored(backend)).toEqual({});
  });

  test("rewritten all the time, holds up no other key and is at most one dead letter", async () => {
    const store = await opened(refuse);
    const { storage, backend, clock } = store;
    for (let round = 0; round < 200; round += 1) {
      storage.set("bad", round);
      storage.set(`key ${round}`, round);
      await clock.advance(50);
      expect(storage.deadLetters().length).toBeLessThanOrEqual(1);
      if (round >= 40) expect(backend.records.has(`key ${round - 40}`), `key ${round - 40}`).toBe(true);
    }
    expect(((await flushed(store)) as FlushFailed).deadLetters.map(({ key }) => key)).toEqual(["bad"]);
    store.faulty.heal();
    storage.deadLetters()[0]?.retry();
    expect(await flushed(store)).toBe("resolved");
    expect(stored(backend)).toEqual(inMemory(storage));
    expect(store.recording.brokenPromises).toEqual([]);
  });
});

test("a backend that refuses every key leaves a dead letter for each, and each is still readable", async () => {
  const store = await openBehind();
  const { storage, faulty } = store;
  for (let index = 0; index < 50; index += 1) {
    faulty.refuseKey(`key ${index}`);
    storage.set(`key ${index}`, index);
  }
  const error = (await flushed(store)) as FlushFailed;
  expect(error.deadLetters).toHaveLength(50);
  expect(storage.deadLetters()).toHaveLength(50);
  expect(storage.get("key 49")).toBe(49);
  faulty.heal();
  for (const letter of storage.deadLetters()) expect(letter.retry()).toBe(true);
  expect(await flushed(store)).toBe("resolved");
  expect(stored(store.backend)).toEqual(inMemory(storage));
});

test("a write that throws permanent once makes one dead letter, not its batch", async () => {
  const store = await openBehind();
  const { storage, faulty, backend } = store;
  faulty.script("write", "permanent");
  for (let index = 0; index < 10; index += 1) storage.set(`key ${index}`, index);
  // Refused as a whole once, every half is accepted afterwards.
  expect(await flushed(store)).toBe("resolved");
  expect(Object.keys(stored(backend))).toHaveLength(10);
});

test("flush and persisted fail for what a dead letter covers, and for nothing else", async () => {
  const store = await opened(({ faulty }) => faulty.rejectKey("bad"));
  const { storage, clock } = store;
  const before = storage.set("good", 1);
  await flushed(store);
  const bad = storage.set("bad", 1);
  await clock.advance(1_000);
  const after = storage.set("good", 2);
  await clock.advance(1_000);
  await storage.persisted(before);
  await storage.flush({ upTo: before });
  await storage.persisted(after, "stored", { key: "good" });
  expect(await thrownBy(() => storage.persisted(bad))).toMatchObject({ code: "LEAKDB_FLUSH_FAILED" });
  expect(await thrownBy(() => storage.persisted(after))).toMatchObject({ code: "LEAKDB_FLUSH_FAILED" });
  expect(await thrownBy(() => storage.persisted(bad, "stored", { key: "bad" }))).toMatchObject({
    code: "LEAKDB_FLUSH_FAILED",
  });
});

test("a dead letter's delete is one too: the key stays away from memory and is removed by a retry", async () => {
  const store = await openBehind();
  const { storage, faulty, backend } = store;
  storage.set("bad", 1);
  await flushed(store);
  faulty.rejectKey("bad");
  storage.delete("bad");
  await flushed(store);
  expect(storage.deadLetters()).toMatchObject([{ operation: "delete", key: "bad" }]);
  expect(storage.has("bad")).toBe(false);
  expect(stored(backend)).toEqual({ bad: 1 });
  faulty.heal();
  storage.deadLetters()[0]?.retry();
  expect(await flushed(store)).toBe("resolved");
  expect(stored(backend)).toEqual({});
  expect(storage.has("bad")).toBe(false);
});

test("close says which mutations were dead letters, with their values", async () => {
  const store = await opened(({ faulty }) => faulty.rejectKey("bad"));
  const { storage, clock, backend } = store;
  const version = storage.set("bad", { deep: [1] });
  storage.set("good", 1);
  const closing = watched(storage.close());
  await clock.advance(FLUSH_TIMEOUT_MS);
  expect(closing.error).toMatchObject({
    code: "LEAKDB_CLOSE_INCOMPLETE",
    unwritten: [{ operation: "put", key: "bad", value: { deep: [1] }, version, expiresAt: undefined }],
  });
  expect(stored(backend)).toEqual({ good: 1 });
  expect(backend.owner).toBeUndefined();
});

describe.each([true, false])(
  "a retry of a letter while a newer write of its key waits (coalesce %s)",
  (coalesce) => {
    test("sends nothing older after the newer one, and ends with the newest state", async () => {
      const store = await openBehind<unknown>({ coalesce });
      const { storage, faulty, backend, recording, clock } = store;
      faulty.rejectKey("bad");
      storage.set("bad", 1);
      await clock.advance(1_000);
      faulty.heal();
      storage.set("bad", 2);
      for (const letter of storage.deadLetters()) letter.retry();
      storage.set("bad", 3);
      expect(await flushed(store)).toBe("resolved");
      const versions = recording.batches.flat().map(({ version }) => version);
      expect(versions).toEqual([...versions].sort((a, b) => a - b));
      expect(recording.brokenPromises).toEqual([]);
      expect(stored(backend)).toEqual({ bad: 3 });
      expect(storage.deadLetters()).toEqual([]);
      expect(storage.stats().queue?.waiting).toBe(0);
    });

    test("does no harm while the newer one is in flight, or being refused as well", async () => {
      const store = await openBehind<unknown>({ coalesce });
      const { storage, faulty, backend, recording, clock } = store;
      faulty.rejectKey("bad");
      storage.set("bad", 1);
      await clock.advance(1_000);
      const [letter] = storage.deadLetters();
      faulty.gate.hold();
      storage.set("bad", 2);
      await clock.advance(1_000);
      letter?.retry();
      await clock.advance(1_000);
      faulty.gate.releaseAll();
      await clock.advance(10_000);
      faulty.heal();
      for (const each of storage.deadLetters()) each.retry();
      expect(await flushed(store)).toBe("resolved");
      expect(stored(backend)).toEqual({ bad: 2 });
      expect(recording.brokenPromises).toEqual([]);
    });
  },
);

describe.each([
  ["deleted", (storage: PersistentQueueStorage<unknown>) => void storage.delete("bad")],
  ["cleared", (storage: PersistentQueueStorage<unknown>) => void storage.clear()],
])("a letter whose key was %s meanwhile", (_name, remove) => {
  test.each([true, false])("does not bring it back by a retry (coalesce %s)", async (coalesce) => {
    const store = await openBehind<unknown>({ coalesce });
    const { storage, faulty, backend, recording, clock } = store;
    faulty.rejectKey("bad");
    storage.set("bad", 1);
    await clock.advance(1_000);
    const [letter] = storage.deadLetters();
    faulty.heal();
    remove(storage);
    storage.set("after", 1);
    letter?.retry();
    expect(await flushed(store)).toBe("resolved");
    expect(stored(backend)).toEqual({ after: 1 });
    expect(inMemory(storage)).toEqual({ after: 1 });
    expect(recording.brokenPromises).toEqual([]);
    expect(storage.deadLetters()).toEqual([]);
  });
});
