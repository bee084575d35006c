/**
 * The codec for rows that other tools read: plain JSON in UTF-8.
 *
 * JSON stands for fewer values than JavaScript has, and `JSON.stringify` drops or changes the others without a
 * word. Here they are refused by name, so that what is stored comes back as it was. Each property is read once,
 * looked at and written: an accessor that answers differently later changes nothing.
 */

import { isUtf8 } from "node:buffer";
import type { Codec } from "./codec.js";
import { JsonWriter } from "./json-writer.js";
import { isOrdinary, isProxy, typeNameOf } from "./object-kind.js";
import { DEPTH_MAX, isDenseArray } from "./plain-values.js";
import { elementStep, propertyStep, valuePath } from "./value-path.js";

/** A shorter array of numbers is written one by one. */
const NUMBERS_MIN = 8;

/**
 * JSON in UTF-8, without a byte order mark.
 *
 * Kept exactly: `null`, booleans, finite numbers (-0 too), strings (lone surrogates as escapes), arrays, plain
 * objects with any own string key, `__proto__` among them.
 *
 * Changed by design: a class instance comes back as a plain object of its own enumerable properties, an object
 * that is referred to twice as two equal objects, and an accessor as the value it gave when it was read. What is not
 * enumerable is left out.
 *
 * `encode` throws a `TypeError` or `RangeError` whose message names the part and never carries a value:
 * `undefined`, functions and symbols anywhere, NaN and infinities, bigints, dates, maps, sets and all other
 * built-in types (as their internal slots say, see `msgpackCodec`), proxies of anything, anything with `toJSON`,
 * arrays with holes or properties, symbol-keyed properties, circular references, more than 1,000 levels of nesting.
 * What an accessor throws is thrown on. `decode` throws an `Error` for bytes that are not UTF-8 or not JSON, or nested
 * deeper.
 */
export function jsonCodec(): Codec {
  /** Absent while a value is written: an accessor of it may have another value encoded. */
  let idleWriter: JsonWriter | undefined = new JsonWriter();

  return {
    name: "json",
    encode(value) {
      const writer = idleWriter ?? new JsonWriter();
      idleWriter = undefined;
      try {
        const fault = new Writing(writer).write(value);
        if (fault !== undefined) throw fault.error();
        return writer.take();
      } finally {
        writer.reset();
        idleWriter = writer;
      }
    },
    decode(bytes) {
      if (!(bytes instanceof Uint8Array)) throw new TypeError("bytes must be a Uint8Array");
      if (!isUtf8(bytes)) throw new Error("cannot decode: the bytes are not UTF-8");
      if (isDeep(bytes)) throw new Error(`cannot decode: it is nested deeper than ${DEPTH_MAX} levels`);
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
      try {
        return JSON.parse(text) as unknown;
      } catch {
        // V8's message quotes the text.
        throw new Error("cannot decode: the bytes are not JSON");
      }
    },
  };
}

/** What cannot be encoded, and where: the steps are gathered on the way back up. */
class Fault {
  #steps = "";

  constructor(
    readonly what: string,
    readonly type: typeof TypeError | typeof RangeError = TypeError,
  ) {}

  under(step: string): this {
    this.#steps = step + this.#steps;
    return this;
  }

  error(): Error {
    return new this.type(`${valuePath(this.#steps)} ${this.what}`);
  }
}

/** One walk over a value, which writes each part as it looks at it: nothing is read a second time. */
class Writing {
  /** The objects from the value down to where the walk is. */
  private readonly above: object[] = [];

  constructor(private readonly writer: JsonWriter) {}

  write(value: unknown): Fault | undefined {
    switch (typeof value) {
      case "string":
        this.writer.string(value);
        return undefined;
      case "boolean":
        this.writer.ascii(value ? "true" : "false");
        return undefined;
      case "number":
        if (!Number.isFinite(value)) return refusal("is not a finite number");
        this.writer.number(value);
        return undefined;
      case "object":
        if (value !== null) return this.writeObject(value);
        this.writer.ascii("null");
        return undefined;
      case "undefined":
        return refusal("is undefined");
      default:
        return refusal(`is a ${typeof value}`);
    }
  }

  private writeObject(object: object): Fault | undefined {
    // At this length a cycle would have come round, or else the nesting is too deep.
    if (this.above.length === DEPTH_MAX) {
      return this.above.includes(object)
        ? refusal("refers back to an object around it")
        : new Fault(`is nested deeper than ${DEPTH_MAX} levels`, RangeError);
    }
    if (isProxy(object)) return refusal("is a Proxy");
    if (Object.getOwnPropertySymbols(object).length > 0)
      return refusal("has a property whose key is a symbol");
    if (typeof (object as { toJSON?: unknown }).toJSON === "function") {
      return refusal(`is a ${typeNameOf(object)} with toJSON, which would change it`);
    }
    this.above.push(object);
    const fault = Array.isArray(object) ? this.writeElements(object) : this.writeFields(object);
    this.above.pop();
    return fault;
  }

  private writeElements(array: readonly unknown[]): Fault | undefined {
    if (!isDenseArray(array)) return refusal("is an array with holes or properties");
    const { length } = array;
    const numbers = numbersOf(array);
    if (numbers !== undefined) {
      this.writer.ascii(JSON.stringify(numbers));
      return undefined;
    }
    this.writer.byte(0x5b);
    for (let index = 0; index < length; index++) {
      if (index > 0) this.writer.byte(0x2c);
      const fault = this.write(array[index]);
      if (fault !== undefined) return fault.under(elementStep(index));
    }
    this.writer.byte(0x5d);
    return undefined;
  }

  private writeFields(object: object): Fault | undefined {
    if (ArrayBuffer.isView(object)) return refusal(`is a ${typeNameOf(object)}`);
    const keys = Object.keys(object);
    if (!isOrdinary(object, keys.length)) return refusal(`is a ${typeNameOf(object)}`);
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index] as string;
      this.writer.key(key, index === 0 ? 0x7b : 0x2c);
      const fault = this.write((object as Record<string, unknown>)[key]);
      if (fault !== undefined) return fault.under(propertyStep(key));
    }
    if (keys.length === 0) this.writer.byte(0x7b);
    this.writer.byte(0x7d);
    return undefined;
  }
}

/** A copy of an array that has nothing but numbers of JSON: V8 writes many at once faster than one by one. */
function numbersOf(array: readonly unknown[]): readonly unknown[] | undefined {
  if (array.length < NUMBERS_MIN || typeof array[0] !== "number") return undefined;
  if (Object.getPrototypeOf(array) !== Array.prototype) return undefined;
  const copy = [...array];
  for (let index = 0; index < copy.length; index++) {
    const value = copy[index];
    if (typeof value !== "number" || !Number.isFinite(value) || Object.is(value, -0)) return undefined;
  }
  return copy;
}

function refusal(what: string): Fault {
  return new Fault(`${what}, which JSON does not keep`);
}

/** True when JSON is nested deeper than {@link DEPTH_MAX}: each level takes two bytes, so short text cannot be. */
function isDeep(bytes: Uint8Array): boolean {
  if (bytes.length <= DEPTH_MAX * 2) return false;
  let depth = 0;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index];
    if (byte === 0x22) index = closingQuote(bytes, index);
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > DEPTH_MAX) return true;
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return false;
}

function closingQuote(bytes: Uint8Array, openingQuote: number): number {
  let index = openingQuote + 1;
  while (index < bytes.length && bytes[index] !== 0x22) index += bytes[index] === 0x5c ? 2 : 1;
  return index;
}
