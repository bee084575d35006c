import { deepStrictEqual } from "node:assert/strict";
import { inherits, isDeepStrictEqual } from "node:util";
import vm from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonCodec } from "./json-codec.js";
import { msgpackCodec } from "./msgpack-codec.js";

const codecs = [msgpackCodec(), jsonCodec()] as const;
const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 0x7fffffff));

/** What a codec makes of a value: it is refused, or comes back as this. */
interface Hostile {
  readonly make: () => unknown;
  readonly msgpack: Outcome;
  readonly json: Outcome;
}
type Outcome = typeof REFUSED | { readonly becomes: unknown };
const REFUSED = "refused";

const refused = (make: () => unknown): Hostile => ({ make, msgpack: REFUSED, json: REFUSED });
const kept = (make: () => unknown, becomes: unknown): Hostile => ({
  make,
  msgpack: { becomes },
  json: { becomes },
});
/** Kept by msgpack, refused by JSON. */
const built = (make: () => unknown, becomes: unknown): Hostile => ({
  make,
  msgpack: { becomes },
  json: REFUSED,
});

/** An instance of a class as written before 2015: it inherits from a built-in and has nothing of its slots. */
function es5(parent: { readonly prototype: object }): object {
  function Made(this: { code: number }): void {
    this.code = 7;
  }
  inherits(Made as never, parent as never);
  return new (Made as unknown as new () => object)();
}

function without<T extends object>(object: T, prototype: object | null = null): T {
  return Object.setPrototypeOf(object, prototype) as T;
}

function hiding<T extends object>(object: T, properties: Record<string, unknown>): T {
  for (const [name, value] of Object.entries(properties)) {
    Object.defineProperty(object, name, { value, enumerable: false, configurable: true });
  }
  return object;
}

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function fail(): never {
  throw new Error("a trap was called");
}
/** Throws on anything. */
const throwing: ProxyHandler<object> = Object.fromEntries(
  Object.getOwnPropertyNames(Reflect).map((trap) => [trap, fail]),
);

class Tagged {
  readonly value = 1;
  get [Symbol.toStringTag](): string {
    return "Object";
  }
}
class Renamed {
  readonly value = 1;
  get [Symbol.toStringTag](): string {
    return "Map";
  }
}
class Untagged {
  get [Symbol.toStringTag](): string {
    return fail();
  }
}

const map = new Map([[1, new Date(5)]]);
const set = new Set(["a"]);
const bytes = new Uint8Array([1, 2, 255]);
const floats = new Float64Array([1.5, -2]);
const realm = (code: string): unknown => vm.runInNewContext(code) as unknown;

const PROXIES: Record<string, Hostile> = {
  "a proxy of an object": refused(() => new Proxy({ a: 1 }, {})),
  "a proxy of an array": refused(() => new Proxy([1], {})),
  "a proxy of a date": refused(() => new Proxy(new Date(0), {})),
  "a proxy of a map": refused(() => new Proxy(map, {})),
  "a proxy of a set": refused(() => new Proxy(set, {})),
  "a proxy of an error": refused(() => new Proxy(new Error("m"), {})),
  "a proxy of a pattern": refused(() => new Proxy(/a/, {})),
  "a proxy of bytes": refused(() => new Proxy(new Uint8Array(bytes), {})),
  "a proxy of a Buffer": refused(() => new Proxy(Buffer.from(bytes), {})),
  "a proxy of a function": refused(() => new Proxy(fail, {})),
  "a proxy of an instance": refused(() => new Proxy(new Tagged(), {})),
  "a proxy of a proxy": refused(() => new Proxy(new Proxy({}, {}), {})),
  "a proxy that calls itself plain": refused(
    () => new Proxy(new Map(map), { getPrototypeOf: () => Object.prototype }),
  ),
  "a proxy of another realm": refused(() => realm("new Proxy({}, {})")),
  "a proxy that throws on anything": refused(() => new Proxy({}, throwing)),
  "a proxy of an array that throws on anything": refused(() => new Proxy([], throwing)),
  "a revoked proxy": refused(() => revoked({})),
  "a revoked proxy of an array": refused(() => revoked([])),
  "a revoked proxy of a function": refused(() => revoked(fail)),
};

