import { expect, test } from "vitest";
import { closedLoop, nextKey } from "../src/closed-loop.js";
import type { AckContestant } from "../src/contestants/acks/ack-contestant.js";
import { type BenchValue, keysOf, valuesOf } from "../src/records.js";

test.each([
  [1, 5],
  [3, 10],
  [10, 10],
])("%i writers share %i keys out, and each comes around to all of its own", (writers, count) => {
  const owners = new Map<number, number>();
  for (let writer = 0; writer < writers; writer += 1) {
    let key = writer;
    do {
      expect(owners.get(key)).toBeUndefined();
      owners.set(key, writer);
      key = nextKey(key, writers, count);
    } while (key !== writer);
  }
  expect(owners.size).toBe(count);
});

class Memory implements AckContestant {
  readonly map = new Map<string, BenchValue>();
  underWay = 0;
  underWayMost = 0;

  async write(key: string, value: BenchValue): Promise<void> {
    this.underWay += 1;
    this.underWayMost = Math.max(this.underWayMost, this.underWay);
    await new Promise((resolve) => setImmediate(resolve));
    this.map.set(key, value);
    this.underWay -= 1;
  }

  async readBack(): Promise<ReadonlyMap<string, BenchValue>> {
    return this.map;
  }
}

const PLAN = { keys: keysOf(10), values: valuesOf(7), warmUpMs: 0, measuredMs: 20 };

test("a writer has one write under way, and the last acknowledged value of each key is known", async () => {
  const memory = new Memory();
  const result = await closedLoop(memory, { ...PLAN, writers: 4 });
  expect(memory.underWayMost).toBe(4);
  expect(memory.underWay).toBe(0);
  const last = PLAN.keys.map((key) => memory.map.get(key)?.id ?? -1);
  expect([...result.acknowledged]).toEqual(last);
  expect(result.rate).toBeGreaterThan(0);
  expect(result.p50Ms).toBeLessThanOrEqual(result.p99Ms);
  expect(result.p99Ms).toBeLessThanOrEqual(result.p999Ms);
});

test("more writers than keys are refused: two would write one key", async () => {
  await expect(closedLoop(new Memory(), { ...PLAN, writers: 11 })).rejects.toThrow(RangeError);
});
