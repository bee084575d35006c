import fc from "fast-check";
import { Packr } from "msgpackr";
import { describe, expect, it } from "vitest";
import { MsgpackWriter } from "./msgpack-writer.js";
import { writePlainTree } from "./plain-tree.js";

const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 0x7fffffff));
const packr = new Packr({
  useRecords: false,
  variableMapSize: true,
  moreTypes: true,
  useToJSON: false,
} as object);
const writer = new MsgpackWriter();

function written(value: unknown): string | undefined {
  writer.reset();
  return writePlainTree(value, writer) ? Buffer.from(writer.take()).toString("hex") : undefined;
}

const anyTree = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(null, undefined, true, false, Number.NaN, Infinity, -Infinity),
    fc.double().filter((number) => !Object.is(number, -0)),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.bigInt(),
    fc.bigInt({ min: -(2n ** 1_000n), max: 2n ** 1_000n }),
    fc.string({ unit: "binary", maxLength: 100 }),
    fc.string({ unit: "grapheme-ascii", maxLength: 70_000, size: "max" }),
    fc.date({ noInvalidDate: false }),
    fc.uint8Array(),
    fc.uint8Array({ maxLength: 70_000, size: "max" }).map((bytes) => Buffer.from(bytes)),
    fc.array(tie("value"), { maxLength: 40 }),
    fc.dictionary(fc.string({ unit: "binary" }), tie("value"), { maxKeys: 40 }),
  ),
})).value;

describe("MsgpackWriter", () => {
  it("writes what msgpackr writes, which reads it", () => {
    fc.assert(
      fc.property(anyTree, (value) => {
        const hex = written(value);
        if (hex !== undefined) expect(hex).toBe(packr.pack(value).toString("hex"));
      }),
      { seed, numRuns: 500 },
    );
  });

  it.each([0, 1, 30, 31, 32, 63, 64, 84, 85, 86, 255, 256, 21_845, 21_846, 65_535, 65_536])(
    "texts, bytes, arrays and objects of %i, at every width of a character",
    (length) => {
      for (const unit of ["a", "é", "～"]) {
        expect(written(unit.repeat(length))).toBe(packr.pack(unit.repeat(length)).toString("hex"));
      }
      const list = Array.from({ length }, (_, index) => index);
      for (const value of [
        Buffer.alloc(length, 7),
        new Uint8Array(length),
        list,
        Object.fromEntries(list.map((index) => [`k${index}`, index])),
      ]) {
        expect(written(value)).toBe(packr.pack(value).toString("hex"));
      }
    },
  );

  it.each([
    0,
    1,
    999,
    1_000,
    -1,
    -1_000,
    1.7e12,
    1.7e12 + 1,
    4_294_967_295_999,
    4_294_967_296_000,
    8.64e15,
    -8.64e15,
    Number.NaN,
  ])("the date %d", (timeMs) => {
    expect(written(new Date(timeMs))).toBe(packr.pack(new Date(timeMs)).toString("hex"));
  });

  it("refuses a text that would come back altered, at any length", () => {
    for (const padding of [0, 10, 100, 1_000]) {
      const text = "x".repeat(padding);
      for (const odd of [
        `${text}\ud800`,
        `${text}\udc00x`,
        `\ud800${text}`,
        `${text}\ud800\ud800`,
        `\ufeff${text}`,
      ]) {
        expect(written(odd)).toBeUndefined();
      }
    }
    expect(written("x\ufeff")).toBeDefined();
    expect(written("\ud83d\ude00")).toBeDefined();
  });
});