const ES5_CLASSES: Record<string, Hostile> = {
  "an ES5 class of Error": kept(() => es5(Error), { code: 7 }),
  "an ES5 class of TypeError": kept(() => es5(TypeError), { code: 7 }),
  "an ES5 class of Array": kept(() => es5(Array), { code: 7 }),
  "an ES5 class of Date": built(() => es5(Date), { code: 7 }),
  "an ES5 class of RegExp": kept(() => es5(RegExp), { code: 7 }),
  "an ES5 class of Number": kept(() => es5(Number), { code: 7 }),
  "an ES5 class of String": kept(() => es5(String), { code: 7 }),
  "an ES5 class of Uint8Array": kept(() => es5(Uint8Array), { code: 7 }),
  "an ES5 class of Buffer": built(() => es5(Buffer as never), { code: 7 }),
  "an ES5 class of Map": refused(() => es5(Map)),
  "an ES5 class of Set": refused(() => es5(Set)),
  "an ES5 class of ArrayBuffer": refused(() => es5(ArrayBuffer)),
  "an ES5 class of DataView": refused(() => es5(DataView)),
  "an ES5 class of Promise": refused(() => es5(Promise)),
  "an object over an error": kept(() => Object.create(new Error("m")) as unknown, {}),
  "an object over an array": kept(() => Object.setPrototypeOf({ a: 1 }, [5]) as unknown, { a: 1 }),
};

const SUBCLASSES: Record<string, Hostile> = {
  "a class of Map": built(() => new (class extends Map<number, Date> {})(map), map),
  "a class of Set": built(() => new (class extends Set<string> {})(set), set),
  "a class of Date": built(() => new (class extends Date {})(5), new Date(5)),
  "a class of RegExp": built(() => new (class extends RegExp {})("a", "g"), /a/g),
  "a class of Array": kept(
    () =>
      new (class extends Array<number> {
        override map(): never {
          return fail();
        }
      })(3, 4),
    [3, 4],
  ),
  "a class of Uint8Array": built(() => new (class extends Uint8Array {})(bytes), bytes),
  "a class of Float64Array": built(() => new (class extends Float64Array {})(floats), floats),
  "a class of ArrayBuffer": built(() => new (class extends ArrayBuffer {})(2), new ArrayBuffer(2)),
  "a class of DataView": built(
    () => new (class extends DataView<ArrayBuffer> {})(new ArrayBuffer(2)),
    new DataView(new ArrayBuffer(2)),
  ),
  "a class of Error": built(() => new (class extends Error {})("m"), new Error("m")),
  "a class of TypeError": built(() => new (class extends TypeError {})("m"), new TypeError("m")),
  "an error made by an ES5 class": built(
    () => {
      const prototype = Object.create(RangeError.prototype) as object;
      return Object.assign(without(new Error("m"), prototype), { code: 7 });
    },
    Object.assign(new RangeError("m"), { code: 7 }),
  ),
  "a class of Promise": refused(() => new (class extends Promise<void> {})(() => undefined)),
};

const PRETENDERS: Record<string, Hostile> = {
  "an instance that calls itself an Object": kept(() => new Tagged(), { value: 1 }),
  "an instance that calls itself a Map": refused(() => new Renamed()),
  "an instance whose tag throws": refused(() => new Untagged()),
  "an object with a tag of its own": refused(() => ({ [Symbol.toStringTag]: "Object" })),
  "a map that calls itself an Object": built(
    () =>
      new (class extends Map<number, Date> {
        override get [Symbol.toStringTag](): string {
          return "Object";
        }
      })(map),
    map,
  ),
  "a promise that calls itself an Object": refused(
    () =>
      new (class extends Promise<void> {
        override get [Symbol.toStringTag](): string {
          return "Object";
        }
      })(() => undefined),
  ),
  "a date without prototype": built(() => without(new Date(5)), new Date(5)),
  "a map without prototype": built(() => without(new Map(map)), map),
  "a map as a plain object": built(() => without(new Map(map), Object.prototype), map),
  "a set as an array": built(() => without(new Set(set), Array.prototype), set),
  "an error that calls itself an Object": built(
    () =>
      new (class extends Error {
        get [Symbol.toStringTag](): string {
          return "Object";
        }
      })("m"),
    new Error("m"),
  ),
  "an error whose message is an accessor": built(
    () => Object.defineProperty(new Error(), "message", { get: () => "m" }),
    new Error("m"),
  ),
  "an error as a plain object": built(
    () => without(new Error("m"), Object.prototype),
    hiding(new Error("m"), { name: undefined }),
  ),
  "a pattern without prototype": built(() => without(/a/g), /a/g),
  "bytes without prototype": built(() => without(new Uint8Array(bytes)), bytes),
  "bytes as a plain object": built(() => without(new Uint8Array(bytes), Object.prototype), bytes),
  "floats as a Buffer": built(() => without(new Float64Array(floats), Buffer.prototype), floats),
  "an array without prototype": kept(() => without([1, 2]), [1, 2]),
  "an array as a plain object": kept(() => without([1, 2], Object.prototype), [1, 2]),
  "a promise without prototype": refused(() => without(Promise.resolve())),
  "a weak map without prototype": refused(() => without(new WeakMap())),
  "a boxed number as a plain object": refused(() => without(Object(5) as object, Object.prototype)),
  "a key named constructor": kept(() => ({ constructor: { name: "Map" } }), { constructor: { name: "Map" } }),
  "the constructor Map": refused(() => ({ constructor: Map })),
  "a hidden constructor Map": kept(() => hiding({ a: 1 }, { constructor: Map }), { a: 1 }),
  "a hidden constructor Array on a date": built(
    () => hiding(new Date(5), { constructor: Array }),
    new Date(5),
  ),
  "a date with a getTime of its own": built(() => hiding(new Date(5), { getTime: fail }), new Date(5)),
  "a map with a forEach of its own": built(() => hiding(new Map(map), { forEach: fail, size: 9 }), map),
  "a pattern with a source of its own": built(
    () => hiding(/a(b)/gi, { source: "(", flags: "zz", global: false }),
    /a(b)/gi,
  ),
  "bytes with parts of their own": built(
    () => hiding(new Uint8Array(bytes), { byteLength: 1, byteOffset: 2, buffer: floats.buffer, length: 9 }),
    bytes,
  ),
  "floats with parts of their own": built(
    () => hiding(new Float64Array(floats), { byteLength: 3, byteOffset: 8, constructor: Int8Array }),
    floats,
  ),
};

