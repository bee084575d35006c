/**
 * Values by name: a {@link ValueSpec} is plain data that fast-check can draw, shrink and print, and that makes the
 * same value each time it is asked. The model keeps specs, so that nobody who changes a value changes what is expected.
 */

import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";

/** `kind` says which value, `n` varies it. */
export interface ValueSpec {
  readonly kind: ValueKind;
  readonly n: number;
}

/** One for all, so that two values which hold it are alike. */
const notEncodable = (): void => undefined;

const MAKERS = {
  null: () => null,
  false: () => false,
  true: () => true,
  zero: () => 0,
  "minus-zero": () => -0,
  "not-a-number": () => Number.NaN,
  number: (n: number) => n,
  fraction: (n: number) => n + 0.5,
  "largest-integer": () => Number.MAX_SAFE_INTEGER,
  bigint: (n: number) => BigInt(n) * 10n ** 20n,
  "small-bigint": (n: number) => BigInt(n),
  empty: () => "",
  string: (n: number) => `value ${n} \0 😀`,
  date: (n: number) => new Date(1_700_000_000_000 + n),
  map: (n: number) =>
    new Map<unknown, unknown>([
      ["n", n],
      [{ n }, null],
    ]),
  set: (n: number) => new Set<unknown>([n, "é", 0n]),
  bytes: (n: number) => new Uint8Array([n & 255, 0, 255]),
  floats: (n: number) => new Float64Array([n, -0, 0.25]),
  buffer: (n: number) => Buffer.from(`buffer ${n}`),
  array: (n: number) => [n, null, [undefined, ""], { deep: [false] }],
  object: (n: number) => ({ n, ["constructor"]: "own", nested: { date: new Date(n), none: undefined } }),
  "own-proto": (n: number) => JSON.parse(`{"__proto__": ${n}, "a": {}}`) as unknown,
  circular: (n: number) => {
    const value: { n: number; self?: unknown } = { n };
    value.self = value;
    return value;
  },
  /** Taken as a value at the call, refused by the codec. */
  unencodable: (n: number) => ({ n, inside: [notEncodable] }),
  /** No values at all. */
  undefined: () => undefined,
  function: (n: number) => () => n,
  symbol: () => Symbol("no value"),
} as const satisfies Record<string, (n: number) => unknown>;

export type ValueKind = keyof typeof MAKERS;

const INVALID: ReadonlySet<ValueKind> = new Set<ValueKind>(["undefined", "function", "symbol"]);

const COMMON = [
  ...(["null", "false", "true", "zero", "minus-zero", "not-a-number", "number", "number", "number"] as const),
  ...([
    "fraction",
    "largest-integer",
    "bigint",
    "small-bigint",
    "small-bigint",
    "empty",
    "string",
    "string",
  ] as const),
  ...(["array", "object", "date"] as const),
];
const RARE = [
  ...(["map", "set", "bytes", "floats", "buffer", "own-proto", "circular"] as const),
  ...(["unencodable", "undefined", "function", "symbol"] as const),
];

/** Mostly cheap values, counters among them, and now and then each of the others. */
export function valueSpecs(): fc.Arbitrary<ValueSpec> {
  const kind = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom<ValueKind>(...COMMON) },
    { weight: 1, arbitrary: fc.constantFrom<ValueKind>(...RARE) },
  );
  return fc.record({ kind, n: fc.integer({ min: -3, max: 9 }) });
}

/** A new value each time. */
export function makeValue({ kind, n }: ValueSpec): unknown {
  return MAKERS[kind](n);
}

/** False for what no storage takes. */
export function isValue({ kind }: ValueSpec): boolean {
  return !INVALID.has(kind);
}

export function isEncodable({ kind }: ValueSpec): boolean {
  return kind !== "unencodable";
}

/** The same value in kind and content; -0 is not 0, and a Buffer is not any Uint8Array. */
export function isSameValue(actual: unknown, expected: unknown): boolean {
  if (typeof expected !== "object" || expected === null) return Object.is(actual, expected);
  return isDeepStrictEqual(actual, expected);
}

/** Changes whatever can be changed of a value, as careless callers do; false where nothing can. */
export function spoil(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (value instanceof Map) value.set("spoilt", true);
  else if (value instanceof Set) value.add("spoilt");
  else if (value instanceof Date) value.setTime(0);
  else if (ArrayBuffer.isView(value)) (value as Uint8Array)[0] = 77;
  else Object.assign(value, { spoilt: true });
  return true;
}
