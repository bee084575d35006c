/**
 * What both codecs ask of values: the depth they go to, and whether a string or an array is kept by a plain form.
 */

/** The most levels of objects inside objects, for encoding and for decoding. */
export const DEPTH_MAX = 1_000;

const BYTE_ORDER_MARK = 0xfeff;

/** True for a string that UTF-8 and msgpackr's decoder keep as it is. */
export function isPlainString(text: string): boolean {
  return text.isWellFormed() && text.charCodeAt(0) !== BYTE_ORDER_MARK;
}

/** True when an array has neither holes nor properties besides its elements: indexes come first, in order. */
export function isDenseArray(array: readonly unknown[]): boolean {
  const { length } = array;
  if (length === 0) return Object.keys(array).length === 0;
  const keys = Object.keys(array);
  return keys.length === length && keys[length - 1] === String(length - 1);
}
