import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JsonWriter } from "./json-writer.js";

const runs = { seed: Number(process.env["SEED"] ?? Math.floor(Math.random() * 0x7fffffff)), numRuns: 3_000 };
const writer = new JsonWriter();

function number(value: number): string {
  writer.reset();
  writer.number(value);
  return Buffer.from(writer.take()).toString();
}

function string(value: string): string {
  writer.reset();
  writer.string(value);
  return Buffer.from(writer.take()).toString();
}

describe("JsonWriter", () => {
  it.each([
    [0, "0"],
    [-0, "-0"],
    [9, "9"],
    [10, "10"],
    [4_294_967_295, "4294967295"],
    [4_294_967_296, "4294967296"],
    [0.1, "0.1"],
    [0.000001, "0.000001"],
    [0.0000015, "0.0000015"],
    [1e-7, "1e-7"],
    [1.005, "1.005"],
    [999_999_999.999_999, "999999999.999999"],
    [0.1 + 0.2, "0.30000000000000004"],
    [5e-324, "5e-324"],
    [1e21, "1e+21"],
    [-12.5, "-12.5"],
  ])("writes the number %d as %s", (value, text) => {
    expect(number(value)).toBe(text);
  });

  it("writes any number as JavaScript does", () => {
    const decimal = fc
      .tuple(fc.integer({ min: -1e9, max: 1e9 }), fc.nat(7))
      .map(([digits, places]) => digits / 10 ** places);
    const any = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), decimal, fc.maxSafeInteger());
    const checked = fc.property(any, (value) => {
      expect(number(value)).toBe(Object.is(value, -0) ? "-0" : String(value));
    });
    fc.assert(checked, runs);
  });

  it("writes any string as JSON.stringify does", () => {
    const units = fc.array(fc.integer({ min: 0, max: 0xffff }));
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 200 }),
      fc.string({ unit: "grapheme-ascii", maxLength: 200 }),
      units.map((list) => String.fromCharCode(...list)),
    );
    fc.assert(
      fc.property(text, (value) => {
        expect(string(value)).toBe(JSON.stringify(value));
      }),
      runs,
    );
  });
});
