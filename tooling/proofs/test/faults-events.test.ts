/** A background failure is an event and a counter (I10), and no listener can disturb the storage. */

import { describe, expect, test } from "vitest";
import { openBehind, openThrough, stored } from "../src/faults/opened-store.js";
import { PoisonAdapter } from "../src/faults/poison-adapter.js";
import { watched } from "../src/faults/watched-promise.js";

describe("the events of a write-behind storage", () => {
  test("retry says what failed, how much of it and when it is tried again", async () => {
    const { storage, clock, faulty, events } = await openBehind({ retry: { backoff: 50, maxBackoff: 400 } });
    faulty.goDown();
    storage.setMulti({ a: 1, b: 2 });
    await clock.advance(10_000);
    const retries = events.of("retry");
    expect(retries.length).toBeGreaterThan(5);
    for (const { error, items, delayMs } of retries) {
      expect(error.message).toContain("is down");
      expect(items).toBeGreaterThanOrEqual(1);
      expect(items).toBeLessThanOrEqual(2);
      expect(delayMs).toBeGreaterThanOrEqual(25);
      expect(delayMs).toBeLessThanOrEqual(400);
    }
    expect(retries.at(-1)?.delayMs).toBeGreaterThanOrEqual(200);
    expect(storage.stats().queue?.retries).toBe(retries.length);
  });

  test("deadLetter carries the letter, which can be answered there and then", async () => {
    const { storage, clock, faulty, backend } = await openBehind();
    faulty.rejectKey("bad");
    storage.on("deadLetter", (letter) => {
      faulty.acceptKey(letter.key);
      letter.retry();
    });
    storage.set("bad", 1);
    await clock.advance(1_000);
    expect(stored(backend)).toEqual({ bad: 1 });
    expect(storage.deadLetters()).toEqual([]);
  });

  test("a letter that is discarded there and then covers no flush any more", async () => {
    const { storage, clock, faulty } = await openBehind();
    faulty.rejectKey("bad");
    storage.on("deadLetter", (letter) => void letter.discard());
    storage.set("bad", 1);
    const flushing = watched(storage.flush());
    await clock.advance(1_000);
    expect(flushing.outcome).toBe("resolved");
  });

  test("the letter's date is when the mutation was made, not when it was sent", async () => {
    const { storage, clock, faulty } = await openBehind({ writeDelay: 60_000 });
    faulty.rejectKey("bad");
    const madeMs = clock.now();
    storage.set("bad", 1);
    await clock.advance(61_000);
    expect(storage.deadLetters()[0]?.date).toEqual(new Date(madeMs));
  });

  test("fault tells of a lost reply, a failed reopening and what the adapter reports by itself", async () => {
    const { storage, clock, faulty, events, backend } = await openBehind();
    faulty.script("write", "ambiguous-after");
    faulty.script("open", "transient");
    storage.set("a", 1);
    await clock.advance(60_000);
    const messages = events.of("fault").map(({ message }) => message);
    expect(messages.some((message) => message.includes("lost the reply"))).toBe(true);
    expect(messages.some((message) => message.includes("(open)"))).toBe(true);
    expect(stored(backend)).toEqual({ a: 1 });
    await storage.close();
  });

  test("fault tells of an answer that came too late", async () => {
    const { storage, clock, faulty, events } = await openBehind({ writeTimeout: 1_000 });
    faulty.script("write", "late-answer");
    storage.set("a", 1);
    await clock.advance(60_000);
    expect(events.of("fault").map((error) => (error as { code?: string }).code)).toContain("LEAKDB_TIMEOUT");
    expect(storage.deadLetters()).toEqual([]);
    await storage.flush();
  });

  test("flush fires when nothing waits any more, with the version it reaches", async () => {
    const { storage, clock, events } = await openBehind();
    storage.set("a", 1);
    const version = storage.set("b", 1);
    await clock.advance(50);
    expect(events.of("flush")).toEqual([]);
    await clock.advance(1_000);
    expect(events.of("flush")).toEqual([{ version }]);
    const last = storage.delete("a") ? storage.version : 0;
    await clock.advance(1_000);
    expect(events.of("flush")).toEqual([{ version }, { version: last }]);
  });

  test("flush fires as well when what is left is a dead letter", async () => {
    const { storage, clock, faulty, events } = await openBehind();
    faulty.rejectKey("bad");
    const version = storage.set("bad", 1);
    await clock.advance(1_000);
    expect(events.names).toEqual(["deadLetter", "flush"]);
    expect(events.of("flush")).toEqual([{ version }]);
  });

  test("close fires once, after everything else", async () => {
    const { storage, events } = await openBehind();
    storage.set("a", 1);
    await storage.close();
    await storage.close();
    expect(events.names.at(-1)).toBe("close");
    expect(events.of("close")).toHaveLength(1);
  });

  test("on, once and off do as an EventEmitter's, and return the storage", async () => {
    const { storage, clock } = await openBehind();
    const heard: string[] = [];
    const off = (): void => void heard.push("off");
    expect(storage.on("flush", off)).toBe(storage);
    expect(storage.once("flush", () => void heard.push("once"))).toBe(storage);
    expect(storage.off("flush", off)).toBe(storage);
    for (let round = 0; round < 2; round += 1) {
      storage.set("a", round);
      await clock.advance(1_000);
    }
    expect(heard).toEqual(["once"]);
  });
});

