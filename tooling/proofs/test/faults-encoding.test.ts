/** A value that cannot be encoded is a dead letter of its own key; everything around it is stored (I10). */

import { inherits } from "node:util";
import { describe, expect, test } from "vitest";
import { openBehind, openThrough, stored } from "../src/faults/opened-store.js";
import { codeThrownBy, thrownBy, watched } from "../src/faults/watched-promise.js";

const UNENCODABLE: readonly [string, unknown][] = [
  ["a nested function", { call: () => 1 }],
  ["a nested symbol", [Symbol("s")]],
  ["a promise inside", { later: Promise.resolve(1) }],
  ["a weak map inside", { weak: new WeakMap() }],
];

describe.each(UNENCODABLE)("%s", (_name, value) => {
  test.each([1, 3])("is a dead letter, and others flow (%i lanes)", async (workers) => {
    const { storage, clock, backend, recording } = await openBehind({ workers });
    for (let index = 0; index < 10; index += 1) storage.set(`key ${index}`, index);
    storage.set("bad", value);
    for (let index = 10; index < 20; index += 1) storage.set(`key ${index}`, index);
    const flushing = watched(storage.flush());
    await clock.advance(1_000);
    expect(flushing.outcome).toBe("LEAKDB_FLUSH_FAILED");
    expect(Object.keys(stored(backend))).toHaveLength(20);
    expect(storage.deadLetters()).toMatchObject([{ key: "bad", error: { code: "LEAKDB_ENCODE_FAILED" } }]);
    expect(storage.get("bad")).toBe(value);
    expect(
      recording.batches.flat().some((mutation) => mutation.type !== "clear" && mutation.key === "bad"),
    ).toBe(false);
    storage.set("bad", "good now");
    await clock.advance(1_000);
    await storage.flush();
    expect(stored(backend)["bad"]).toBe("good now");
  });

  test("is refused at the call where values are copied, and changes nothing", async () => {
    const { storage } = await openBehind({ values: "copied" });
    storage.set("key", 1);
    const { version } = storage;
    expect(codeThrownBy(() => storage.set("key", value))).toBe("LEAKDB_ENCODE_FAILED");
    expect(codeThrownBy(() => storage.setMulti({ other: 1, key: value }))).toBe("LEAKDB_ENCODE_FAILED");
    expect(codeThrownBy(() => storage.update("key", () => value))).toBe("LEAKDB_ENCODE_FAILED");
    expect([...storage.entries()]).toEqual([["key", 1]]);
    expect(storage.version).toBe(version);
  });

  test("rejects in write-through, and changes nothing", async () => {
    const { storage, clock, backend } = await openThrough();
    await storage.set("key", 1);
    const failed = watched(storage.set("key", value));
    const neighbour = watched(storage.set("other", 2));
    await clock.advance(1_000);
    expect(failed.outcome).toBe("LEAKDB_ENCODE_FAILED");
    expect(neighbour.outcome).toBe("resolved");
    expect(storage.get("key")).toBe(1);
    expect(stored(backend)).toEqual({ key: 1, other: 2 });
  });
});

test.each([undefined, () => 1, Symbol("s")])(
  "%s is no value at the call, in every storage",
  async (value) => {
    const behind = await openBehind();
    const through = await openThrough();
    for (const run of [
      () => behind.storage.set("a", value),
      () => behind.storage.add("a", value),
      () => behind.storage.setMulti([["a", value]]),
      () => through.storage.set("a", value),
      () => through.storage.add("a", value),
      () => through.storage.setMulti([["a", value]]),
    ]) {
      expect(await thrownBy(run)).toBeInstanceOf(TypeError);
    }
    expect(behind.storage.size + through.storage.size).toBe(0);
  },
);

/** An error class as written before 2015: no real error, an instance like any other. */
function HttpError(this: { message: string; status: number }, message: string): void {
  this.message = message;
  this.status = 404;
}
inherits(HttpError as never, Error);

const REFUSED = "LEAKDB_ENCODE_FAILED";

/** What once became bytes that nobody could decode, and what it becomes now: `undefined` where it is refused. */
const ONCE_UNDECODABLE: readonly [string, () => unknown, unknown][] = [
  [
    "an instance of an ES5 error class",
    () => ({ lastError: new (HttpError as unknown as new (message: string) => object)("x") }),
    { lastError: { message: "x", status: 404 } },
  ],
  [
    "a getter that gives undefined first, then a map",
    () => {
      let reads = 0;
      return {
        get tags() {
          return reads++ === 0 ? undefined : new Map([[1, 2]]);
        },
      };
    },
    { tags: undefined },
  ],
  ["a proxy of an error", () => new Proxy(new Error("m"), {}), undefined],
  ["a revoked proxy", revokedProxy, undefined],
];

