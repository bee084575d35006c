import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareKeys, type KeyRange, OrderedKeys, prefixEnd } from "./ordered-keys.js";

const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 0x7fffffff));
const runs = { seed, numRuns: 400 };

/** Few different keys, so that bounds hit them; the ones on which UTF-8 and UTF-16 disagree among them. */
const character = fc.constantFrom(
  "a",
  "b",
  "\0",
  "é",
  "\ud7ff",
  "\ue000",
  "～",
  "👩",
  "\u{10000}",
  "\u{10ffff}",
);
const anyKey = fc.oneof(
  fc.array(character, { minLength: 1, maxLength: 4 }).map((all) => all.join("")),
  fc.string({ unit: "binary", minLength: 1, maxLength: 4 }),
);
const anyRange = fc.record<KeyRange>(
  { prefix: anyKey, gt: anyKey, gte: anyKey, lt: anyKey, lte: anyKey, reverse: fc.boolean() },
  { requiredKeys: [] },
);

function byUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function expected(keys: Iterable<string>, { prefix, gt, gte, lt, lte, reverse }: KeyRange): string[] {
  const found = [...keys]
    .filter((key) => prefix === undefined || key.startsWith(prefix))
    .filter((key) => gt === undefined || byUtf8(key, gt) > 0)
    .filter((key) => gte === undefined || byUtf8(key, gte) >= 0)
    .filter((key) => lt === undefined || byUtf8(key, lt) < 0)
    .filter((key) => lte === undefined || byUtf8(key, lte) <= 0)
    .sort(byUtf8);
  return reverse === true ? found.reverse() : found;
}

const numbered = (count: number) =>
  Array.from({ length: count }, (_, index) => String(index).padStart(6, "0"));

describe("compareKeys", () => {
  it("orders as the UTF-8 bytes do", () => {
    fc.assert(
      fc.property(anyKey, anyKey, (a, b) => {
        expect(Math.sign(compareKeys(a, b))).toBe(byUtf8(a, b));
      }),
      { ...runs, numRuns: 2_000 },
    );
    expect(compareKeys("～", "👩")).toBeLessThan(0);
    expect("～" < "👩").toBe(false);
  });
});

describe("prefixEnd", () => {
  it("is the least bound above all keys with the prefix", () => {
    fc.assert(
      fc.property(anyKey, anyKey, anyKey, (prefix, rest, other) => {
        const end = prefixEnd(prefix);
        if (end === undefined) {
          expect(prefix).toMatch(/^\u{10ffff}*$/u);
          return;
        }
        expect(end.isWellFormed()).toBe(true);
        expect(byUtf8(prefix + rest, end)).toBe(-1);
        const isWithin = byUtf8(other, prefix) >= 0 && byUtf8(other, end) < 0;
        expect(isWithin).toBe(other.startsWith(prefix));
      }),
      runs,
    );
    expect([
      prefixEnd("a"),
      prefixEnd("\ud7ff"),
      prefixEnd("a\u{10ffff}"),
      prefixEnd("\u{10ffff}"),
      prefixEnd(""),
    ]).toEqual(["b", "\ue000", "b", undefined, undefined]);
  });
});

