import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { StoredRecord } from "../adapter.js";
import { compareKeys } from "../memory/key-order.js";
import { AGAIN, type CopySide, type Page } from "./copy-side.js";
import { allPairs } from "./pairs.js";

const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 0x7fffffff));

/** Few keys, those on which UTF-8 and UTF-16 disagree among them, so that the sides have some in common. */
const anyKey = fc
  .array(fc.constantFrom("a", "b", "\0", "\ue000", "\uff5e", "😀", "\u{10ffff}"), {
    minLength: 1,
    maxLength: 3,
  })
  .map((all) => all.join(""));
const anyContent = fc.record({
  keys: fc.uniqueArray(anyKey, { maxLength: 40 }),
  pageRecords: fc.integer({ min: 1, max: 7 }),
  ordered: fc.boolean(),
});

type Content = typeof anyContent extends fc.Arbitrary<infer T> ? T : never;

function recordOf(key: string, version: number): StoredRecord {
  return { key, version, value: new Uint8Array(), expiresAt: 0 };
}

/** As much of a side as pairs are made of; a scan without an order begins anew once. */
function sideOf({ keys, pageRecords, ordered }: Content, version: number): CopySide {
  const records = new Map(keys.map((key) => [key, recordOf(key, version)]));
  const inOrder = ordered ? [...keys].sort(compareKeys) : keys;
  async function* pages(): AsyncGenerator<Page | typeof AGAIN, void, undefined> {
    const all = inOrder.map((key) => records.get(key) as StoredRecord);
    if (!ordered) {
      yield all.slice(0, pageRecords);
      yield AGAIN;
    }
    for (let start = 0; start < all.length; start += pageRecords) {
      yield all.slice(start, start + pageRecords);
    }
  }
  const load = async (asked: readonly string[]) => asked.map((key) => records.get(key));
  return { adapter: { capabilities: { ordered } }, pages, load } as unknown as CopySide;
}

describe("all pairs", () => {
  it("are the keys of both sides, with the record of each side that has one", async () => {
    const property = fc.asyncProperty(anyContent, anyContent, async (from, to) => {
      const seen = new Map<string, string>();
      let count = 0;
      for await (const pairs of allPairs(sideOf(from, 1), sideOf(to, 2))) {
        if (pairs === AGAIN) continue;
        count += pairs.length;
        for (const pair of pairs) {
          const key = (pair.from ?? pair.to)?.key ?? "";
          seen.set(key, `${pair.from?.version} ${pair.to?.version}`);
        }
      }
      const union = new Set([...from.keys, ...to.keys]);
      expect(new Set(seen.keys())).toEqual(union);
      for (const [key, versions] of seen) {
        const expected = [from.keys.includes(key) ? 1 : undefined, to.keys.includes(key) ? 2 : undefined];
        expect(versions).toBe(expected.join(" ").replace(/^ /, "undefined ").replace(/ $/, " undefined"));
      }
      if (from.ordered && to.ordered) expect(count).toBe(union.size);
    });
    await fc.assert(property, { seed, numRuns: 300 });
  });
});
