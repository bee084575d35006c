/**
 * The order of keys: that of their UTF-8 bytes, which is that of their code points.
 *
 * JavaScript's `<` compares UTF-16 units instead. The two disagree only where a surrogate pair, which stands for a
 * code point beyond U+FFFF, meets a unit from U+E000 to U+FFFF.
 */

/** Keys without a surrogate are ordered by `<`, three times as fast as by {@link compareKeys}. */
export const SURROGATE = /[\ud800-\udfff]/;

/**
 * Below, at or above zero as `a` comes before, is, or comes after `b` in the order of UTF-8 bytes.
 */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  if (SURROGATE.test(a) || SURROGATE.test(b)) return compareUnits(a, b);
  return a < b ? -1 : 1;
}

/**
 * The least key above all keys with the prefix, or `undefined` when there is none (every code point is the last
 * one, or there is no prefix). The prefix must be well-formed.
 */
export function prefixEnd(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number);
  for (let point = points.pop(); point !== undefined; point = points.pop()) {
    if (point === 0x10ffff) continue;
    // Surrogates are no code points: U+E000 follows U+D7FF.
    const next = point === 0xd7ff ? 0xe000 : point + 1;
    return points.map((unchanged) => String.fromCodePoint(unchanged)).join("") + String.fromCodePoint(next);
  }
  return undefined;
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
