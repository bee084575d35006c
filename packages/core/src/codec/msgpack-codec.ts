/**
 * The default codec: values of the structured clone kind as MessagePack.
 *
 * Two forms. A plain value (see `plain-values.ts`) is standard MessagePack, which any reader of the format can
 * read. Any other is the byte 0xC1, which MessagePack never uses, and then a table of nodes (see `object-graph.ts`).
 * Decoding checks all bytes first (`msgpack-scan.ts`), then hands them to msgpackr.
 *
 * Keeps: never altered silently; a decoded value shares no memory with the bytes or with another decoded value.
 */

import { Packr, RESET_BUFFER_MODE, REUSE_BUFFER_MODE } from "msgpackr";
import type { Codec } from "./codec.js";
import { scanMsgpack } from "./msgpack-scan.js";
import { flattenGraph } from "./object-graph.js";
import { rebuildGraph } from "./object-graph-rebuild.js";
import { isPlainTree } from "./plain-values.js";

const GRAPH_MARKER = 0xc1;

/** Encodings up to this many bytes are decoded from one buffer, which saves msgpackr a view for each. */
const DECODE_SCRATCH_BYTES = 16 * 1024;

/** A working buffer of msgpackr beyond this is given back: it keeps the largest it ever needed. */
const ENCODE_SCRATCH_BYTES_MAX = 1024 * 1024;
const ENCODE_SCRATCH_BYTES = 8 * 1024;

/** What msgpackr returns when told to reuse its buffer: the encoding lies between `start` and `end`. */
type EncodeScratch = Buffer & { readonly start: number; readonly end: number };

/**
 * A codec for everything the structured clone algorithm takes.
 *
 * Kept exactly: `null`, booleans, numbers (-0, NaN and infinities too), bigints of any size, strings (lone
 * surrogates too), `undefined` inside objects and arrays, dates (invalid ones too), `Map`, `Set`, `RegExp` with
 * `lastIndex`, errors with their own properties, typed arrays, `DataView`, `Buffer` (comes back as `Buffer`),
 * `ArrayBuffer`, arrays with holes or with properties, any own string key, shared and circular references.
 *
 * Changed by design: a class instance comes back as a plain object of its own enumerable properties, an instance of
 * a class that extends `Map`, `Error` or another type above as that type, and an object without prototype as a
 * plain one; two views of one buffer come back with a buffer each; an accessor comes back as the value it gave.
 * `toJSON` is not called.
 *
 * `encode` returns bytes that are never written again. Up to 4 KiB they are a part of Node's pool of 8 KiB, so
 * they may be kept at the cost of at most that pool, but their `.buffer` must not be transferred.
 *
 * Both throw a plain `TypeError`, `RangeError` or `Error` whose message names the part and never carries a value:
 * functions, symbols, symbol-keyed properties, promises, weak collections and other live objects; more than 1,000
 * levels of nesting; bytes that are truncated, too long or not written by this codec.
 */
export function msgpackCodec(): Codec {
  const packr = new Packr({
    useRecords: false,
    variableMapSize: true,
    moreTypes: true,
    copyBuffers: true,
    structuredClone: false,
    useToJSON: false,
    // Reached only by a getter that answers differently when it is read again; msgpackr would write undefined.
    writeFunction: () => {
      throw new TypeError("a property of the value turned into a function while it was encoded");
    },
  } as ConstructorParameters<typeof Packr>[0]);
  const scratch = Buffer.allocUnsafeSlow(DECODE_SCRATCH_BYTES);
  const range = { start: 0, end: 0 };

  function write(value: unknown, markerBytes: 0 | 1): Uint8Array {
    const source = packr.pack(value, REUSE_BUFFER_MODE | RESET_BUFFER_MODE) as EncodeScratch;
    const { start, end } = source;
    const bytes = Buffer.allocUnsafe(end - start + markerBytes);
    if (markerBytes === 1) bytes[0] = GRAPH_MARKER;
    source.copy(bytes, markerBytes, start, end);
    if (source.length > ENCODE_SCRATCH_BYTES_MAX) {
      packr.useBuffer(Buffer.allocUnsafeSlow(ENCODE_SCRATCH_BYTES));
    }
    return bytes;
  }

  function read(bytes: Uint8Array): unknown {
    const { length } = bytes;
    let source: Buffer = scratch;
    if (length <= DECODE_SCRATCH_BYTES) source.set(bytes);
    else source = Buffer.from(bytes.buffer, bytes.byteOffset, length);
    const start = source[0] === GRAPH_MARKER ? 1 : 0;
    scanMsgpack(source, start, length);
    range.start = start;
    range.end = length;
    const value: unknown = packr.unpack(source, range);
    return start === 1 ? rebuildGraph(value) : value;
  }

  return {
    name: "msgpack",
    encode(value) {
      if (value === undefined) throw new TypeError("value is undefined, which cannot be encoded");
      return isPlainTree(value) ? write(value, 0) : write(flattenGraph(value), 1);
    },
    decode(bytes) {
      if (!(bytes instanceof Uint8Array)) throw new TypeError("bytes must be a Uint8Array");
      if (bytes.length === 0) throw new Error("cannot decode: there are no bytes");
      try {
        return read(bytes);
      } catch (error) {
        throw new Error(`cannot decode: ${error instanceof Error ? error.message : "unknown reason"}`);
      }
    },
  };
}
