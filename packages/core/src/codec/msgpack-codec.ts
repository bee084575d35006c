/**
 * The default codec: values of the structured clone kind as MessagePack.
 *
 * Two forms. A plain value (see `plain-tree.ts`) is standard MessagePack, which any reader of the format can
 * read. Any other is the byte 0xC1, which MessagePack never uses, and then a table of nodes (see `object-graph.ts`).
 * Decoding checks all bytes first (`msgpack-scan.ts`), then hands them to msgpackr.
 *
 * ```text
 *   value ─▶ plain-tree ─▶ msgpack-writer ─▶ bytes           each form is made in one reading of the value:
 *              └ not plain ─▶ object-graph ─▶ nodes ─▶ 0xC1 bytes      what is looked at is what is written
 * ```
 *
 * Keeps: whatever encodes decodes; never altered silently; a decoded value shares no memory with the bytes or with
 * another decoded value.
 */

import { Unpackr } from "msgpackr";
import type { Codec } from "./codec.js";
import type { Slot } from "./graph-node.js";
import { scanMsgpack } from "./msgpack-scan.js";
import { MsgpackWriter } from "./msgpack-writer.js";
import { flattenGraph } from "./object-graph.js";
import { rebuildGraph } from "./object-graph-rebuild.js";
import { writePlainTree } from "./plain-tree.js";

const GRAPH_MARKER = 0xc1;

/** Encodings up to this many bytes are decoded from one buffer, which saves msgpackr a view for each. */
const DECODE_SCRATCH_BYTES = 16 * 1024;

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
 * plain one; two views of one buffer come back with a buffer each, of fixed length; an accessor comes back as the value
 * it gave when it was read; an error of another realm (`node:vm`) as an `Error` with its name. What is not enumerable
 * is left out (but for errors), and so are properties put on a view. `toJSON` is not called.
 *
 * What an object is, its internal slots say: an instance of an error class as written before 2015 is a plain object,
 * and a `Map` is a `Map` under any prototype, `constructor` or `Symbol.toStringTag`. (Only one whose prototype was
 * taken away, and that has enumerable properties of its own, passes for a plain object.)
 *
 * `encode` returns bytes that are never written again. Up to 4 KiB they are a part of Node's pool of 8 KiB, so
 * they may be kept at the cost of at most that pool, but their `.buffer` must not be transferred.
 *
 * Both throw a plain `TypeError`, `RangeError` or `Error` whose message names the part and never carries a value:
 * functions, symbols, symbol-keyed properties, proxies of anything, promises, weak collections and other live objects;
 * more than 1,000 levels of nesting; bytes that are truncated, too long or not written by this codec. What an accessor
 * throws is thrown on.
 */
export function msgpackCodec(): Codec {
  const unpackr = new Unpackr({
    useRecords: false,
    moreTypes: true,
    copyBuffers: true,
    structuredClone: false,
  });
  const scratch = Buffer.allocUnsafeSlow(DECODE_SCRATCH_BYTES);
  const range = { start: 0, end: 0 };
  /** Absent while a value is written: an accessor of it may have another value encoded. */
  let idleWriter: MsgpackWriter | undefined = new MsgpackWriter();

  function read(bytes: Uint8Array): unknown {
    const { length } = bytes;
    let source: Buffer = scratch;
    if (length <= DECODE_SCRATCH_BYTES) source.set(bytes);
    else source = Buffer.from(bytes.buffer, bytes.byteOffset, length);
    const start = source[0] === GRAPH_MARKER ? 1 : 0;
    scanMsgpack(source, start, length);
    range.start = start;
    range.end = length;
    const value: unknown = unpackr.unpack(source, range);
    return start === 1 ? rebuildGraph(value) : value;
  }

  function write<Result>(value: unknown, take: (writer: MsgpackWriter) => Result): Result {
    if (value === undefined) throw new TypeError("value is undefined, which cannot be encoded");
    const writer = idleWriter ?? new MsgpackWriter();
    idleWriter = undefined;
    try {
      if (!writePlainTree(value, writer)) writeGraph(value, writer);
      return take(writer);
    } finally {
      writer.reset();
      idleWriter = writer;
    }
  }

  return {
    name: "msgpack",
    encode: (value) => write(value, take),
    encodeInto: (value, target, start) => write(value, (writer) => writer.copyTo(target, start)),
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

function take(writer: MsgpackWriter): Uint8Array {
  return writer.take();
}

function writeGraph(value: unknown, writer: MsgpackWriter): void {
  const nodes = flattenGraph(value);
  writer.reset();
  writer.byte(GRAPH_MARKER);
  writer.arrayHeader(nodes.length);
  for (const node of nodes) {
    writer.arrayHeader(node.length);
    for (const slot of node) writeSlot(slot, writer);
  }
}

function writeSlot(slot: Slot | Uint8Array, writer: MsgpackWriter): void {
  if (typeof slot !== "object" || slot === null) writePlainTree(slot, writer);
  else if (slot instanceof Uint8Array) writer.uint8Array(slot, slot.length);
  else {
    writer.arrayHeader(1);
    writer.number(slot[0]);
  }
}
