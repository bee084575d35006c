/**
 * The keys of the model tests: few, so that operations meet each other, and chosen to be confused with one another:
 * names that objects inherit, prefixes of each other, NUL, and a pair that UTF-16 orders otherwise than UTF-8.
 */

import fc from "fast-check";

export const KEYS = [
  "a",
  "ab",
  "abc",
  "b",
  "__proto__",
  "constructor",
  "\0",
  "a\0",
  "1",
  "\uff5e",
  "😀",
] as const;

/** Prefixes that make one of the keys out of another, or none at all. */
export const PREFIXES = ["", "a", "n:", "__proto__"] as const;

/** What is no key, by name: plain data, so that a failure prints it. */
export const INVALID_KEYS = {
  empty: "",
  number: 5,
  undefined: undefined,
  null: null,
  object: {},
  "lone surrogate": "a\ud800",
  "too long": "k".repeat(1_025),
  "too long in bytes": "é".repeat(513),
} as const;

export type InvalidKey = keyof typeof INVALID_KEYS;

const UTF8 = new Map<string, Buffer>();

/** The order of UTF-8 bytes, by comparing the bytes. */
export function byUtf8(a: string, b: string): number {
  return Buffer.compare(bytesOf(a), bytesOf(b));
}

export function keys(): fc.Arbitrary<string> {
  return fc.constantFrom(...KEYS);
}

export function prefixes(): fc.Arbitrary<string> {
  return fc.constantFrom(...PREFIXES);
}

function bytesOf(key: string): Buffer {
  let bytes = UTF8.get(key);
  if (bytes === undefined) {
    bytes = Buffer.from(key);
    UTF8.set(key, bytes);
  }
  return bytes;
}