const OTHERS: Record<string, Hostile> = {
  "an object of another realm": kept(() => realm("({ a: [1, { b: 'x' }] })"), { a: [1, { b: "x" }] }),
  "an array of another realm": kept(() => realm("[1, [2]]"), [1, [2]]),
  "a date of another realm": built(() => realm("new Date(5)"), new Date(5)),
  "a map of another realm": built(() => realm("new Map([[1, new Date(5)]])"), map),
  "a set of another realm": built(() => realm("new Set(['a'])"), set),
  "a pattern of another realm": built(() => realm("/a/g"), /a/g),
  "bytes of another realm": built(() => realm("new Uint8Array([1, 2, 255])"), bytes),
  "floats of another realm": built(() => realm("new Float64Array([1.5, -2])"), floats),
  "an error of another realm": built(() => realm("new Error('m')"), new Error("m")),
  "a type error of another realm": built(
    () => realm("new TypeError('m')"),
    hiding(new Error("m"), { name: "TypeError" }),
  ),
  "a function of another realm": refused(() => realm("() => 1")),
  arguments: refused(() =>
    (function (..._given: number[]) {
      // biome-ignore lint/complexity/noArguments: the object itself is what is tested
      return arguments;
    })(1, 2),
  ),
  "a getter that throws": refused(() => Object.defineProperty({}, "x", { get: fail, enumerable: true })),
  "a getter that throws null": refused(() => ({
    get x() {
      const nothing: unknown = null;
      throw nothing;
    },
  })),
  "an element that throws": refused(() =>
    Object.defineProperty([1, 2], 1, { get: fail, enumerable: true, configurable: true }),
  ),
  "a symbol on bytes": refused(() => Object.assign(new Uint8Array(1), { [Symbol("s")]: 1 })),
  "a symbol on a date": refused(() => Object.assign(new Date(), { [Symbol("s")]: 1 })),
};

const HOSTILE = { ...PROXIES, ...ES5_CLASSES, ...SUBCLASSES, ...PRETENDERS, ...OTHERS };

/** Ways to put a value inside another, and out again. */
const HOLDERS: Record<string, { put: (part: unknown) => unknown; take: (whole: never) => unknown }> = {
  itself: { put: (part) => part, take: (whole) => whole },
  object: { put: (part) => ({ a: 1, part, z: "z" }), take: (whole: { part: unknown }) => whole.part },
  array: { put: (part) => [[1], part, null], take: (whole: unknown[]) => whole[1] },
  "class instance": {
    put: (part) => Object.assign(new Tagged(), { part }),
    take: (whole: { part: unknown }) => whole.part,
  },
  "object without prototype": {
    put: (part) => Object.assign(Object.create(null) as object, { part }),
    take: (whole: { part: unknown }) => whole.part,
  },
  accessor: {
    put: (part) => ({
      get part() {
        return part;
      },
    }),
    take: (whole: { part: unknown }) => whole.part,
  },
  "graph with -0": { put: (part) => ({ zero: -0, part }), take: (whole: { part: unknown }) => whole.part },
};

function encoded(codec: (typeof codecs)[number], value: unknown): Uint8Array | undefined {
  try {
    return codec.encode(value);
  } catch {
    return undefined;
  }
}

