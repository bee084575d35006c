import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyIndex } from "./key-index.js";

const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 0x7fffffff));
const small = { shardAfter: 8, shards: 4, seed: 1 };

function filled(count: number, options = small): KeyIndex {
  const index = new KeyIndex(options);
  for (let slot = 0; slot < count; slot++) index.set(`key-${slot}`, slot);
  return index;
}

describe("KeyIndex", () => {
  it("answers undefined for a miss, and takes slot 0 and hostile keys for what they are", () => {
    for (const count of [0, 100]) {
      const index = filled(count);
      for (const key of ["__proto__", "constructor", "a\0", "a", "a\0\0", "👩‍🚀", "～", "k".repeat(3_000)]) {
        expect(index.get(key)).toBeUndefined();
        index.set(key, 0);
        expect(index.get(key)).toBe(0);
        expect(index.delete(key)).toBe(true);
        expect(index.delete(key)).toBe(false);
        expect(index.get(key)).toBeUndefined();
      }
      expect(index.size).toBe(count);
    }
  });

  it("finds every key before, while and after it is split", () => {
    const index = filled(8);
    for (let slot = 8; slot < 40; slot++) {
      index.set(`key-${slot}`, slot);
      expect(index.size).toBe(slot + 1);
      for (let known = 0; known <= slot; known++) expect(index.get(`key-${known}`)).toBe(known);
    }
  });

  it("does not bring back a key that was deleted or changed while it was being moved", () => {
    const index = new KeyIndex({ shardAfter: 100, shards: 4, seed: 1 });
    for (let slot = 0; slot < 101; slot++) index.set(`key-${slot}`, slot);
    index.delete("key-99");
    index.set("key-98", 1_000);
    index.set("key-0", 2_000);
    index.delete("key-1");
    for (let slot = 101; slot < 200; slot++) index.set(`key-${slot}`, slot);
    expect(["key-99", "key-98", "key-0", "key-1"].map((key) => index.get(key))).toEqual([
      undefined,
      1_000,
      2_000,
      undefined,
    ]);
    expect(index.size).toBe(198);
  });

  it("is full before V8's Map is, changes nothing then, and still takes keys it has", () => {
    const index = new KeyIndex({ shardAfter: 2, shards: 2, shardMax: 10, seed: 1 });
    let count = 0;
    const fill = () => {
      for (; count < 100; count++) index.set(`key-${count}`, count);
    };
    expect(fill).toThrow(expect.objectContaining({ code: "LEAKDB_TABLE_FULL" }));
    expect(count).toBeGreaterThanOrEqual(10);
    expect(index.size).toBe(count);
    expect(index.get(`key-${count}`)).toBeUndefined();
    for (let slot = 0; slot < count; slot++) index.set(`key-${slot}`, slot + 1);
    expect(index.get("key-0")).toBe(1);
    expect(index.size).toBe(count);
    for (let slot = 0; slot < count; slot++) expect(index.delete(`key-${slot}`)).toBe(true);
    index.set("again", 7);
    expect([index.size, index.get("again")]).toEqual([1, 7]);
  });

  it("is empty and small again after clear", () => {
    const index = filled(100);
    index.clear();
    expect([index.size, index.get("key-1"), index.delete("key-1")]).toEqual([0, undefined, false]);
    index.set("key-1", 5);
    expect(index.get("key-1")).toBe(5);
  });

  it("behaves as a Map, whatever is done in whatever order", () => {
    const key = fc.oneof(fc.nat(30).map(String), fc.string({ unit: "binary", maxLength: 3 }));
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.tuple(fc.constant("set"), key, fc.nat()) },
      { weight: 3, arbitrary: fc.tuple(fc.constant("delete"), key, fc.nat()) },
      { weight: 1, arbitrary: fc.tuple(fc.constant("clear"), key, fc.nat(9)) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer(), (steps, hashSeed) => {
        const index = new KeyIndex({ shardAfter: 6, shards: 4, seed: hashSeed });
        const model = new Map<string, number>();
        for (const [operation, name, slot] of steps) {
          if (operation === "set") {
            index.set(name, slot);
            model.set(name, slot);
          } else if (operation === "delete") expect(index.delete(name)).toBe(model.delete(name));
          else if (slot === 0) {
            index.clear();
            model.clear();
          }
          expect(index.size).toBe(model.size);
          expect(index.get(name)).toBe(model.get(name));
        }
        for (const [name, slot] of model) expect(index.get(name)).toBe(slot);
      }),
      { seed, numRuns: 300 },
    );
  });

  it("spreads keys that differ little over its shards", () => {
    const index = new KeyIndex({ shardAfter: 1, shards: 256, shardMax: 1_400 });
    for (let slot = 0; slot < 200_000; slot++) index.set(`user:${slot}`, slot);
    expect(index.size).toBe(200_000);
  });
});
