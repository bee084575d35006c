/**
 * The order of keys: that of their UTF-8 bytes, which is that of their code points.
 *
 * JavaScript's `<` compares UTF-16 units instead. The two disagree only where a surrogate pair, which stands for a
 * code point beyond U+FFFF, meets a unit from U+E000 to U+FFFF.
 */

const HIGH_UNIT = /[\ud800-\uffff]/;
const SURROGATE = /[\ud800-\udfff]/;
const ABOVE_SURROGATES = /[\ue000-\uffff]/;

const LAST_POINT = 0x10ffff;

/** Both kinds of {@link kindsOf}: where they meet, `<` may err. */
export const MIXED_KINDS = 3;

/** Which units a key holds: 1 for surrogates, 2 for U+E000 to U+FFFF, their sum for both, most often 0. */
export function kindsOf(key: string): number {
  if (!HIGH_UNIT.test(key)) return 0;
  return (SURROGATE.test(key) ? 1 : 0) | (ABOVE_SURROGATES.test(key) ? 2 : 0);
}

/** Below, at or above zero as `a` comes before, is, or comes after `b` in the order of UTF-8 bytes. */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  if ((kindsOf(a) | kindsOf(b)) === MIXED_KINDS) return compareUnits(a, b);
  return a < b ? -1 : 1;
}

/**
 * The index of the first of the sorted keys that is not below `key`, by binary search. `kinds` are those of all
 * the keys together with `key`.
 */
export function firstNotBefore(keys: readonly string[], key: string, kinds: number): number {
  const isNative = kinds !== MIXED_KINDS;
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = keys[middle] as string;
    if (isNative ? other < key : compareUnits(other, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The least key above all keys with the prefix, or `undefined` when there is none (every code point is the last
 * one, or there is no prefix). The prefix must be well-formed.
 */
export function prefixEnd(prefix: string): string | undefined {
  for (let end = prefix.length; end > 0; ) {
    const start = isPairAt(prefix, end) ? end - 2 : end - 1;
    const point = prefix.codePointAt(start) as number;
    // Surrogates are no code points: U+E000 follows U+D7FF.
    if (point < LAST_POINT)
      return prefix.slice(0, start) + String.fromCodePoint(point === 0xd7ff ? 0xe000 : point + 1);
    end = start;
  }
  return undefined;
}

function isPairAt(text: string, end: number): boolean {
  return end > 1 && (text.charCodeAt(end - 1) & 0xfc00) === 0xdc00;
}

/** Surrogates stand for code points above all others: they are moved behind U+E000 to U+FFFF. */
function compareUnits(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) {
      return left >= 0xd800 && right >= 0xd800 ? rank(left) - rank(right) : left - right;
    }
  }
  return a.length - b.length;
}

function rank(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}
