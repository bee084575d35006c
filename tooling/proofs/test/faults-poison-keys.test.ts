/**
 * Keys that fail every batch they are in, without being named and in a way that looks like a weak backend: the good
 * ones around them get through, and they become dead letters after `maxAttempts`.
 */

import type { PersistentQueueStorage, PersistentQueueStorageOptions } from "@leakdb/core";
import { describe, expect, test } from "vitest";
import { inMemory, type OpenedStore, openBehind, stored } from "../src/faults/opened-store.js";
import { PoisonAdapter } from "../src/faults/poison-adapter.js";
import { watched } from "../src/faults/watched-promise.js";

const HOUR_MS = 3_600_000;

type Poisoned = OpenedStore<PersistentQueueStorage<number>> & { readonly poison: PoisonAdapter };

async function openPoisoned(
  kind: PoisonAdapter["kind"],
  options: Partial<PersistentQueueStorageOptions> = {},
): Promise<Poisoned> {
  const adapters: PoisonAdapter[] = [];
  const wrap = (inner: ConstructorParameters<typeof PoisonAdapter>[0]): PoisonAdapter => {
    const poison = new PoisonAdapter(inner, kind);
    adapters.push(poison);
    return poison;
  };
  const store = await openBehind<number>(options, { wrap });
  return { ...store, poison: adapters[0] as PoisonAdapter };
}

/** Writes good and bad keys side by side. */
function mix({ storage, poison }: Poisoned, bad: number, good: number): void {
  for (let index = 0; index < Math.max(good, bad); index += 1) {
    if (index < good) storage.set(`good ${index}`, index);
    if (index >= bad) continue;
    poison.poisoned.add(`bad ${index}`);
    storage.set(`bad ${index}`, index);
  }
}

/** Hours in which another key is stored now and then, so that the backend is seen to be up. */
async function othersSucceed({ storage, clock }: Poisoned): Promise<void> {
  for (let passedMs = 0; passedMs < 4 * HOUR_MS; passedMs += 30_000) {
    storage.set("pulse", passedMs);
    await clock.advance(30_000);
  }
}

function goodStored({ backend }: Poisoned): number {
  return Object.keys(stored(backend)).filter((key) => key.startsWith("good")).length;
}

describe.each(["transient", "ambiguous", "plain"] as const)("poison that throws %s", (kind) => {
  test.each([
    { bad: 1, good: 200, workers: 1, coalesce: true },
    { bad: 5, good: 200, workers: 1, coalesce: true },
    { bad: 5, good: 200, workers: 3, coalesce: true },
    { bad: 5, good: 200, workers: 1, coalesce: false },
    { bad: 50, good: 200, workers: 1, coalesce: true },
    { bad: 50, good: 200, workers: 3, coalesce: false },
    { bad: 50, good: 10, workers: 1, coalesce: true },
  ])(
    "$bad of it among $good good keys is found ($workers lanes, coalesce $coalesce)",
    async ({ bad, good, ...options }) => {
      const store = await openPoisoned(kind, options);
      const { storage, clock, recording } = store;
      mix(store, bad, good);
      await clock.advance(120_000);
      expect(goodStored(store)).toBe(good);
      await othersSucceed(store);
      const letters = storage.deadLetters();
      expect(letters.map(({ key }) => key).sort()).toEqual([...store.poison.poisoned].sort());
      for (const { attempts } of letters) expect(attempts).toBe(8);
      expect(storage.stats().queue?.waiting).toBe(0);
      expect(recording.brokenPromises).toEqual([]);
      store.poison.poisoned.clear();
      for (const letter of letters) letter.retry();
      const flushing = watched(storage.flush());
      await clock.advance(60_000);
      expect(flushing.outcome).toBe("resolved");
      expect(stored(store.backend)).toEqual(inMemory(storage));
    },
  );

  test("alone in the queue is a dead letter in the end when other keys come by now and then", async () => {
    const store = await openPoisoned(kind);
    const { storage, clock, poison } = store;
    poison.poisoned.add("bad");
    storage.set("bad", 1);
    for (let minute = 0; minute < 60; minute += 1) {
      storage.set(`good ${minute}`, minute);
      await clock.advance(60_000);
    }
    expect(goodStored(store)).toBe(60);
    expect(storage.deadLetters().map(({ key, attempts }) => [key, attempts])).toEqual([["bad", 8]]);
  });

  test("that is rewritten all the time holds up no other key", async () => {
    const store = await openPoisoned(kind, { retry: { maxAttempts: 3 } });
    const { storage, clock, poison, recording } = store;
    poison.poisoned.add("bad");
    for (let round = 0; round < 300; round += 1) {
      storage.set("bad", round);
      storage.set(`good ${round}`, round);
      await clock.advance(100);
      if (round >= 50)
        expect(store.backend.records.has(`good ${round - 50}`), `good ${round - 50}`).toBe(true);
    }
    await othersSucceed(store);
    expect(storage.deadLetters().map(({ key, version }) => [key, version])).toEqual([
      ["bad", storage.getEntry("bad")?.version],
    ]);
    expect(goodStored(store)).toBe(300);
    expect(recording.brokenPromises).toEqual([]);
  });
});

test("a flush over poison ends with the dead letters, not with its timeout, when the backoff is short", async () => {
  const store = await openPoisoned("transient", { retry: { maxAttempts: 3, backoff: 10, maxBackoff: 100 } });
  const { storage, clock } = store;
  mix(store, 5, 50);
  const flushing = watched(storage.flush());
  for (let second = 0; second < 60; second += 1) {
    storage.set("pulse", second);
    await clock.advance(1_000);
  }
  expect(flushing.outcome).toBe("LEAKDB_FLUSH_FAILED");
  expect(storage.deadLetters()).toHaveLength(5);
});

test("maxAttempts 1 makes a dead letter of the first failure that is a key's own", async () => {
  const store = await openPoisoned("transient", { retry: { maxAttempts: 1 } });
  mix(store, 3, 20);
  await othersSucceed(store);
  expect(store.storage.deadLetters().map(({ attempts }) => attempts)).toEqual([1, 1, 1]);
  expect(goodStored(store)).toBe(20);
});

test.each([1, 4, 5, 50])(
  "%i poisoned keys keep no key that is written later from the backend",
  async (bad) => {
    const store = await openPoisoned("transient");
    const { storage, clock, backend } = store;
    mix(store, bad, 10);
    await clock.advance(120_000);
    expect(goodStored(store)).toBe(10);
    storage.set("later", 1);
    await clock.advance(120_000);
    expect(backend.records.has("later")).toBe(true);
  },
);
