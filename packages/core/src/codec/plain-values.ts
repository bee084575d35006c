/**
 * Tells whether msgpackr alone carries a value exactly, so that most values need nothing else.
 *
 * First step of `msgpack-codec.ts`. A plain value is a tree of objects, arrays, primitives, dates, `Buffer`s and
 * `Uint8Array`s. What msgpackr would alter without a word is not plain and goes to `object-graph.ts`, which either
 * keeps it or names what cannot be kept: -0, lone surrogates, a leading byte order mark (its decoder drops it), keys
 * named `__proto__` (it renames them), holes in arrays, properties on arrays, objects that are referred to twice.
 */

/** The most levels of objects inside objects, for encoding and for decoding. */
export const DEPTH_MAX = 1_000;

/** From here on a set is faster than comparing with each object seen. */
const LINEAR_MAX = 12;

const BYTE_ORDER_MARK = 0xfeff;

/** Objects met so far: one that comes again makes the value a graph rather than a tree. */
class Seen {
  private readonly list: object[];
  private set: Set<object> | undefined = undefined;

  constructor(root: object) {
    this.list = [root];
  }

  /** False when the object was met before. */
  add(object: object): boolean {
    if (this.set !== undefined) {
      const size = this.set.size;
      return this.set.add(object).size > size;
    }
    if (this.list.includes(object)) return false;
    if (this.list.push(object) > LINEAR_MAX) this.set = new Set(this.list);
    return true;
  }
}

/** True when msgpackr's encoding of `value` decodes to an equal value. Functions and symbols are not plain. */
export function isPlainTree(value: unknown): boolean {
  return typeof value === "object" && value !== null
    ? isPlainObject(value, 1, undefined)
    : isPlainPrimitive(value);
}

/** True for a string that UTF-8 and msgpackr's decoder keep as it is. */
export function isPlainString(text: string): boolean {
  return text.isWellFormed() && text.charCodeAt(0) !== BYTE_ORDER_MARK;
}

/** The type name of an object by its internal slots, or by what its class says through `Symbol.toStringTag`. */
export function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/** True when an array has neither holes nor properties besides its elements: indexes come first, in order. */
export function isDenseArray(array: readonly unknown[]): boolean {
  const { length } = array;
  if (length === 0) return Object.keys(array).length === 0;
  const keys = Object.keys(array);
  return keys.length === length && keys[length - 1] === String(length - 1);
}

function isPlainPrimitive(value: unknown): boolean {
  switch (typeof value) {
    case "string":
      return isPlainString(value);
    case "number":
      return value !== 0 || !Object.is(value, -0);
    case "boolean":
    case "bigint":
    case "undefined":
      return true;
    default:
      return value === null;
  }
}

function isPlainObject(object: object, depth: number, seen: Seen | undefined): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype === Object.prototype || prototype === null) return hasPlainFields(object, depth, seen);
  if (Array.isArray(object)) {
    return prototype === Array.prototype && hasPlainElements(object, depth, seen);
  }
  if (prototype === Date.prototype) return tagOf(object) === "Date" && Object.keys(object).length === 0;
  if (prototype === Buffer.prototype || prototype === Uint8Array.prototype) return ArrayBuffer.isView(object);
  return Object.prototype.toString.call(object) === "[object Object]" && hasPlainFields(object, depth, seen);
}

function hasPlainFields(object: object, depth: number, seen: Seen | undefined): boolean {
  if (depth > DEPTH_MAX || Object.getOwnPropertySymbols(object).length > 0) return false;
  const keys = Object.keys(object);
  let known = seen;
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] as string;
    if (key === "__proto__" || !isPlainString(key)) return false;
    const value = (object as Record<string, unknown>)[key];
    if (typeof value === "object" && value !== null) {
      known ??= new Seen(object);
      if (!known.add(value) || !isPlainObject(value, depth + 1, known)) return false;
    } else if (!isPlainPrimitive(value)) return false;
  }
  return true;
}

function hasPlainElements(array: readonly unknown[], depth: number, seen: Seen | undefined): boolean {
  if (depth > DEPTH_MAX || !isDenseArray(array) || Object.getOwnPropertySymbols(array).length > 0)
    return false;
  let known = seen;
  for (let index = 0; index < array.length; index++) {
    const value = array[index];
    if (typeof value === "object" && value !== null) {
      known ??= new Seen(array);
      if (!known.add(value) || !isPlainObject(value, depth + 1, known)) return false;
    } else if (!isPlainPrimitive(value)) return false;
  }
  return true;
}