describe.each(codecs.map((codec) => [codec.name as "msgpack" | "json", codec] as const))(
  "%s",
  (name, codec) => {
    it.each(Object.entries(HOSTILE))("keeps or refuses %s, wherever it stands", (_name, hostile) => {
      const outcome = hostile[name];
      for (const { put, take } of Object.values(HOLDERS)) {
        const bytes = encoded(codec, put(hostile.make()));
        if (outcome === REFUSED) expect(bytes).toBeUndefined();
        else deepStrictEqual(take(codec.decode(bytes as Uint8Array) as never), outcome.becomes);
      }
    });

    it("any of them together, at any depth, come back as each does alone, or not at all", () => {
      const leaf = fc.constantFrom(...Object.values(HOSTILE));
      const tree = fc.letrec<{ node: { value: () => unknown; becomes: Outcome } }>((tie) => ({
        node: fc.oneof(
          { depthSize: "small" },
          leaf.map((hostile) => ({ value: hostile.make, becomes: hostile[name] })),
          fc.jsonValue().map((value) => ({ value: () => value, becomes: { becomes: value } })),
          fc.array(tie("node"), { maxLength: 4 }).map((nodes) => ({
            value: () => nodes.map((node) => node.value()),
            becomes: joined(nodes.map((node) => node.becomes)),
          })),
          fc.array(tie("node"), { maxLength: 4 }).map((nodes) => ({
            value: () => Object.fromEntries(nodes.map((node, index) => [`k${index}`, node.value()])),
            becomes: joined(
              nodes.map((node) => node.becomes),
              (parts) => Object.fromEntries(parts.map((part, index) => [`k${index}`, part])),
            ),
          })),
        ),
      })).node;
      fc.assert(
        fc.property(tree, ({ value, becomes }) => {
          const bytes = encoded(codec, value());
          if (becomes === REFUSED) expect(bytes).toBeUndefined();
          else deepStrictEqual(codec.decode(bytes as Uint8Array), becomes.becomes);
        }),
        { seed, numRuns: 1_000 },
      );
    });

    it("a getter that answers differently gives one of its answers, or the value is refused", () => {
      const answers: (readonly [string, () => unknown])[] = [
        ...Object.entries(HOSTILE).map(([kind, { make }]) => [kind, make] as const),
        ["undefined", () => undefined],
        ["a number", () => 1],
        ["NaN", () => Number.NaN],
        ["-0", () => -0],
        ["a bigint", () => 2n ** 70n],
        ["a text", () => "\ud800"],
        ["a function", () => fail],
        ["a symbol", () => Symbol("s")],
        ["an object", () => ({ a: 1 })],
        ["a date", () => new Date(0)],
        ["holes", () => Object.assign([], { 1: 1 })],
        ["toJSON", () => ({ toJSON: () => 1 })],
      ];
      const alone = new Map(answers.map(([kind, make]) => [kind, encoded(codec, [make()])]));
      const comesBack = (kind: string) => {
        const bytes = alone.get(kind);
        return bytes && [(codec.decode(bytes) as unknown[])[0]];
      };
      for (const [first, makeFirst] of answers) {
        for (const [second, makeSecond] of answers) {
          for (const isSteady of [true, false]) {
            let reads = 0;
            const value = {
              get x() {
                reads++;
                return (isSteady ? reads > 1 : reads % 2 === 0) ? makeSecond() : makeFirst();
              },
            };
            const bytes = encoded(codec, value);
            if (bytes === undefined) continue;
            const { x } = codec.decode(bytes) as { x: unknown };
            const allowed = [comesBack(first), comesBack(second)].filter((answer) => answer !== undefined);
            expect(allowed.some((answer) => isDeepStrictEqual(answer[0], x))).toBe(true);
          }
        }
      }
    });

    it("an accessor that changes what is around it breaks nothing", () => {
      const growing: Record<string, unknown> = {};
      Object.defineProperty(growing, "a", {
        enumerable: true,
        get: () => {
          growing["later"] = new Map();
          delete growing["b"];
          return 1;
        },
      });
      growing["b"] = 2;
      const shrinking: unknown[] = [1, 2, 3];
      Object.defineProperty(shrinking, 0, {
        enumerable: true,
        configurable: true,
        get: () => {
          shrinking.length = 1;
          return 1;
        },
      });
      const swelling: unknown[] = [1, 2, 3];
      Object.defineProperty(swelling, 1, {
        enumerable: true,
        get: () => swelling.push(9),
      });
      for (const value of [growing, shrinking, swelling, [growing, -0], { zero: -0, swelling }]) {
        const bytes = encoded(codec, value);
        if (bytes !== undefined) expect(() => codec.decode(bytes)).not.toThrow();
      }
      expect(Array.from({ length: 3 }, () => codec.decode(codec.encode({ ok: [1] })))).toEqual(
        Array.from({ length: 3 }, () => ({ ok: [1] })),
      );
    });
  },
);

function joined(outcomes: Outcome[], join: (parts: unknown[]) => unknown = (parts) => parts): Outcome {
  const parts: unknown[] = [];
  for (const outcome of outcomes) {
    if (outcome === REFUSED) return REFUSED;
    parts.push(outcome.becomes);
  }
  return { becomes: join(parts) };
}
