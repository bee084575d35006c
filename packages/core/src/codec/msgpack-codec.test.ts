import { deepStrictEqual } from "node:assert/strict";
import { inherits } from "node:util";
import { deserialize, serialize } from "node:v8";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { msgpackCodec } from "./msgpack-codec.js";

const codec = msgpackCodec();
const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 0x7fffffff));
/** On failure fast-check prints the seed and the path that repeat it. */
const runs = { seed, numRuns: 500 };

function roundTrip<T>(value: T): T {
  return codec.decode(codec.encode(value)) as T;
}

function chain(levels: number): unknown {
  let value: unknown = [];
  for (let level = 1; level < levels; level++) value = level % 2 === 0 ? [value] : { next: value };
  return value;
}

function withHoles(length: number, ...elements: [index: number, element: unknown][]): unknown[] {
  const array: unknown[] = [];
  array.length = length;
  for (const [index, element] of elements) array[index] = element;
  return array;
}

const anyText = fc.string({ unit: "binary" });
const anyUtf16 = fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units));

/** Values of every supported type, nested, with hostile keys. */
const anyValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom(null, true, false, 0, -0, Number.NaN, Infinity, -Infinity, "", 2 ** 53, -(2 ** 31)),
    fc.double(),
    fc.integer(),
    fc.bigInt(),
    fc.bigInt({ min: -(2n ** 70_000n), max: 2n ** 70_000n }),
    anyText,
    anyUtf16,
    // To deepStrictEqual two invalid dates differ on Node 20; an example below has them.
    fc.date({ noInvalidDate: true }),
    fc.uint8Array(),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.float64Array(),
    fc.int16Array(),
    fc.array(tie("value")),
    fc.sparseArray(tie("value"), { maxNumElements: 5 }),
    fc.dictionary(
      fc.oneof(anyText, anyUtf16, fc.constantFrom("__proto__", "constructor", "__keys__", "toJSON")),
      tie("value"),
    ),
    fc.array(fc.tuple(tie("value"), tie("value"))).map((pairs) => new Map(pairs)),
    fc.array(tie("value")).map((members) => new Set(members)),
  ),
})).value;

