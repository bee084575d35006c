/** The keys of a prefix as a range, in the order SQLite compares TEXT in: by the bytes of UTF-8. */

const LAST_CODE_POINT = 0x10ffff;
const SURROGATES_FIRST = 0xd800;
const SURROGATES_LAST = 0xdfff;

/**
 * The least string above every string that starts with `prefix`, or `undefined` when there is none. Code points and
 * UTF-8 bytes have one order, so it is the prefix with its last code point raised.
 */
export function endOfPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === LAST_CODE_POINT) continue;
    const next = last + 1 >= SURROGATES_FIRST && last < SURROGATES_LAST ? SURROGATES_LAST + 1 : last + 1;
    return String.fromCodePoint(...points, next);
  }
  return undefined;
}
