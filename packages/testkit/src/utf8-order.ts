/**
 * The order of keys: by their UTF-8 bytes, which is the order of code points and not that of JavaScript's `<`,
 * which compares UTF-16 units and puts an emoji before U+FF5E.
 */

/** Negative when `a` comes before `b`, 0 when they are equal, positive when it comes after. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const unitA = a.charCodeAt(index);
    const unitB = b.charCodeAt(index);
    if (unitA !== unitB) return rank(unitA) - rank(unitB);
  }
  return a.length - b.length;
}

/** Moves surrogates, which stand for the code points past U+FFFF, behind all other units. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