describe("msgpackCodec round-trips", () => {
  it.each<[string, unknown]>([
    ["null", null],
    ["zero", 0],
    ["negative zero", -0],
    ["the empty string", ""],
    ["false", false],
    ["NaN", Number.NaN],
    ["infinities", [Infinity, -Infinity]],
    [
      "the edges of integers",
      [
        127,
        128,
        255,
        256,
        65_535,
        65_536,
        2 ** 32 - 1,
        2 ** 32,
        2 ** 53,
        -32,
        -33,
        -128,
        -129,
        -(2 ** 31),
        -(2 ** 31) - 1,
      ],
    ],
    [
      "bigints of any size",
      [0n, -1n, 2n ** 63n, -(2n ** 63n) - 1n, 2n ** 64n, -(2n ** 200n), 2n ** 70_001n, -(2n ** 70_001n)],
    ],
    ["dates", [new Date(0), new Date(1.5e12 + 7), new Date(-1), new Date(8.64e15), new Date(-8.64e15)]],
    ["an invalid date", new Date(Number.NaN)],
    [
      "a Map inside an object",
      {
        map: new Map<unknown, unknown>([
          ["a", 1],
          [{ b: 2 }, new Map()],
        ]),
      },
    ],
    ["a Set", new Set([1, "a", null, undefined])],
    [
      "typed arrays",
      [
        new Uint8Array([1, 2]),
        new Float32Array([1.5, Number.NaN]),
        new BigInt64Array([-1n]),
        new Uint8ClampedArray(0),
      ],
    ],
    [
      "an ArrayBuffer and a DataView",
      [new Uint8Array([1, 2, 3]).buffer, new DataView(new ArrayBuffer(4), 1, 2)],
    ],
    ["undefined inside objects and arrays", { a: undefined, b: [undefined, 1] }],
    ["holes in arrays", withHoles(4, [0, 1], [2, 3])],
    ["lone surrogates", ["\ud800", `x${"y".repeat(100)}\udfff`, { "\ud800": 1 }]],
    ["a leading byte order mark", [`\ufeff${"x".repeat(100)}`, { [`\ufeff${"k".repeat(100)}`]: "\ufeff" }]],
    [
      "text beyond the first plane",
      ["👩‍🚀", "～", "\u{10ffff}".repeat(50), "é".repeat(31), "é".repeat(40_000)],
    ],
    ["the key __proto__", JSON.parse('{"__proto__":{"polluted":1},"a":{"__proto__":2}}')],
    [
      "keys named as inherited properties",
      { constructor: 1, hasOwnProperty: "x", toString: null, __keys__: 3, toJSON: 4, length: 5 },
    ],
    [
      "more keys than fit in 16 bits",
      Object.fromEntries(Array.from({ length: 70_000 }, (_, index) => [`k${index}`, index])),
    ],
    [
      "strings long enough for msgpackr's native reader",
      Array.from({ length: 200 }, (_, index) => `item ${index} ${"é".repeat(index % 7)}`),
    ],
  ])("%s", (_name, value) => {
    expect(roundTrip(value)).toStrictEqual(value);
  });

  it("keeps holes as holes and undefined as undefined", () => {
    const back = roundTrip(withHoles(2, [1, undefined]));
    expect([0 in back, 1 in back, back.length]).toEqual([false, true, 2]);
  });

  it("keeps properties of arrays, as those of a match", () => {
    const match = /b(?<rest>c)/.exec("abc") as RegExpExecArray;
    const back = roundTrip(match);
    expect([back[0], back.index, back.input, back.groups]).toEqual(["bc", 1, "abc", { rest: "c" }]);
  });

  it("keeps a sparse array of great length without making room for its holes", () => {
    const array: number[] = [];
    array[4_000_000_000] = 1;
    const back = roundTrip(array);
    expect([back.length, back[4_000_000_000], Object.keys(back)]).toEqual([4_000_000_001, 1, ["4000000000"]]);
  });

  it("keeps source, flags and lastIndex of a RegExp", () => {
    const regExp = /a\/(?<x>b)/giu;
    regExp.lastIndex = 7;
    const back = roundTrip({ regExp }).regExp;
    expect([back.source, back.flags, back.lastIndex]).toEqual([regExp.source, "giu", 7]);
  });

  it("keeps type, message, stack, cause and own properties of errors", () => {
    const error = Object.assign(new RangeError("outer", { cause: new TypeError("inner") }), { code: "E_X" });
    const back = roundTrip(error);
    expect(back).toBeInstanceOf(RangeError);
    expect(back.stack).toBe(error.stack);
    expect(back.code).toBe("E_X");
    expect(Object.keys(back)).toEqual(["code"]);
    expect(back.cause).toBeInstanceOf(TypeError);
    expect((back.cause as Error).message).toBe("inner");
  });

  it("keeps the name of an error whose class is not kept, and the errors of an AggregateError", () => {
    class QuotaError extends Error {
      override get name() {
        return "constructor";
      }
    }
    const back = roundTrip(new AggregateError([new QuotaError("full")], "all"));
    expect(back).toBeInstanceOf(AggregateError);
    expect(back.errors[0]).toBeInstanceOf(Error);
    expect([back.errors[0].name, back.errors[0].message]).toEqual(["constructor", "full"]);
    expect(Object.hasOwn(roundTrip(new Error()), "message")).toBe(false);
  });

  it("keeps cycles through objects, arrays, maps, sets and errors", () => {
    const error: Error & { self?: unknown } = new Error("round");
    error.self = error;
    const value: Record<string, unknown> = { list: [], map: new Map(), set: new Set(), error };
    value["self"] = value;
    (value["list"] as unknown[]).push(value["list"], value);
    (value["map"] as Map<unknown, unknown>).set(value["map"], value);
    (value["set"] as Set<unknown>).add(value["set"]);
    const back = roundTrip(value) as {
      self: unknown;
      list: unknown[];
      map: Map<unknown, unknown>;
      set: Set<unknown>;
      error: typeof error;
    };
    expect(back.self).toBe(back);
    expect(back.list[0]).toBe(back.list);
    expect(back.list[1]).toBe(back);
    expect(back.map.get(back.map)).toBe(back);
    expect(back.set.has(back.set)).toBe(true);
    expect(back.error.self).toBe(back.error);
  });

  it("keeps two references to one object as one object", () => {
    const shared = { n: 1 };
    const back = roundTrip({ a: shared, b: [shared] });
    expect(back.b[0]).toBe(back.a);
    const many = Array.from({ length: 50 }, (_, index) => ({ index }));
    const backMany = roundTrip([...many, many[49]]);
    expect(backMany[50]).toBe(backMany[49]);
  });

  it("gives a Buffer for a Buffer and a Uint8Array for a Uint8Array, whatever the bytes came in", () => {
    const bytes = new Uint8Array(codec.encode({ buffer: Buffer.from("ab"), array: new Uint8Array([1]) }));
    const back = codec.decode(bytes) as { buffer: Buffer; array: Uint8Array };
    expect(Buffer.isBuffer(back.buffer)).toBe(true);
    expect(back.array.constructor).toBe(Uint8Array);
  });

  it("makes plain objects of class instances and of objects without prototype", () => {
    class Point {
      constructor(readonly x = 1) {}
    }
    expect(roundTrip({ point: new Point() })).toStrictEqual({ point: { x: 1 } });
    expect(roundTrip([new Point(), -0])).toStrictEqual([{ x: 1 }, -0]);
    expect(roundTrip(Object.assign(Object.create(null), { a: 1 }))).toStrictEqual({ a: 1 });
    expect(roundTrip(new (class Cache extends Map<string, number> {})([["a", 1]]))).toStrictEqual(
      new Map([["a", 1]]),
    );
  });

  it("makes a plain object of an instance of an error class as written before 2015", () => {
    function HttpError(this: { message: string; status: number }, message: string): void {
      this.message = message;
      this.status = 404;
    }
    inherits(HttpError as never, Error);
    const lastError = new (HttpError as unknown as new (message: string) => object)("x");
    expect(roundTrip({ lastError })).toStrictEqual({ lastError: { message: "x", status: 404 } });
    expect(roundTrip({ lastError, zero: -0 })).toStrictEqual({
      lastError: { message: "x", status: 404 },
      zero: -0,
    });
  });

  it("reads each property of a plain value once: what a getter gives later is not written", () => {
    const value = {
      reads: 0,
      had: undefined as Map<number, number> | undefined,
      get tags() {
        const { had } = this;
        this.had ??= new Map([[1, 2]]);
        this.reads++;
        return had;
      },
    };
    expect(roundTrip(value)).toStrictEqual({ reads: 0, had: undefined, tags: undefined });
    expect(value.reads).toBe(1);
    for (const later of [new Map(), new Date(0), new Error("m"), () => 1, Symbol("s"), -0, "\ud800"]) {
      let reads = 0;
      const flip = {
        get x() {
          return reads++ === 0 ? 1 : later;
        },
      };
      expect(roundTrip<unknown>(flip)).toStrictEqual({ x: 1 });
    }
  });

  it("any value, alone or among others", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        fc.pre(value !== undefined);
        deepStrictEqual(roundTrip(value), deserialize(serialize(value)));
      }),
      runs,
    );
  });

  it("any string in any place", () => {
    fc.assert(
      fc.property(fc.oneof(anyText, anyUtf16), fc.nat(200), (text, padding) => {
        const value = { [text]: text, padding: "p".repeat(padding), list: [text, text + text] };
        deepStrictEqual(roundTrip(value), value);
      }),
      runs,
    );
  });
});

