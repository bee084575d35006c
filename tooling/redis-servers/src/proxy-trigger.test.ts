import { describe, expect, test } from "vitest";
import { ProxyTrigger } from "./proxy-trigger.js";

function look(trigger: ProxyTrigger, ...chunks: readonly string[]): (number | undefined)[] {
  return chunks.map((chunk) => trigger.look(Buffer.from(chunk)));
}

describe("a number of bytes", () => {
  test("fires where that many have passed, in whichever chunk", () => {
    expect(look(new ProxyTrigger({ bytes: 4 }), "ab", "cdef")).toEqual([undefined, 2]);
    expect(look(new ProxyTrigger({ bytes: 4 }), "abcd")).toEqual([4]);
  });

  test("0 fires at the first byte, and lets none pass", () => {
    expect(look(new ProxyTrigger({ bytes: 0 }), "a")).toEqual([0]);
  });
});

describe("a marker", () => {
  test("passes itself, unless the place is before it", () => {
    expect(look(new ProxyTrigger({ marker: "SET" }), "GET SET x")).toEqual([7]);
    expect(look(new ProxyTrigger({ marker: "SET", side: "before" }), "GET SET x")).toEqual([4]);
  });

  test("is found across chunks, one byte at a time", () => {
    expect(look(new ProxyTrigger({ marker: "SET" }), "x", "S", "E", "T")).toEqual([
      ...[undefined, undefined, undefined, 1],
    ]);
    expect(look(new ProxyTrigger({ marker: "SET", side: "before" }), "SE", "Tx")).toEqual([undefined, 0]);
  });

  test("that only begins is none", () => {
    expect(look(new ProxyTrigger({ marker: "SET" }), "SE", "SE", "T")).toEqual([undefined, undefined, 1]);
    expect(look(new ProxyTrigger({ marker: "SET" }), "SE", "ST")).toEqual([undefined, undefined]);
  });
});

test("a position that is none, or two, is refused", () => {
  for (const position of [{}, { bytes: -1 }, { bytes: 0.5 }, { marker: "" }, { bytes: 1, marker: "a" }]) {
    expect(() => new ProxyTrigger(position)).toThrow(RangeError);
  }
});
