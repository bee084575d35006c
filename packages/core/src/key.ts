/**
 * What a key may be: a non-empty well-formed string of at most 1,024 UTF-8 bytes, its prefix included. A leaf: the
 * storages check every key that is new to them here, before anything changes.
 */

/** The longest key in UTF-8 bytes, with its prefix. */
export const KEY_BYTES_MAX = 1_024;

/** No UTF-16 code unit takes more than this many bytes in UTF-8. */
const BYTES_PER_UNIT_MAX = 3;

/**
 * @throws TypeError when `key` is no string, or has a lone surrogate: two such keys would be one in UTF-8.
 * @throws RangeError when it is empty, or longer than `bytesMax`.
 */
export function checkKey(key: unknown, bytesMax = KEY_BYTES_MAX): asserts key is string {
  if (typeof key !== "string") throw new TypeError(`a key must be a string, not ${typeName(key)}`);
  if (key.length === 0) throw new RangeError("a key must not be empty");
  if (!key.isWellFormed()) {
    throw new TypeError(
      "a key must be well-formed: this one has a lone surrogate (see String.prototype.toWellFormed)",
    );
  }
  if (key.length * BYTES_PER_UNIT_MAX > bytesMax && Buffer.byteLength(key) > bytesMax) {
    throw new RangeError(
      `a key must have at most ${bytesMax} UTF-8 bytes with its prefix, not ${Buffer.byteLength(key)}`,
    );
  }
}

/** True for what a storage takes as a key: to check keys from outside, such as URLs, before they are used. */
export function isKey(key: unknown, bytesMax = KEY_BYTES_MAX): key is string {
  try {
    checkKey(key, bytesMax);
    return true;
  } catch {
    return false;
  }
}

/** A prefix may be empty, else it keeps the rules of a key. */
export function checkPrefix(prefix: unknown): asserts prefix is string {
  if (prefix !== "") checkKey(prefix);
}

/** A part of a key, such as a bound of a range, that may be of any length. @throws TypeError */
export function checkKeyPart(name: string, part: unknown): asserts part is string {
  if (typeof part !== "string") throw new TypeError(`${name} must be a string, not ${typeName(part)}`);
  if (!part.isWellFormed()) throw new TypeError(`${name} must be well-formed: this one has a lone surrogate`);
}

function typeName(value: unknown): string {
  return value === null ? "null" : typeof value;
}