describe("msgpackCodec refuses, by the path to the part", () => {
  const live = { callback: () => 1 };
  it.each<[string, unknown]>([
    ["value is undefined", undefined],
    ["value is a function", () => 1],
    ["value is a symbol", Symbol("s")],
    ["value.items[3].callback is a function", { items: [1, 2, 3, live] }],
    ['value["a b"] is a symbol', { "a b": Symbol.iterator }],
    ["value[1].p is a Promise", [0, { p: Promise.resolve() }]],
    ["value.w is a WeakMap", { w: new WeakMap() }],
    ["value.w is a WeakSet", { w: new WeakSet() }],
    ["value.w is a WeakRef", { w: new WeakRef({}) }],
    ["value is a URL", new URL("http://a.example")],
    ["value.n is a Number", { n: Object(1) }],
    ["value.g is a Generator", { g: (function* () {})() }],
    ["value.s is a SharedArrayBuffer", { s: new SharedArrayBuffer(1) }],
    ["value<key 0>.f is a function", new Map([[{ f: live.callback }, 1]])],
    ["value<value 1> is a function", new Set([1, live.callback])],
    ["value.cause is a function", new Error("e", { cause: live.callback })],
    ["value.o has a property whose key is a symbol", { o: { [Symbol("k")]: 1 } }],
    ["value has a property whose key is a symbol", Object.assign([1], { [Symbol("k")]: 1 })],
    ["value.d is a Date with own properties", { d: Object.assign(new Date(), { tag: 1 }) }],
    ["value.m is a Map", { m: Object.create(Map.prototype) }],
    ["value.m is a Math", { m: Object.create(Math) }],
    ["value.p is a Proxy", { p: new Proxy({ a: 1 }, {}) }],
    ["value[0] is a Proxy", [new Proxy(new Date(0), {})]],
  ])("%s", (message, value) => {
    expect(() => codec.encode(value)).toThrow(`${message}`);
    expect(() => codec.encode(value)).toThrow(TypeError);
  });

  it("never carries a value in a message, and bounds the path", () => {
    const long = "k".repeat(5_000);
    let value: unknown = Symbol("secret");
    for (let level = 0; level < 50; level++) value = { [long]: value, other: "secret" };
    const error = (() => {
      try {
        codec.encode(value);
      } catch (thrown) {
        return thrown as Error;
      }
      return undefined;
    })();
    expect(error?.message).not.toContain("secret");
    expect(error?.message.length).toBeLessThan(700);
  });

  it("more than 1,000 levels, in plain values and in graphs, and takes 1,000", () => {
    expect(roundTrip(chain(1_000))).toStrictEqual(chain(1_000));
    expect(() => codec.encode(chain(1_001))).toThrow(/nested deeper than 1000 levels/);
    const graph = (levels: number) => ({ zero: -0, next: chain(levels - 1) });
    expect(Object.is((roundTrip(graph(1_000)) as { zero: number }).zero, -0)).toBe(true);
    expect(() => codec.encode(graph(1_001))).toThrow(/nested deeper than 1000 levels/);
    expect(() => codec.encode(chain(200_000))).toThrow(RangeError);
  });
});