describe("OrderedKeys", () => {
  it("walks any range in order, both ways, bulk-built or grown key by key", () => {
    fc.assert(
      fc.property(fc.array(anyKey), fc.array(anyKey), anyRange, (built, added, range) => {
        const keys = new OrderedKeys(built);
        const model = new Set(built);
        for (const key of added) {
          expect(keys.add(key)).toBe(!model.has(key));
          model.add(key);
        }
        expect(keys.size).toBe(model.size);
        expect([...keys.range(range)]).toEqual(expected(model, range));
      }),
      runs,
    );
  });

  it("stays sorted through splits and joins of blocks, as a Set would be", () => {
    fc.assert(
      fc.property(fc.integer(), fc.boolean(), fc.nat(3_000), (start, isPlain, built) => {
        let state = start | 0;
        const random = (below: number) => {
          state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
          return (state >>> 8) % below;
        };
        const name = (number: number) => `${isPlain ? "k" : "👩"}${number}`;
        const first = Array.from({ length: built }, (_, index) => name(index));
        const keys = new OrderedKeys(first);
        const model = new Set(first);
        for (let step = 0; step < 6_000; step++) {
          const key = name(random(4_000));
          // Grows, then shrinks to little, then grows.
          const adds = step < 2_000 || step > 5_500 ? 3 : 0;
          if (random(4) < adds) expect(keys.add(key)).toBe(!model.has(key) && Boolean(model.add(key)));
          else expect(keys.delete(key)).toBe(model.delete(key));
        }
        expect(keys.size).toBe(model.size);
        expect([...keys.range()]).toEqual([...model].sort(byUtf8));
        for (const key of [...model]) expect(keys.delete(key)).toBe(true);
        expect([keys.size, [...keys.range()]]).toEqual([0, []]);
        expect(keys.add("again")).toBe(true);
        expect([...keys.range({ reverse: true })]).toEqual(["again"]);
      }),
      { seed, numRuns: 12 },
    );
  });

  it("visits each key that stays exactly once while others come and go", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(anyKey, { minLength: 1 }),
        fc.array(fc.tuple(fc.boolean(), anyKey), { maxLength: 60 }),
        anyRange,
        (start, changes, range) => {
          const keys = new OrderedKeys(start);
          const touched = new Set(changes.map(([, key]) => key));
          const steady = start.filter((key) => !touched.has(key));
          const visited: string[] = [];
          let next = 0;
          for (const key of keys.range(range)) {
            visited.push(key);
            for (const [isAdd, changed] of changes.slice(next, next + 3)) {
              if (isAdd) keys.add(changed);
              else keys.delete(changed);
            }
            next += 3;
          }
          expect(visited).toEqual(expected(new Set(visited), range));
          expect(visited.filter((key) => !touched.has(key))).toEqual(expected(steady, range));
        },
      ),
      runs,
    );
  });

  it("may be emptied by deleting each key as it is visited, both ways", () => {
    for (const reverse of [false, true]) {
      const keys = new OrderedKeys(numbered(3_000));
      let count = 0;
      for (const key of keys.range({ reverse })) {
        expect(keys.delete(key)).toBe(true);
        count++;
      }
      expect([count, keys.size]).toEqual([3_000, 0]);
    }
  });

  it("ends a walk when it is cleared, and goes on with keys added ahead", () => {
    const keys = new OrderedKeys(["a", "b", "c"]);
    const walk = keys.range();
    expect(walk.next().value).toBe("a");
    keys.clear();
    keys.add("z");
    expect([...walk]).toEqual(["z"]);
    expect(walk.next()).toEqual({ done: true, value: undefined });
  });

  it("reads its range when the walk begins, and stops for good when left", () => {
    const keys = new OrderedKeys(numbered(10));
    const walk = keys.range({ gte: "000004" });
    keys.add("000004a");
    for (const key of walk) {
      expect(key).toBe("000004");
      break;
    }
    expect(walk.next().done).toBe(true);
  });

  it("counts a key that is given twice once", () => {
    const keys = new OrderedKeys(["b", "a", "b", "a"]);
    expect([keys.size, [...keys.range()], keys.add("a")]).toEqual([2, ["a", "b"], false]);
  });

  it("has nothing in ranges that contradict themselves", () => {
    const keys = new OrderedKeys(numbered(2_000));
    for (const reverse of [false, true]) {
      expect([...keys.range({ gt: "001000", lt: "000500", reverse })]).toEqual([]);
      expect([...keys.range({ gt: "001000", lte: "001000", reverse })]).toEqual([]);
      expect([...keys.range({ prefix: "0001", gte: "0002", reverse })]).toEqual([]);
    }
  });
});
