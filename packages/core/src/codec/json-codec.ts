/**
 * The codec for rows that other tools read: plain JSON in UTF-8.
 *
 * JSON stands for fewer values than JavaScript has, and `JSON.stringify` drops or changes the others without a
 * word. Here they are refused by name before anything is written, so that what is stored comes back as it was.
 */

import { isUtf8 } from "node:buffer";
import type { Codec } from "./codec.js";
import { DEPTH_MAX, isDenseArray, tagOf } from "./plain-values.js";
import { elementStep, propertyStep, valuePath } from "./value-path.js";

/**
 * JSON in UTF-8, without a byte order mark.
 *
 * Kept exactly: `null`, booleans, finite numbers (-0 too), strings (lone surrogates as escapes), arrays, plain
 * objects with any own string key, `__proto__` among them.
 *
 * Changed by design: a class instance comes back as a plain object of its own enumerable properties, an object
 * that is referred to twice as two equal objects, and an accessor as the value it gave.
 *
 * `encode` throws a `TypeError` or `RangeError` whose message names the part and never carries a value:
 * `undefined`, functions and symbols anywhere, NaN and infinities, bigints, dates, maps, sets and all other
 * built-in types, anything with `toJSON`, arrays with holes or properties, symbol-keyed properties, circular
 * references, more than 1,000 levels of nesting. `decode` throws an `Error` for bytes that are not UTF-8 or not
 * JSON, or nested deeper.
 */
export function jsonCodec(): Codec {
  return {
    name: "json",
    encode(value) {
      const check = new Check();
      const fault = check.fault(value);
      if (fault !== undefined) throw fault.error();
      return Buffer.from(check.hasNegativeZero ? stringify(value) : JSON.stringify(value));
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

/** One walk over a value before it is written. */
class Check {
  /** `JSON.stringify` writes it as 0, although JSON has it. */
  hasNegativeZero = false;
  /** The objects from the value down to where the walk is. */
  readonly #above: object[] = [];

  fault(value: unknown): Fault | undefined {
    switch (typeof value) {
      case "string":
      case "boolean":
        return undefined;
      case "number":
        if (Object.is(value, -0)) this.hasNegativeZero = true;
        return Number.isFinite(value) ? undefined : refusal("is not a finite number");
      case "object":
        return value === null ? undefined : this.#objectFault(value);
      case "undefined":
        return refusal("is undefined");
      default:
        return refusal(`is a ${typeof value}`);
    }
  }

  #objectFault(object: object): Fault | undefined {
    // At this length a cycle would have come round, or else the nesting is too deep.
    if (this.#above.length === DEPTH_MAX) {
      return this.#above.includes(object)
        ? refusal("refers back to an object around it")
        : new Fault(`is nested deeper than ${DEPTH_MAX} levels`, RangeError);
    }
    if (Object.getOwnPropertySymbols(object).length > 0)
      return refusal("has a property whose key is a symbol");
    if (typeof (object as { toJSON?: unknown }).toJSON === "function") {
      return refusal(`is a ${tagOf(object)} with toJSON, which would change it`);
    }
    this.#above.push(object);
    const fault = Array.isArray(object) ? this.#elementFault(object) : this.#fieldFault(object);
    this.#above.pop();
    return fault;
  }

  #elementFault(array: readonly unknown[]): Fault | undefined {
    if (!isDenseArray(array)) return refusal("is an array with holes or properties");
    for (let index = 0; index < array.length; index++) {
      const fault = this.fault(array[index]);
      if (fault !== undefined) return fault.under(elementStep(index));
    }
    return undefined;
  }

  #fieldFault(object: object): Fault | undefined {
    const tag = tagOf(object);
    if (tag !== "Object") return refusal(`is a ${tag}`);
    const keys = Object.keys(object);
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index] as string;
      const fault = this.fault((object as Record<string, unknown>)[key]);
      if (fault !== undefined) return fault.under(propertyStep(key));
    }
    return undefined;
  }
}

function refusal(what: string): Fault {
  return new Fault(`${what}, which JSON does not keep`);
}

/** `JSON.stringify` for a checked value, but for -0. */
function stringify(value: unknown): string {
  if (Object.is(value, -0)) return "-0";
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(stringify).join(",")}]`;
  const fields = Object.entries(value).map(([key, field]) => `${JSON.stringify(key)}:${stringify(field)}`);
  return `{${fields.join(",")}}`;
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
