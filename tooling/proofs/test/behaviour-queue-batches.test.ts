/** The batch form of `QueueStorage`: true takes all, an array says so for each, anything else is a failed attempt. */

import { type QueueItem, QueueStorage, type QueueStorageOptions } from "@leakdb/core";
import { ManualClock } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { watched } from "../src/faults/watched-promise.js";

const HOUR_MS = 3_600_000;

function batched(
  answer: (items: readonly QueueItem<unknown>[]) => unknown,
  options: QueueStorageOptions = {},
) {
  const clock = new ManualClock();
  const batches: string[][] = [];
  const storage = new QueueStorage<unknown>({
    clock,
    workerProcessBatch: (items) => {
      batches.push(items.map(({ key, value }) => `${key}=${String(value)}`));
      return answer(items) as boolean;
    },
    ...options,
  });
  return { clock, storage, batches };
}

test("true takes the whole batch, in which no key stands twice", async () => {
  const { clock, storage, batches } = batched(() => true);
  storage.setMulti({ a: 1, b: 1 });
  storage.set("a", 2);
  storage.set("c", 1);
  await clock.advance(1_000);
  expect(batches).toEqual([
    ["a=1", "b=1"],
    ["a=2", "c=1"],
  ]);
  expect(storage.stats().queue).toMatchObject({ waiting: 0, batches: 2, stored: 4 });
});

test("an array says for each item whether it is done; the others come again, before newer ones of their keys", async () => {
  let round = 0;
  const { clock, storage, batches } = batched((items) => {
    round += 1;
    return items.map(({ key }) => round > 1 || key !== "b");
  });
  storage.setMulti({ a: 1, b: 1, c: 1 });
  await clock.advance(100);
  storage.set("b", 2);
  await clock.advance(10_000);
  expect(batches[0]).toEqual(["a=1", "b=1", "c=1"]);
  expect(batches.slice(1).flat()).toEqual(["b=1", "b=2"]);
  expect(storage.stats().queue?.waiting).toBe(0);
});

test("a promise of an array does as well, and an array of the wrong length is a failed attempt, not a guess", async () => {
  let isWrong = true;
  const { clock, storage, batches } = batched(async (items) => (isWrong ? [] : items.map(() => true)));
  storage.setMulti({ a: 1, b: 1 });
  await clock.advance(1_000);
  expect(storage.stats().queue?.waiting).toBe(2);
  isWrong = false;
  await clock.advance(HOUR_MS);
  expect(storage.stats().queue?.waiting).toBe(0);
  expect(new Set(batches.flat())).toEqual(new Set(["a=1", "b=1"]));
});

describe.each([
  ["false", () => false],
  [
    "a throw",
    () => {
      throw new Error("worker trouble");
    },
  ],
  ["a forgotten return", () => undefined],
  ["a rejection", () => Promise.reject(new Error("worker trouble"))],
])("%s for a batch with one bad item", (_name, answer) => {
  test("finds the item by halving; it becomes a dead letter and the others are done", async () => {
    const done = new Set<string>();
    const { clock, storage } = batched(
      (items) => {
        if (items.some(({ key }) => key === "bad")) return answer();
        for (const { key } of items) done.add(key);
        return true;
      },
      { retry: { maxAttempts: 3, backoff: 10, maxBackoff: 100 } },
    );
    for (let index = 0; index < 20; index += 1) storage.set(index === 7 ? "bad" : `key ${index}`, index);
    await clock.advance(10_000);
    expect(done.size).toBe(19);
    for (let round = 0; round < 20; round += 1) {
      storage.set("pulse", round);
      await clock.advance(10_000);
    }
    expect(storage.deadLetters().map(({ key, attempts }) => [key, attempts])).toEqual([["bad", 3]]);
  });
});

test("attempts stay with their item and are not charged to the batch around it", async () => {
  const attempts = new Map<string, number[]>();
  const clock = new ManualClock();
  const storage = new QueueStorage<number>({
    clock,
    retry: { maxAttempts: 3, backoff: 10 },
    workerProcessBatch: (items, { attempt }) => {
      for (const { key } of items) attempts.set(key, [...(attempts.get(key) ?? []), attempt]);
      return items.map(({ key }) => key !== "bad");
    },
  });
  for (let round = 0; round < 5; round += 1) {
    storage.set(`good ${round}`, round);
    if (round === 0) storage.set("bad", 1);
    await clock.advance(1_000);
  }
  expect(attempts.get("bad")).toEqual([1, 2, 3]);
  expect(storage.deadLetters().map(({ key }) => key)).toEqual(["bad"]);
  for (let round = 0; round < 5; round += 1) expect(attempts.get(`good ${round}`)).toEqual([1]);
});

test("batchMax bounds a batch, and both forms together use the batch form", async () => {
  const { clock, storage, batches } = batched(() => true, {
    batchMax: 4,
    workerProcess: () => {
      throw new Error("not to be called");
    },
  });
  for (let index = 0; index < 10; index += 1) storage.set(`key ${index}`, index);
  await clock.advance(1_000);
  expect(batches.map((batch) => batch.length)).toEqual([4, 4, 2]);
});

test("an override of workerProcessBatch works as the option does", async () => {
  class Sender extends QueueStorage<number> {
    readonly sizes: number[] = [];
    override workerProcessBatch(items: readonly QueueItem<number>[]): boolean[] {
      this.sizes.push(items.length);
      return items.map(() => true);
    }
  }
  const clock = new ManualClock();
  const sender = new Sender({ clock });
  sender.setMulti({ a: 1, b: 2 });
  const flushing = watched(sender.flush());
  await clock.settle();
  expect(flushing.outcome).toBe("resolved");
  expect(sender.sizes).toEqual([2]);
});
