import { expect, test } from "vitest";
import type { Clock } from "../clock.js";
import { LeakDBError } from "../errors.js";
import { Crowd } from "./crowd.js";

/** A clock that stands still, and whose one timer is fired by hand. */
class StillClock implements Clock {
  nowMs = 1_000;
  timers = new Map<number, () => void>();
  #next = 0;

  now(): number {
    return this.nowMs;
  }

  setTimeout(callback: () => void): number {
    this.#next += 1;
    this.timers.set(this.#next, callback);
    return this.#next;
  }

  clearTimeout(handle: unknown): void {
    this.timers.delete(handle as number);
  }

  fire(): void {
    for (const callback of [...this.timers.values()]) callback();
  }
}

const clock = new StillClock();
const options = { clock, timeoutMs: 50, timeoutError: () => new LeakDBError("LEAKDB_TIMEOUT", "too late") };

function outcomes(promises: readonly Promise<void>[]): Promise<string[]> {
  return Promise.all(
    promises.map((promise) =>
      promise.then(
        () => "in time",
        ({ code }) => code,
      ),
    ),
  );
}

test("lets those go whose version is reached, and each by what concerns it", async () => {
  const crowd = new Crowd(options);
  const waiting = [1, 2, 2, 5].map((version) => crowd.join(version));
  crowd.release(3, (version) => (version === 2 ? new LeakDBError("LEAKDB_FLUSH_FAILED", "no") : undefined));
  expect(crowd.isEmpty).toBe(false);
  crowd.release(5, () => undefined);
  expect(await outcomes(waiting)).toEqual([
    "in time",
    "LEAKDB_FLUSH_FAILED",
    "LEAKDB_FLUSH_FAILED",
    "in time",
  ]);
  expect(crowd.isEmpty).toBe(true);
  expect(clock.timers.size).toBe(0);
});

test("one timer ends the waiting of all who are left", async () => {
  const crowd = new Crowd(options);
  const waiting = [1, 2, 3].map((version) => crowd.join(version));
  expect(clock.timers.size).toBe(1);
  crowd.release(1, () => undefined);
  clock.fire();
  expect(await outcomes(waiting)).toEqual(["in time", "LEAKDB_TIMEOUT", "LEAKDB_TIMEOUT"]);
  crowd.release(3, () => undefined);
  expect(clock.timers.size).toBe(0);
});

test("takes only who comes in the same millisecond, with the same patience, and no older version", () => {
  const crowd = new Crowd(options);
  const waiting = crowd.join(4);
  expect(crowd.takes(4, options)).toBe(true);
  expect(crowd.takes(3, options)).toBe(false);
  expect(crowd.takes(5, { ...options })).toBe(false);
  clock.nowMs += 1;
  expect(crowd.takes(5, options)).toBe(false);
  crowd.release(4, () => undefined);
  expect(crowd.takes(5, options)).toBe(false);
  return waiting;
});

test("without a deadline there is no timer", () => {
  const crowd = new Crowd({ ...options, timeoutMs: Infinity });
  const waiting = crowd.join(1);
  expect(clock.timers.size).toBe(0);
  crowd.release(1, () => undefined);
  return waiting;
});
