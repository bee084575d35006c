import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { ManualClock } from "./manual-clock.js";

describe("ManualClock", () => {
  test("fires timers in the order of their due times, those due together in the order they were made", async () => {
    const clock = new ManualClock(1_000);
    const fired: string[] = [];
    clock.setTimeout(() => fired.push(`b ${clock.now()}`), 20);
    clock.setTimeout(() => fired.push(`a ${clock.now()}`), 10);
    clock.setTimeout(() => fired.push(`c ${clock.now()}`), 20);
    clock.setTimeout(() => fired.push("too late"), 31);
    await clock.advance(30);
    assert.deepEqual(fired, ["a 1010", "b 1020", "c 1020"]);
    assert.equal(clock.now(), 1_030);
    assert.equal(clock.pendingTimers, 1);
    assert.equal(clock.nextTimerInMs, 1);
  });

  test("a cleared timer never fires", async () => {
    const clock = new ManualClock();
    const handle = clock.setTimeout(() => assert.fail("fired"), 5);
    clock.clearTimeout(handle);
    clock.clearTimeout(undefined);
    await clock.advance(10);
    assert.equal(clock.pendingTimers, 0);
  });

  test("an async loop that sleeps three times within the advance wakes three times", async () => {
    const clock = new ManualClock(0);
    const woken: number[] = [];
    const loop = async () => {
      for (let round = 0; round < 3; round += 1) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        await new Promise<void>((resolve) => void clock.setTimeout(resolve, 100));
        woken.push(clock.now());
      }
    };
    const done = loop();
    await clock.advance(300);
    await done;
    assert.deepEqual(woken, [100, 200, 300]);
  });

  test("a step of the wall clock fires nothing and delays nothing", async () => {
    const clock = new ManualClock(1_000_000);
    let firedAt = 0;
    clock.setTimeout(() => {
      firedAt = clock.now();
    }, 50);
    clock.set(5_000_000);
    await clock.settle();
    assert.equal(firedAt, 0);
    clock.set(1_000);
    await clock.advance(50);
    assert.equal(firedAt, 1_050);
  });

  test("advanceToNextTimer goes from timer to timer and says when none is left", async () => {
    const clock = new ManualClock(0);
    clock.setTimeout(() => {}, 7);
    clock.setTimeout(() => {}, Number.POSITIVE_INFINITY);
    assert.equal(await clock.advanceToNextTimer(), true);
    assert.equal(clock.now(), 7);
    assert.equal(await clock.advanceToNextTimer(), false);
  });

  test("two advances at once, and a time that runs backwards, are refused", async () => {
    const clock = new ManualClock();
    const first = clock.advance(1);
    await assert.rejects(clock.advance(1), /being advanced/);
    await first;
    await assert.rejects(clock.advance(-1), RangeError);
  });

  test("what a callback throws reaches the test, and the clock goes on after it", async () => {
    const clock = new ManualClock(0);
    clock.setTimeout(() => {
      throw new Error("broken");
    }, 1);
    await assert.rejects(clock.advance(5), /broken/);
    await clock.advance(4);
    assert.equal(clock.now(), 5);
  });
});
