import { deepStrictEqual } from "node:assert/strict";
import { inherits } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonCodec } from "./json-codec.js";

const codec = jsonCodec();
const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 0x7fffffff));
const runs = { seed, numRuns: 500 };

function roundTrip<T>(value: T): T {
  return codec.decode(codec.encode(value)) as T;
}

function chain(levels: number): unknown {
  let value: unknown = [];
  for (let level = 1; level < levels; level++) value = level % 2 === 0 ? [value] : { next: value };
  return value;
}

describe("jsonCodec", () => {
  it("writes what JSON.stringify writes, in UTF-8", () => {
    const value = { name: "é～👩", list: [1, 2.5, null, true], nested: { empty: {} } };
    expect(Buffer.from(codec.encode(value)).toString()).toBe(JSON.stringify(value));
  });

  it.each<[string, unknown]>([
    ["null", null],
    ["the empty string", ""],
    ["false and zero", [false, 0]],
    ["negative zero, alone and inside", [-0, { a: -0, "b\n": ["x", -0] }]],
    ["lone surrogates", ["\ud800", { "\udfff": "x\ud800y" }]],
    ["a byte order mark", "\ufeffx"],
    ["the key __proto__", JSON.parse('{"__proto__":{"polluted":1},"a":{"__proto__":-0}}')],
    ["keys named as inherited properties", { constructor: 1, hasOwnProperty: 2, toJSON: 3 }],
    ["brackets and quotes inside long strings", ["[".repeat(3_000), '{"\\'.repeat(3_000)]],
  ])("round-trips %s", (_name, value) => {
    deepStrictEqual(roundTrip(value), value);
  });

  it("round-trips any value of JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), fc.boolean(), (value, isWithZero) => {
        const whole = isWithZero ? { value, zero: -0 } : value;
        deepStrictEqual(roundTrip(whole), whole);
      }),
      runs,
    );
  });

  it("keeps any value as it is or throws", () => {
    const anything = fc.anything({
      withDate: true,
      withMap: true,
      withSet: true,
      withBigInt: true,
      withSparseArray: true,
      withTypedArray: true,
      withBoxedValues: true,
    });
    fc.assert(
      fc.property(anything, (value) => {
        let bytes: Uint8Array;
        try {
          bytes = codec.encode(value);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
          return;
        }
        deepStrictEqual(codec.decode(bytes), value);
      }),
      runs,
    );
  });

  it("makes a plain object of a class instance and two objects of one that is referred to twice", () => {
    class Point {
      constructor(readonly x = 1) {}
    }
    const point = new Point();
    expect(roundTrip([point, point])).toStrictEqual([{ x: 1 }, { x: 1 }]);
  });

  const circular: Record<string, unknown> = {};
  circular["self"] = { circular };
  const holes: unknown[] = [1];
  holes[2] = 3;
  it.each<[string, unknown]>([
    ["value is undefined", undefined],
    ["value.items[1] is undefined", { items: [1, undefined] }],
    ["value.items[3].callback is a function", { items: [1, 2, 3, { callback: () => 1 }] }],
    ['value["a b"] is a symbol', { "a b": Symbol("s") }],
    ["value.n is not a finite number", { n: Number.NaN }],
    ["value[0] is not a finite number", [-Infinity]],
    ["value.big is a bigint", { big: 1n }],
    ["value.at is a Date with toJSON", { at: new Date() }],
    ["value is a URL with toJSON", new URL("http://a.example")],
    ["value.b is a Buffer with toJSON", { b: Buffer.from("a") }],
    ["value.b is a Uint8Array", { b: new Uint8Array(1) }],
    ["value.p is a Proxy", { p: new Proxy({}, {}) }],
    ["value is a Map", new Map()],
    ["value is a Set", new Set()],
    ["value is a RegExp", /x/],
    ["value is a Error", new Error("e")],
    ["value is a Number", Object(1)],
    ["value is a Promise", Promise.resolve()],
    ["value is an array with holes or properties", holes],
    ["value.m is an array with holes or properties", { m: /b/.exec("b") }],
    ["value has a property whose key is a symbol", { [Symbol("k")]: 1 }],
    ["refers back to an object around it", circular],
  ])("refuses what JSON would change: %s", (message, value) => {
    expect(() => codec.encode(value)).toThrow(message);
    expect(() => codec.encode(value)).toThrow(TypeError);
  });

  it("reads each property once: NaN, a map or a function that a getter gives later is not written", () => {
    for (const later of [
      Number.NaN,
      new Map([[1, 2]]),
      () => 1,
      undefined,
      5n,
      { toJSON: () => "changed" },
    ]) {
      let reads = 0;
      const value = {
        get x() {
          return reads++ === 0 ? 1 : later;
        },
      };
      expect(roundTrip<unknown>(value)).toEqual({ x: 1 });
      expect(reads).toBe(1);
    }
  });

  it("writes an instance of an error class as written before 2015 as any other instance", () => {
    function HttpError(this: { status: number }): void {
      this.status = 404;
    }
    inherits(HttpError as never, Error);
    const made = new (HttpError as unknown as new () => object)();
    expect(roundTrip({ lastError: made })).toEqual({ lastError: { status: 404 } });
  });

  it("writes arrays of numbers as JSON.stringify does, and looks at each", () => {
    const numbers = Array.from({ length: 50 }, (_, index) => index / 3);
    expect(Buffer.from(codec.encode({ numbers })).toString()).toBe(JSON.stringify({ numbers }));
    expect(roundTrip([...numbers, -0])).toStrictEqual([...numbers, -0]);
    expect(roundTrip([...numbers, "x"])).toStrictEqual([...numbers, "x"]);
    expect(() => codec.encode([...numbers, Number.NaN])).toThrow("value[50] is not a finite number");
  });

  it("may be used inside a getter of a value that is being encoded", () => {
    const value = {
      before: [1],
      get inner() {
        return Buffer.from(codec.encode({ deep: true })).toString();
      },
      after: 2,
    };
    expect(roundTrip<unknown>(value)).toEqual({ before: [1], inner: '{"deep":true}', after: 2 });
    expect(() => codec.encode({ first: 1, second: () => 1 })).toThrow(TypeError);
    expect(roundTrip({ third: 3 })).toEqual({ third: 3 });
  });

  it("takes 1,000 levels of nesting and refuses more, both ways", () => {
    expect(roundTrip(chain(1_000))).toStrictEqual(chain(1_000));
    expect(() => codec.encode(chain(1_001))).toThrow(RangeError);
    expect(() => codec.encode(chain(100_000))).toThrow(/nested deeper than 1000 levels/);
    const nested = (levels: number) => Buffer.from("[".repeat(levels) + "]".repeat(levels));
    expect(() => codec.decode(nested(1_000))).not.toThrow();
    expect(() => codec.decode(nested(1_001))).toThrow(/nested deeper than 1000 levels/);
    expect(() => codec.decode(nested(1_000_000))).toThrow(/nested deeper than 1000 levels/);
  });

  it.each<[string, Uint8Array]>([
    ["nothing", new Uint8Array(0)],
    ["truncated JSON", Buffer.from('{"secret":"x')],
    ["two values", Buffer.from('"secret" 1')],
    ["bytes that are not UTF-8", Uint8Array.from([0x22, 0xc3, 0x22])],
    ["a byte order mark before the value", Buffer.from("\ufeff1")],
  ])("refuses to decode %s, without quoting it", (_name, bytes) => {
    expect(() => codec.decode(bytes)).toThrow(/^cannot decode: (?!.*secret)/);
  });
});
