/** What becomes of a value that changes after it was set, by value policy and storage, and what codecs make of it. */

import {
  DefaultStorage,
  jsonCodec,
  msgpackCodec,
  PersistentQueueStorage,
  PersistentStorage,
  QueueStorage,
  type ValuePolicy,
} from "@leakdb/core";
import { ManualClock, ReferenceBackend, referenceAdapter } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { openBehind, openThrough, stored } from "../src/faults/opened-store.js";
import { thrownBy } from "../src/faults/watched-promise.js";

interface Cart {
  items: number[];
}

const clock = new ManualClock();
const OPEN = [
  ["DefaultStorage", async (values: ValuePolicy) => new DefaultStorage<Cart>({ values, clock })],
  [
    "QueueStorage",
    async (values: ValuePolicy) => new QueueStorage<Cart>({ values, clock, workerProcess: () => true }),
  ],
  [
    "PersistentQueueStorage",
    (values: ValuePolicy) =>
      PersistentQueueStorage.open<Cart>({ values, clock, adapter: referenceAdapter() }),
  ],
  [
    "PersistentStorage",
    (values: ValuePolicy) => PersistentStorage.open<Cart>({ values, clock, adapter: referenceAdapter() }),
  ],
] as const;

describe.each(OPEN)("%s", (_name, open) => {
  test('"reference" gives back the very object, changes included, as Map does', async () => {
    const storage = await open("reference");
    const cart = { items: [1] };
    await storage.set("cart", cart);
    cart.items.push(2);
    expect(storage.get("cart")).toBe(cart);
    expect(storage.getMulti(["cart"]).get("cart")).toBe(cart);
    expect([...storage.values()][0]).toBe(cart);
    expect(storage.getEntry("cart")?.value).toBe(cart);
    await storage.close();
  });

  test('"copied" keeps what was set, and hands out a copy at each read', async () => {
    const storage = await open("copied");
    const cart = { items: [1] };
    await storage.set("cart", cart);
    cart.items.push(2);
    const read = storage.get("cart");
    expect(read).toEqual({ items: [1] });
    read?.items.push(3);
    expect(storage.get("cart")).toEqual({ items: [1] });
    expect(storage.get("cart")).not.toBe(storage.get("cart"));
    for (const value of storage.values()) value.items.push(4);
    for (const [, value] of storage.entries()) value.items.push(4);
    storage.getEntry("cart")?.value.items.push(5);
    storage.getMulti(["cart"]).get("cart")?.items.push(6);
    const updated = { items: [9] };
    await storage.update("cart", (value) => {
      value?.items.push(7);
      return undefined;
    });
    expect(storage.get("cart")).toEqual({ items: [1] });
    await storage.update("cart", () => updated);
    updated.items.push(8);
    expect(storage.get("cart")).toEqual({ items: [9] });
    await storage.close();
  });

  test("a namespace has a policy of its own, whichever the storage has", async () => {
    for (const values of ["reference", "copied"] as const) {
      const storage = await open(values);
      const copied = storage.namespace<Cart>("copied:", { values: "copied" });
      const shared = storage.namespace<Cart>("shared:", { values: "reference" });
      const inherited = storage.namespace<Cart>("inherited:");
      const cart = { items: [1] };
      await copied.set("a", cart);
      await shared.set("a", cart);
      await inherited.set("a", cart);
      cart.items.push(2);
      expect(copied.get("a")).toEqual({ items: [1] });
      expect(shared.get("a")).toBe(cart);
      expect(inherited.get("a")).toEqual(values === "reference" ? { items: [1, 2] } : { items: [1] });
      expect([...storage.keys()].sort()).toEqual(["copied:a", "inherited:a", "shared:a"]);
      expect([...copied.keys()]).toEqual(["a"]);
      await copied.clear();
      expect(storage.size).toBe(2);
      await storage.close();
    }
  });
});

test('write-behind "reference" stores the value as it is when its batch is cut, "copied" as it was set', async () => {
  for (const values of ["reference", "copied"] as const) {
    const { storage, clock, backend } = await openBehind<Cart>({ values });
    const cart = { items: [1] };
    storage.set("cart", cart);
    cart.items.push(2);
    await clock.advance(1_000);
    expect(stored(backend)).toEqual({ cart: { items: values === "reference" ? [1, 2] : [1] } });
  }
});

test('write-through "copied" stores and commits the value as it was at the call', async () => {
  const { storage, backend } = await openThrough<Cart>({ values: "copied" });
  const cart = { items: [1] };
  const writing = storage.set("cart", cart);
  cart.items.push(2);
  await writing;
  expect(storage.get("cart")).toEqual({ items: [1] });
  expect(stored(backend)).toEqual({ cart: { items: [1] } });
});

