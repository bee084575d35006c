import fc from "fast-check";
import { expect, test } from "vitest";
import type { Waiter } from "./waiter.js";
import { WaiterLine } from "./waiter-line.js";

function waiterOf(version: number): Waiter {
  const promise = Promise.resolve();
  const wait = { promise, resolve: () => undefined, reject: () => undefined };
  return { asked: version, version, key: undefined, synced: false, wait, isQueued: false, hasEnded: false };
}

test("gives waiters by version, whatever order they came in", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 100 }), (versions) => {
      const line = new WaiterLine();
      for (const version of versions) line.push(waiterOf(version));
      const taken: number[] = [];
      for (let waiter = line.take(Infinity); waiter !== undefined; waiter = line.take(Infinity))
        taken.push(waiter.version);
      expect(taken).toEqual(versions.toSorted((a, b) => a - b));
      expect(line.isEmpty).toBe(true);
    }),
  );
});

test("takes nobody beyond the version, and tells that one stands no more", () => {
  const line = new WaiterLine();
  const [first, second] = [waiterOf(3), waiterOf(5)];
  line.push(first);
  line.push(second);
  expect(line.take(2)).toBeUndefined();
  expect(line.take(4)).toBe(first);
  expect([first.isQueued, second.isQueued]).toEqual([false, true]);
  expect(line.all()).toEqual([second]);
});

test("forgets those that gave up once they are the greater part, and keeps the others in order", () => {
  const line = new WaiterLine();
  const waiters = Array.from({ length: 6_000 }, (_, index) =>
    waiterOf(index % 2 === 0 ? index : 6_000 - index),
  );
  for (const waiter of waiters) line.push(waiter);
  const staying = waiters.filter((_, index) => index % 3 === 0);
  for (const waiter of waiters) {
    if (staying.includes(waiter)) continue;
    waiter.hasEnded = true;
    line.ended();
  }
  expect(line.all().length).toBeLessThan(waiters.length);
  const versions: number[] = [];
  for (let waiter = line.take(Infinity); waiter !== undefined; waiter = line.take(Infinity))
    if (!waiter.hasEnded) versions.push(waiter.version);
  expect(versions).toEqual(staying.map(({ version }) => version).sort((a, b) => a - b));
});