describe("msgpackCodec decodes only what it wrote", () => {
  const samples = () => [
    codec.encode({
      id: 7,
      name: "user-7",
      tags: ["a", "b"],
      at: new Date(5),
      bytes: Buffer.from("xyz"),
      big: 2n ** 80n,
    }),
    codec.encode({
      zero: -0,
      map: new Map([["k", [new Error("e"), /x/]]]),
      list: withHoles(3, [0, 1], [2, new Float64Array(2)]),
    }),
    codec.encode("é".repeat(200)),
  ];

  it("every truncation is an error", () => {
    for (const bytes of samples()) {
      for (let length = 0; length < bytes.length; length++) {
        expect(() => codec.decode(bytes.subarray(0, length))).toThrow(/cannot decode/);
      }
    }
  });

  it("trailing bytes are an error that does not quote the value", () => {
    const bytes = Buffer.concat([codec.encode("secret"), Buffer.from([0])]);
    expect(() => codec.decode(bytes)).toThrow("cannot decode: bytes follow the value");
  });

  it.each<[string, readonly number[]]>([
    ["an array of 2^31 elements", [0xdd, 0x80, 0, 0, 0, 1, 2, 3]],
    ["a map of 2^31 entries", [0xdf, 0x80, 0, 0, 0, 0xa1, 97, 1]],
    ["bytes of 2^31", [0xc6, 0x80, 0, 0, 0, 1]],
    ["a string of 2^31", [0xdb, 0x80, 0, 0, 0, 97]],
    ["an extension of 2^31", [0xc9, 0x80, 0, 0, 0, 0x42, 1]],
    ["a sparse array with a false length", [0xc1, 0x91, 0x92, 2, 0xcb, 0x41, 0xf0, 0, 0, 0, 0, 0, 0]],
    ["an unknown extension", [0xd4, 0x05, 0]],
    ["a record definition", [0xd4, 0x72, 0x40, 0x91, 0xa1, 97, 1]],
    ["a reference", [0xd6, 0x70, 0, 0, 0, 1]],
    ["msgpackr's own error type", [0xd4, 0x65, 0, 0x93, 0xa7, ...Buffer.from("valueOf"), 0xa1, 97, 0xc0]],
    ["a float of 32 bits", [0xca, 0, 0, 0, 0]],
    ["a number as a key", [0x81, 1, 2]],
    ["the key __proto__ in a plain object", [0x81, 0xa9, ...Buffer.from("__proto__"), 1]],
    ["a string that is not UTF-8", [0xa2, 0xc3, 0x28]],
    ["an encoded lone surrogate", [0xa3, 0xed, 0xa0, 0x80]],
    ["a graph without nodes", [0xc1, 0x90]],
    ["a graph that is a number", [0xc1, 1]],
    ["a reference beyond the graph", [0xc1, 0x91, 0x92, 1, 0x91, 5]],
    ["a node that nothing refers to", [0xc1, 0x92, 0x91, 1, 0x91, 1]],
    ["an error type that objects inherit", [0xc1, 0x91, 0x93, 7, 0xab, ...Buffer.from("constructor"), 0]],
    ["a graph inside a graph", [0xc1, 0xc1, 1]],
  ])("%s is an error", (_name, bytes) => {
    expect(() => codec.decode(Uint8Array.from(bytes))).toThrow(/cannot decode/);
  });

  it("makes no room for the holes of a sparse array that bytes claim", () => {
    const before = process.memoryUsage().heapUsed;
    const arrays = Array.from({ length: 8 }, () =>
      codec.decode(Uint8Array.from([0xc1, 0x91, 0x92, 2, 0xce, 0x01, 0xf0, 0, 0])),
    );
    expect((arrays[0] as unknown[]).length).toBe(0x01f00000);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(50e6);
  });

  it("nesting deeper than 1,000 levels is an error, not a stack overflow", () => {
    const nested = (levels: number) => Uint8Array.from([...new Array<number>(levels).fill(0x91), 0xc0]);
    expect(() => codec.decode(nested(1_000))).not.toThrow();
    expect(() => codec.decode(nested(1_001))).toThrow(/nested deeper than 1000 levels/);
    expect(() => codec.decode(nested(5_000_000))).toThrow(/nested deeper than 1000 levels/);
    const table = Array.from({ length: 1_500 }, (_, index) => (index < 1_499 ? [1, [index + 1]] : [1]));
    const graph = Buffer.concat([Buffer.from([0xc1]), codec.encode(table)]);
    expect(() => codec.decode(graph)).toThrow(/nested deeper than 1000 levels/);
  });

  it("any bytes decode to something encodable or throw a clear error, and never pollute", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, isGraph) => {
        const input = isGraph ? Uint8Array.from([0xc1, ...bytes]) : bytes;
        let value: unknown;
        try {
          value = codec.decode(input);
        } catch (error) {
          expect((error as Error).message).toMatch(/^cannot decode: /);
          return;
        }
        if (value !== undefined) codec.encode(value);
        expect(Object.keys(Object.prototype)).toEqual([]);
      }),
      { ...runs, numRuns: 3_000 },
    );
  });

  it("a flipped bit gives an error or another value, never a crash", () => {
    fc.assert(
      fc.property(fc.nat(2), fc.nat(), fc.nat(7), (sample, at, bit) => {
        const bytes = Uint8Array.from(samples()[sample] as Uint8Array);
        bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ (1 << bit);
        try {
          codec.decode(bytes);
        } catch (error) {
          expect((error as Error).message).toMatch(/^cannot decode: /);
        }
      }),
      runs,
    );
  });
});

