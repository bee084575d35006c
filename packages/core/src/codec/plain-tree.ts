/**
 * Writes what MessagePack alone carries exactly, so that most values need nothing else.
 *
 * First step of `msgpack-codec.ts`. A plain tree is made of objects, arrays, primitives, dates, `Buffer`s and
 * `Uint8Array`s. What would come back altered is not plain and goes to `object-graph.ts`, which either keeps it or
 * names what cannot be kept: -0, lone surrogates, a leading byte order mark (msgpackr's decoder drops it), keys named
 * `__proto__` (it renames them), holes in arrays, properties on arrays, objects that are referred to twice.
 *
 * Keeps: every property is read once, looked at and written; what an accessor would answer later does not matter.
 */

import { types } from "node:util";
import type { MsgpackWriter } from "./msgpack-writer.js";
import { byteLengthOf, isOrdinary, isProxy } from "./object-kind.js";
import { DEPTH_MAX, isDenseArray } from "./plain-values.js";

/** From here on a set is faster than comparing with each object seen. */
const LINEAR_MAX = 12;

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

/** False when `value` is not plain; what the writer holds then is of no use. Functions and symbols are not plain. */
export function writePlainTree(value: unknown, writer: MsgpackWriter): boolean {
  return typeof value === "object" && value !== null
    ? writeObject(value, writer, 1, undefined)
    : writePrimitive(value, writer);
}

function writePrimitive(value: unknown, writer: MsgpackWriter): boolean {
  switch (typeof value) {
    case "string":
      return writer.text(value);
    case "number":
      if (value === 0 && Object.is(value, -0)) return false;
      writer.number(value);
      return true;
    case "boolean":
      writer.boolean(value);
      return true;
    case "bigint":
      writer.bigint(value);
      return true;
    case "undefined":
      writer.undefined();
      return true;
    case "object":
      writer.nil();
      return true;
    default:
      return false;
  }
}

function writeObject(object: object, writer: MsgpackWriter, depth: number, seen: Seen | undefined): boolean {
  if (isProxy(object) || depth > DEPTH_MAX || Object.getOwnPropertySymbols(object).length > 0) return false;
  if (Array.isArray(object)) return writeElements(object, writer, depth, seen);
  if (ArrayBuffer.isView(object)) return writeView(object, writer);
  const keys = Object.keys(object);
  if (types.isDate(object)) return keys.length === 0 && writeDate(object, writer);
  return isOrdinary(object, keys.length) && writeFields(object, keys, writer, depth, seen);
}

function writeFields(
  object: object,
  keys: readonly string[],
  writer: MsgpackWriter,
  depth: number,
  seen: Seen | undefined,
): boolean {
  writer.mapHeader(keys.length);
  let known = seen;
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] as string;
    if (key === "__proto__" || !writer.text(key)) return false;
    const value = (object as Record<string, unknown>)[key];
    if (typeof value === "object" && value !== null) {
      known ??= new Seen(object);
      if (!known.add(value) || !writeObject(value, writer, depth + 1, known)) return false;
    } else if (!writePrimitive(value, writer)) return false;
  }
  return true;
}

function writeElements(
  array: readonly unknown[],
  writer: MsgpackWriter,
  depth: number,
  seen: Seen | undefined,
): boolean {
  if (!isDenseArray(array)) return false;
  const { length } = array;
  writer.arrayHeader(length);
  let known = seen;
  for (let index = 0; index < length; index++) {
    const value = array[index];
    if (typeof value === "object" && value !== null) {
      known ??= new Seen(array);
      if (!known.add(value) || !writeObject(value, writer, depth + 1, known)) return false;
    } else if (!writePrimitive(value, writer)) return false;
  }
  return true;
}

function writeView(view: ArrayBufferView, writer: MsgpackWriter): boolean {
  if (!types.isUint8Array(view)) return false;
  if (view instanceof Buffer) writer.bytes(view, byteLengthOf(view));
  else writer.uint8Array(view, byteLengthOf(view));
  return true;
}

function writeDate(date: Date, writer: MsgpackWriter): boolean {
  writer.date(Date.prototype.getTime.call(date));
  return true;
}
