/** What errors say: a stable code, what to do next, a cause, and never a value. */

import { ERROR_CODES, isLeakDBError, jsonCodec, QueueStorage } from "@leakdb/core";
import { ManualClock } from "@leakdb/testkit";
import { expect, test } from "vitest";
import { openBehind, openThrough } from "../src/faults/opened-store.js";
import { PoisonAdapter } from "../src/faults/poison-adapter.js";
import { watched } from "../src/faults/watched-promise.js";

const SECRET = "hunter2-hunter2";

/** Everything an error, its causes and their stacks would put into a log, except for what is given back on purpose. */
function logged(error: unknown, seen = new Set<unknown>()): string {
  if (!(error instanceof Error) || seen.has(error)) return "";
  seen.add(error);
  return [error.name, error.message, error.stack, logged(error.cause, seen)].join("\n");
}

async function failed(run: () => unknown): Promise<Error[]> {
  try {
    await run();
  } catch (error) {
    return [error as Error];
  }
  return [];
}

/** Everything that can go wrong around a secret value, gathered. */
async function failuresAroundSecrets(): Promise<Error[]> {
  const errors: Error[] = [];
  const poisoned = {
    wrap: (inner: ConstructorParameters<typeof PoisonAdapter>[0]) => new PoisonAdapter(inner, "transient"),
  };
  const behind = await openBehind<unknown>({ capacity: 6, retry: { maxAttempts: 2 } }, poisoned);
  behind.storage.on("retry", ({ error }) => void errors.push(error));
  behind.storage.on("fault", (error) => void errors.push(error));
  behind.storage.on("deadLetter", ({ error }) => void errors.push(error));
  behind.faulty.rejectKey("rejected");
  behind.faulty.refuseKey("refused");
  behind.faulty.script("write", "ambiguous", "transient", "plain");
  for (const key of ["a", "rejected", "refused"]) behind.storage.set(key, { [SECRET]: SECRET });
  behind.storage.set("function", { call: () => SECRET, again: SECRET });
  behind.storage.set("symbol", [SECRET, Symbol(SECRET)]);
  await behind.clock.advance(120_000);
  const { storage } = behind;
  storage.set("text", SECRET);
  for (const run of [
    () => storage.flush(),
    () => storage.incr("text"),
    () => storage.incr("a"),
    () => storage.update("text", () => Promise.resolve(SECRET)),
    () => storage.set("text", Symbol(SECRET)),
    () => storage.set("text", () => SECRET),
    () => storage.setMulti(SECRET as never),
    () => storage.cas("text", SECRET, SECRET as never),
    () => storage.incr("text", { delta: SECRET as never }),
    () => storage.namespace("n", { values: "copied" }).set("x", { f: () => SECRET, SECRET }),
  ]) {
    errors.push(...(await failed(run)));
  }
  for (let index = 0; index < 10; index += 1)
    errors.push(...(await failed(() => storage.set(`${index}`, SECRET))));
  behind.faulty.goDown();
  const closing = watched(storage.close({ timeout: 1_000 }));
  await behind.clock.advance(1_000);
  errors.push(closing.error as Error, ...(await failed(() => storage.set("a", SECRET))));

  const through = await openThrough<unknown>();
  for (const fault of ["ambiguous", "permanent", "hang"] as const) {
    through.faulty.script("write", fault);
    const writing = watched(through.storage.set("a", SECRET));
    await through.clock.advance(60_000);
    errors.push(writing.error as Error);
  }
  through.faulty.goDown();
  const writing = watched(through.storage.setMulti({ a: SECRET, b: SECRET }));
  await through.clock.advance(60_000);
  errors.push(writing.error as Error);
  through.faulty.heal();
  errors.push(...(await failed(() => through.storage.set("x", { f: () => SECRET, again: SECRET }))));

  const clock = new ManualClock();
  const queue = new QueueStorage<unknown>({
    clock,
    retry: { maxAttempts: 1 },
    workerProcess: () => SECRET as never,
  });
  queue.on("deadLetter", ({ error }) => void errors.push(error));
  queue.set("a", SECRET);
  await clock.advance(1_000);

  const json = await openBehind<unknown>({ codec: jsonCodec() });
  json.storage.set("a", { f: () => SECRET, n: 1n, s: SECRET });
  json.storage.on("deadLetter", ({ error }) => void errors.push(error));
  await json.clock.advance(1_000);
  json.storage.deadLetters()[0]?.discard();
  json.storage.set("a", SECRET);
  await json.storage.close();
  const bytes = json.backend.records.get("a");
  if (bytes !== undefined)
    json.backend.put({ ...bytes, value: Buffer.from(`{"${SECRET}": nonsense ${SECRET}`) });
  errors.push(...(await failed(() => openBehind({ codec: jsonCodec() }, { backend: json.backend }))));
  if (bytes !== undefined)
    json.backend.put({ ...bytes, value: Buffer.from([0xd9, 0xff, ...Buffer.from(SECRET)]) });
  errors.push(...(await failed(() => openBehind({}, { backend: json.backend }))));
  return errors;
}

test("no message, cause or stack carries a value", async () => {
  const errors = await failuresAroundSecrets();
  const codes = new Set(errors.map((error) => (error as { code?: string }).code));
  for (const code of [
    "LEAKDB_QUEUE_FULL",
    "LEAKDB_FLUSH_FAILED",
    "LEAKDB_ENCODE_FAILED",
    "LEAKDB_DECODE_FAILED",
  ]) {
    expect(codes).toContain(code);
  }
  for (const code of ["LEAKDB_CLOSE_INCOMPLETE", "LEAKDB_PERHAPS_APPLIED", "LEAKDB_ADAPTER_REJECTED"]) {
    expect(codes).toContain(code);
  }
  expect(errors.length).toBeGreaterThan(25);
  for (const error of errors) {
    // The lines of a stack name this file, never what it passed around.
    const text = logged(error);
    expect.soft(text.includes(SECRET), text.slice(0, 500)).toBe(false);
  }
});

test("operational errors have a known code, say whether a retry helps, and are told apart by code alone", async () => {
  for (const error of await failuresAroundSecrets()) {
    if ((error as { code?: string }).code?.startsWith("LEAKDB_") && error.name === "LeakDBError") {
      expect(isLeakDBError(error)).toBe(true);
      expect(ERROR_CODES).toContain((error as { code?: string }).code);
      expect(error.message.length).toBeGreaterThan(30);
    } else {
      expect(isLeakDBError(error)).toBe(false);
    }
  }
});

test("messages say what to do next", async () => {
  const { storage, clock, faulty } = await openBehind<unknown>({ capacity: 1 });
  faulty.rejectKey("bad");
  storage.set("bad", 1);
  const flushing = watched(storage.flush());
  await clock.advance(1_000);
  expect((flushing.error as Error).message).toMatch(/retry or discard/);
  expect((await failed(() => storage.set("b", 1)))[0]?.message).toMatch(/drained\(\)/);
  expect((await failed(() => storage.set("bad", undefined)))[0]?.message).toMatch(/delete/);
  expect((await failed(() => storage.get("\ud800")))[0]?.message).toMatch(/toWellFormed/);
  const closing = watched(storage.close());
  await clock.advance(60_000);
  expect((closing.error as Error).message).toMatch(/unwritten/);
  expect((await failed(() => storage.get("a")))[0]?.message).toMatch(/open it again/);
});