describe("msgpackCodec's bytes", () => {
  it("are never written again by later encodings", () => {
    const kept = Array.from({ length: 500 }, (_, index) => codec.encode({ index, text: "x".repeat(index) }));
    for (let index = 0; index < 500; index++) codec.encode({ other: "y".repeat(index * 50) });
    kept.forEach((bytes, index) => {
      expect(codec.decode(bytes)).toEqual({ index, text: "x".repeat(index) });
    });
  });

  it("share no memory with what is decoded from them", () => {
    for (const value of [
      Buffer.from("abcd"),
      new Uint8Array([1, 2]),
      [new Float32Array([1]), -0],
      "a".repeat(300),
    ]) {
      const bytes = codec.encode({ value });
      const back = codec.decode(bytes);
      bytes.fill(0xff);
      codec.decode(codec.encode({ value: Buffer.alloc(300, 7) }));
      expect(back).toStrictEqual({ value });
    }
  });

  it("keep no large buffer alive", () => {
    codec.encode("z".repeat(8_000_000));
    const bytes = codec.encode({ small: 1 });
    expect(bytes.buffer.byteLength).toBeLessThanOrEqual(8 * 1024);
    expect(Object.keys(bytes).length).toBe(bytes.length);
  });

  it("may be made inside a getter of a value that is being encoded", () => {
    const value = {
      before: 1,
      get inner() {
        return codec.encode({ deep: true });
      },
      after: 2,
    };
    const back = roundTrip(value);
    expect([back.before, codec.decode(back.inner), back.after]).toEqual([1, { deep: true }, 2]);
  });
});

describe("encodeInto", () => {
  it("writes the bytes of encode where it is told to, and nothing elsewhere", () => {
    fc.assert(
      fc.property(anyValue, fc.nat(20), (value, start) => {
        const bytes = codec.encode(value);
        const target = new Uint8Array(start + bytes.length + 5).fill(0xa5);
        expect(codec.encodeInto?.(value, target, start)).toBe(start + bytes.length);
        expect(target.subarray(start, start + bytes.length)).toEqual(new Uint8Array(bytes));
        expect([...target.subarray(0, start), ...target.subarray(start + bytes.length)]).toEqual(
          new Array(start + 5).fill(0xa5),
        );
      }),
      { numRuns: 200 },
    );
  });

  it("answers -1 where there is no room, and throws what encode throws", () => {
    const bytes = codec.encode({ a: "text" });
    expect(codec.encodeInto?.({ a: "text" }, new Uint8Array(bytes.length), 0)).toBe(bytes.length);
    expect(codec.encodeInto?.({ a: "text" }, new Uint8Array(bytes.length), 1)).toBe(-1);
    expect(() => codec.encodeInto?.({ a: () => 1 }, new Uint8Array(100), 0)).toThrow(/function/);
  });
});
