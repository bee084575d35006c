import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { endOfPrefix } from "./key-range.js";

const compare = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

describe("the end of a prefix", () => {
  it("is above every key with the prefix and not above any other greater key", () => {
    const text = fc.string({ unit: "binary", maxLength: 4 });
    fc.assert(
      fc.property(text, text, text, (prefix, rest, other) => {
        const end = endOfPrefix(prefix);
        if (end === undefined) return;
        expect(end.isWellFormed()).toBe(true);
        expect(compare(prefix + rest, end)).toBeLessThan(0);
        if (!other.startsWith(prefix) && compare(other, prefix) > 0) {
          expect(compare(other, end)).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });

  it("steps over the surrogates and off the end of Unicode", () => {
    expect(endOfPrefix("a")).toBe("b");
    expect(endOfPrefix("a\uD7FF")).toBe("a\uE000");
    expect(endOfPrefix("a\u{10FFFF}")).toBe("b");
    expect(endOfPrefix("\u{10FFFF}")).toBeUndefined();
    expect(endOfPrefix("")).toBeUndefined();
  });
});