test("values read from the backend obey the policy as well", async () => {
  const backend = new ReferenceBackend();
  const first = await openBehind<Cart>({}, { backend });
  first.storage.set("cart", { items: [1] });
  await first.storage.close();
  const copied = await openBehind<Cart>({ values: "copied" }, { backend });
  copied.storage.get("cart")?.items.push(2);
  expect(copied.storage.get("cart")).toEqual({ items: [1] });
  await copied.storage.close();
  const shared = await openBehind<Cart>({}, { backend });
  shared.storage.get("cart")?.items.push(2);
  expect(shared.storage.get("cart")).toEqual({ items: [1, 2] });
  const view = shared.storage.namespace<Cart>("ca", { values: "copied" });
  view.get("rt")?.items.push(3);
  expect(shared.storage.get("cart")).toEqual({ items: [1, 2] });
});

test("the default codec brings back dates, maps, sets, bigints, typed arrays, buffers and circles", async () => {
  const circle: { self?: unknown } = {};
  circle.self = circle;
  const values: Record<string, unknown> = {
    date: new Date(5),
    map: new Map([[{ a: 1 }, new Set([1, "x"])]]),
    big: 2n ** 80n,
    floats: new Float64Array([1.5, -0]),
    buffer: Buffer.from("leak"),
    nested: { a: [{ b: [null, "", 0, false] }] },
    undefinedInside: { a: undefined },
    proto: JSON.parse('{"__proto__": {"polluted": true}}'),
    text: "456",
    emoji: "\u{1f600}\uff5e\0",
  };
  const { storage, backend, clock } = await openBehind();
  storage.setMulti(values);
  storage.set("circle", circle);
  await storage.close();
  const again = await openBehind({}, { backend, clock });
  for (const [name, value] of Object.entries(values)) expect(again.storage.get(name), name).toEqual(value);
  expect(Object.keys(again.storage.get("proto") as object)).toEqual(["__proto__"]);
  const loaded = again.storage.get("circle") as { self: unknown };
  expect(loaded.self).toBe(loaded);
});

describe("codecs", () => {
  test("jsonCodec keeps records readable by other tools, and refuses what JSON would alter", async () => {
    const { storage, clock, backend } = await openBehind({ codec: jsonCodec() });
    storage.set("a", { text: "é", list: [1, null, true] });
    storage.set("date", { at: new Date(0) });
    storage.set("big", { n: 1n });
    storage.set("nan", Number.NaN);
    storage.set("map", new Map());
    await clock.advance(1_000);
    expect(Buffer.from(backend.records.get("a")?.value ?? []).toString()).toBe(
      '{"text":"é","list":[1,null,true]}',
    );
    const dead = storage.deadLetters().map(({ key }) => key);
    for (const key of ["date", "big", "nan", "map"]) {
      // Altered without a word would be the one wrong answer.
      if (!dead.includes(key))
        expect(jsonCodec().decode(backend.records.get(key)?.value as Uint8Array), key).toEqual(
          storage.get(key),
        );
    }
  });

  test("a codec of one's own is used for every record, and its bytes stay as they are", async () => {
    const base = msgpackCodec();
    let encoded = 0;
    const codec = {
      name: "counting",
      encode: (value: unknown): Uint8Array => {
        encoded += 1;
        return base.encode(value);
      },
      decode: (bytes: Uint8Array): unknown => base.decode(bytes),
    };
    const { storage, clock, backend } = await openBehind<number>({ codec });
    storage.setMulti({ a: 1, b: 2 });
    await clock.advance(1_000);
    expect(encoded).toBe(2);
    expect(stored(backend)).toEqual({ a: 1, b: 2 });
  });

  test("records of another codec are LEAKDB_DECODE_FAILED naming the key, and nothing is overwritten or left open", async () => {
    const { storage, backend, clock } = await openBehind({ codec: jsonCodec() });
    storage.set("user:7", { name: "Ada" });
    await storage.close();
    const before = new Map(backend.records);
    const codec = {
      name: "strict",
      encode: () => new Uint8Array(),
      decode: () => {
        throw new Error("not mine");
      },
    };
    for (const open of [openBehind, openThrough]) {
      const error = await thrownBy(() => open({ codec }, { backend, clock }));
      expect(error).toMatchObject({ code: "LEAKDB_DECODE_FAILED", retryable: false });
      expect(error.message).toContain("user:7");
      expect(backend.owner).toBeUndefined();
      expect(backend.records).toEqual(before);
    }
  });
});