/** Collects what is thrown as uncaught while `run` goes on, instead of letting it fail the process. */
async function uncaughtDuring(run: () => Promise<void>): Promise<unknown[]> {
  const uncaught: unknown[] = [];
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  const collect = (error: unknown): void => void uncaught.push(error);
  process.on("uncaughtException", collect);
  try {
    await run();
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.off("uncaughtException", collect);
    for (const listener of others) process.on("uncaughtException", listener);
  }
  return uncaught;
}

test("a listener that throws disturbs nothing, and its error is uncaught rather than swallowed", async () => {
  const { storage, clock, faulty, backend } = await openBehind({ highWaterMark: 1 });
  const mistake = new Error("a mistake of the listener");
  for (const name of ["drain", "flush", "retry", "deadLetter", "fault", "close"] as const) {
    storage.on(name, () => {
      throw mistake;
    });
  }
  faulty.rejectKey("bad");
  faulty.script("write", "transient", "ambiguous");
  const uncaught = await uncaughtDuring(async () => {
    storage.setMulti({ a: 1, b: 2, bad: 3 });
    await clock.advance(60_000);
    expect(stored(backend)).toEqual({ a: 1, b: 2 });
    expect(storage.deadLetters()).toHaveLength(1);
    storage.deadLetters()[0]?.discard();
    await storage.close();
  });
  expect(uncaught.length).toBeGreaterThanOrEqual(6);
  expect(new Set(uncaught)).toEqual(new Set([mistake]));
  expect(backend.owner).toBeUndefined();
});

test("a listener that writes, flushes or closes is no trouble", async () => {
  const { storage, clock, backend } = await openBehind<number>();
  let rounds = 0;
  storage.on("flush", () => {
    rounds += 1;
    if (rounds < 5) storage.incr("counter");
    else void watched(storage.close());
  });
  storage.set("counter", 0);
  await clock.advance(5_000);
  expect(stored(backend)).toEqual({ counter: 4 });
  expect(backend.owner).toBeUndefined();
});

test("an exception thrown by a listener leaves the other listeners of the event alone", async () => {
  const { storage } = await openBehind();
  let heard = 0;
  storage.on("close", () => {
    throw new Error("a mistake of the listener");
  });
  storage.on("close", () => {
    heard += 1;
  });
  const uncaught = await uncaughtDuring(() => storage.close());
  expect(uncaught).toHaveLength(1);
  expect(heard).toBe(1);
});

test("write-through tells of retries and faults as well", async () => {
  let poison: PoisonAdapter | undefined;
  const wrap = (inner: ConstructorParameters<typeof PoisonAdapter>[0]): PoisonAdapter => {
    poison = new PoisonAdapter(inner, "transient");
    return poison;
  };
  const { storage, clock, faulty, events } = await openThrough({}, { wrap });
  faulty.script("write", "transient", "ambiguous");
  const writing = watched(storage.set("a", 1));
  await clock.advance(60_000);
  expect(writing.outcome).toBe("LEAKDB_PERHAPS_APPLIED");
  expect(events.of("retry")).toHaveLength(1);
  expect(events.of("fault").length).toBeGreaterThanOrEqual(1);
  expect(poison?.refusals).toBe(0);
});
