/**
 * A value that was encoded at the call, as the value policy `"copied"` keeps it in the table: nobody can change it
 * between the write and its way to the backend, and each read decodes a copy of its own.
 */

import { types } from "node:util";
import { LeakDBError } from "../errors.js";
import type { Codec } from "./codec.js";
import { typeNameOf } from "./object-kind.js";

export class EncodedValue {
  readonly bytes: Uint8Array;
  readonly #isEncoded = true;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Asks no value for its prototype: a user's proxy could answer anything, or throw. */
  static [Symbol.hasInstance](value: unknown): value is EncodedValue {
    return typeof value === "object" && value !== null && #isEncoded in value;
  }
}

/**
 * The bytes of a table's value, encoded now unless it was at the call.
 * @throws LEAKDB_ENCODE_FAILED for whatever the codec throws, and when it returns no `Uint8Array`
 */
export function encodeValue(value: unknown, codec: Codec): Uint8Array {
  if (value instanceof EncodedValue) return value.bytes;
  let bytes: unknown;
  try {
    bytes = codec.encode(value);
  } catch (cause) {
    throw encodeFailed(codec, cause);
  }
  if (types.isUint8Array(bytes)) return bytes;
  // Its failure is this one already; as an unhandled rejection it would end the process.
  if (types.isPromise(bytes)) bytes.catch(() => undefined);
  const message = `the codec ${codec.name} must return a Uint8Array, not ${nounOf(bytes)}`;
  throw new LeakDBError("LEAKDB_ENCODE_FAILED", message);
}

/**
 * The same, written into `target` from `start` on, where the codec can do so; where it ends, -1 when that is not so, or
 * there is no room.
 * @throws LEAKDB_ENCODE_FAILED
 */
export function encodeValueInto(value: unknown, codec: Codec, target: Uint8Array, start: number): number {
  if (codec.encodeInto === undefined || value instanceof EncodedValue) return -1;
  try {
    return codec.encodeInto(value, target, start);
  } catch (cause) {
    throw encodeFailed(codec, cause);
  }
}

/** A new value from bytes. @throws LEAKDB_DECODE_FAILED, naming the key */
export function decodeValue(bytes: Uint8Array, codec: Codec, key: string): unknown {
  try {
    return codec.decode(bytes);
  } catch (cause) {
    throw new LeakDBError(
      "LEAKDB_DECODE_FAILED",
      `the stored value of ${JSON.stringify(key)} cannot be decoded by the codec ${codec.name}: was it written with another codec?`,
      { cause },
    );
  }
}

function encodeFailed(codec: Codec, cause: unknown): LeakDBError {
  const message = `the codec ${codec.name} cannot encode the value: ${reasonOf(cause)}`;
  return new LeakDBError("LEAKDB_ENCODE_FAILED", message, { cause });
}

/** What was thrown may itself throw when it is looked at. */
function reasonOf(cause: unknown): string {
  try {
    const message: unknown = cause instanceof Error || types.isNativeError(cause) ? cause.message : undefined;
    if (typeof message === "string") return message;
  } catch {
    // Then it is no Error either.
  }
  return "it threw something that is no Error";
}

function nounOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  const type = typeof value === "object" ? typeNameOf(value) : typeof value;
  return `${/^[aeio]/i.test(type) ? "an" : "a"} ${type}`;
}