function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

describe.each(ONCE_UNDECODABLE)("%s", (_name, make, becomes) => {
  const isRefused = becomes === undefined;
  const kept = isRefused ? { good: 1 } : { bad: becomes, good: 1 };

  test("behind a queue is a dead letter or decodes, and the store opens again", async () => {
    const { storage, clock, backend } = await openBehind();
    storage.set("bad", make());
    storage.set("good", 1);
    const flushing = watched(storage.flush());
    await clock.advance(1_000);
    expect(flushing.outcome).toBe(isRefused ? "LEAKDB_FLUSH_FAILED" : "resolved");
    for (const letter of storage.deadLetters()) {
      expect(letter).toMatchObject({ key: "bad", error: { code: "LEAKDB_ENCODE_FAILED" } });
      letter.discard();
    }
    await storage.close();
    const { storage: again } = await openBehind({}, { backend, clock });
    expect(Object.fromEntries(again.entries())).toEqual(kept);
  });

  test("where values are copied is refused at the call or reads as it will after a restart", async () => {
    const { storage, clock, backend } = await openBehind({ values: "copied" });
    storage.set("good", 1);
    expect(codeThrownBy(() => storage.set("bad", make()))).toBe(isRefused ? REFUSED : "nothing");
    expect(storage.get("bad")).toEqual(becomes);
    await storage.close();
    const { storage: again } = await openBehind({ values: "copied" }, { backend, clock });
    expect(Object.fromEntries(again.entries())).toEqual(kept);
  });

  test("in write-through is refused at the call or decodes", async () => {
    const { storage, clock, backend } = await openThrough();
    await storage.set("good", 1);
    const setting = watched(storage.set("bad", make()));
    await clock.advance(1_000);
    expect(setting.outcome).toBe(isRefused ? REFUSED : "resolved");
    await storage.close();
    const { storage: again } = await openThrough({}, { backend, clock });
    expect(Object.fromEntries(again.entries())).toEqual(kept);
  });
});

test("a value longer than the backend takes is a dead letter before it is sent", async () => {
  const { storage, clock, backend, recording } = await openBehind(
    {},
    { capabilities: { maxValueBytes: 100 } },
  );
  storage.set("small", "x");
  storage.set("large", "x".repeat(200));
  await clock.advance(1_000);
  expect(stored(backend)).toEqual({ small: "x" });
  expect(storage.deadLetters()).toMatchObject([{ key: "large", error: { code: "LEAKDB_ADAPTER_REJECTED" } }]);
  expect(recording.batches.flat()).toHaveLength(1);
});

test("a key longer than the backend takes is refused at the call", async () => {
  const { storage } = await openBehind({}, { capabilities: { maxKeyBytes: 10 } });
  expect(codeThrownBy(() => storage.set("x".repeat(11), 1))).toBe("RangeError");
  expect(codeThrownBy(() => storage.get("é".repeat(6)))).toBe("RangeError");
  storage.set("x".repeat(10), 1);
  expect(storage.size).toBe(1);
});

test("a codec that throws something odd, or answers no bytes, loses nothing and stops nothing", async () => {
  const text = new TextEncoder();
  const codec = {
    name: "odd",
    encode(value: unknown): Uint8Array {
      const oddity: unknown = "a string, not an Error";
      if (value === "throws") throw oddity;
      if (value === "text") return "text" as never;
      if (value === "promise") return Promise.reject(new Error("later")) as never;
      if (value === "numbers") return new Uint16Array([1, 300]) as never;
      return text.encode(JSON.stringify(value));
    },
    decode: (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes)),
  };
  const { storage, clock, backend } = await openBehind({ codec });
  storage.setMulti({ a: 1, b: "throws", c: "text", d: "promise", e: "numbers", f: 6 });
  await clock.advance(1_000);
  expect([...backend.records.keys()].sort()).toEqual(["a", "f"]);
  const letters = storage.deadLetters().map(({ key, error }) => [key, (error as { code?: string }).code]);
  expect(letters).toEqual(["b", "c", "d", "e"].map((key) => [key, "LEAKDB_ENCODE_FAILED"]));
  expect(storage.deadLetters().map(({ error }) => error.message)).toContain(
    "the codec odd must return a Uint8Array, not a string",
  );
});
