/**
 * A value that was encoded at the call, as the value policy `"copied"` keeps it in the table: nobody can change it
 * between the write and its way to the backend, and each read decodes a copy of its own.
 */

import { LeakDBError } from "../errors.js";
import type { Codec } from "./codec.js";

export class EncodedValue {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** The bytes of a table's value, encoded now unless it was at the call. @throws LEAKDB_ENCODE_FAILED */
export function encodeValue(value: unknown, codec: Codec): Uint8Array {
  if (value instanceof EncodedValue) return value.bytes;
  try {
    return codec.encode(value);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "it threw something that is no Error";
    throw new LeakDBError(
      "LEAKDB_ENCODE_FAILED",
      `the codec ${codec.name} cannot encode the value: ${reason}`,
      {
        cause,
      },
    );
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
