/**
 * Checks that bytes are what `msgpack-codec.ts` writes, before msgpackr reads them.
 *
 * msgpackr trusts its input: it follows record definitions and references, makes errors of any class, replaces bad
 * UTF-8, recurses as deep as the bytes say, and quotes decoded values in its messages. After this check none of
 * that can happen: every length lies within the bytes, nesting is at most {@link DEPTH_MAX}, keys are strings, and
 * only the types of our own encoder occur. It walks without recursion and allocates nothing that a length asks for.
 *
 * Format: https://github.com/msgpack/msgpack/blob/master/spec.md; the extension types are msgpackr's.
 */

import { isUtf8 } from "node:buffer";
import { DEPTH_MAX } from "./plain-values.js";

const EXT_UNDEFINED = 0x00;
const EXT_BIGINT = 0x42;
const EXT_TYPED_ARRAY = 0x74;
const EXT_DATE = 0xff;
const TYPED_ARRAY_UINT8 = 1;
const PROTO = "__proto__";

/** Up to here a loop is faster than a native call. */
const LOOP_BYTES_MAX = 48;

/** Values still to come at each level; a map counts its keys. No user code runs during a scan: one is enough. */
const remaining = new Float64Array(DEPTH_MAX + 1);
const isMap = new Uint8Array(DEPTH_MAX + 1);

let bytes: Buffer;
let position = 0;
let end = 0;
let depth = 0;

/** @throws Error when the bytes from `from` to `to` are not exactly one encoded value. */
export function scanMsgpack(source: Buffer, from: number, to: number): void {
  bytes = source;
  position = from;
  end = to;
  depth = 0;
  remaining[0] = 1;
  isMap[0] = 0;
  for (;;) {
    while (remaining[depth] === 0) {
      if (depth === 0) {
        if (position !== end) throw new Error("bytes follow the value");
        return;
      }
      depth--;
    }
    const left = (remaining[depth] as number)--;
    const token = take();
    if (isMap[depth] === 1 && (left & 1) === 0) scanKey(token);
    else scanValue(token);
  }
}

function scanKey(token: number): void {
  let length: number;
  if (token >= 0xa0 && token < 0xc0) length = token - 0xa0;
  else if (token >= 0xd9 && token <= 0xdb) length = takeUint(1 << (token - 0xd9));
  else throw new Error("a key is not a string");
  const start = position;
  skipText(length);
  // msgpackr would rename it; our encoder writes it in another form.
  if (
    length === PROTO.length &&
    bytes[start] === 0x5f &&
    bytes.toString("latin1", start, position) === PROTO
  ) {
    throw new Error("a key is not one this codec writes");
  }
}

function scanValue(token: number): void {
  if (token >= 0xc0 && token < 0xe0) scanLong(token);
  else if (token >= 0xa0 && token < 0xc0) skipText(token - 0xa0);
  else if (token >= 0x90 && token < 0xa0) enter(token - 0x90, 0);
  else if (token >= 0x80 && token < 0x90) enter(token - 0x80, 1);
}

/** The types whose length or value follows the first byte. Within a family each is twice as long as the last. */
function scanLong(token: number): void {
  if (token === 0xc0 || token === 0xc2 || token === 0xc3) return;
  if (token >= 0xc4 && token <= 0xc6) skip(takeUint(1 << (token - 0xc4)));
  else if (token >= 0xc7 && token <= 0xc9) scanExtension(takeUint(1 << (token - 0xc7)));
  else if (token === 0xcb) skip(8);
  else if (token >= 0xcc && token <= 0xcf) skip(1 << (token - 0xcc));
  else if (token >= 0xd0 && token <= 0xd3) skip(1 << (token - 0xd0));
  else if (token >= 0xd4 && token <= 0xd8) scanExtension(1 << (token - 0xd4));
  else if (token >= 0xd9 && token <= 0xdb) skipText(takeUint(1 << (token - 0xd9)));
  else if (token === 0xdc || token === 0xdd) enter(takeUint(token === 0xdc ? 2 : 4), 0);
  else if (token === 0xde || token === 0xdf) enter(takeUint(token === 0xde ? 2 : 4), 1);
  else throw new Error("a type is not one this codec writes");
}

function scanExtension(length: number): void {
  const type = take();
  const start = position;
  skip(length);
  const known =
    (type === EXT_UNDEFINED && length === 1) ||
    (type === EXT_BIGINT && length > 0) ||
    (type === EXT_TYPED_ARRAY && length > 0 && bytes[start] === TYPED_ARRAY_UINT8) ||
    (type === EXT_DATE && (length === 1 || length === 4 || length === 8 || length === 12));
  if (!known) throw new Error("a type is not one this codec writes");
}

function enter(count: number, map: 0 | 1): void {
  const values = map === 1 ? count * 2 : count;
  // Each value takes a byte at least, so a greater count lies: msgpackr would make room for it.
  if (values > end - position) throw truncated();
  if (depth === DEPTH_MAX) throw new Error(`it is nested deeper than ${DEPTH_MAX} levels`);
  depth++;
  remaining[depth] = values;
  isMap[depth] = map;
}

function skipText(length: number): void {
  const start = position;
  skip(length);
  if (length <= LOOP_BYTES_MAX) {
    let all = 0;
    for (let index = start; index < position; index++) all |= bytes[index] as number;
    if (all < 0x80) return;
  }
  if (!isUtf8(bytes.subarray(start, position))) throw new Error("a string is not UTF-8");
}

function skip(length: number): void {
  if (length > end - position) throw truncated();
  position += length;
}

function take(): number {
  if (position >= end) throw truncated();
  return bytes[position++] as number;
}

function takeUint(size: number): number {
  const start = position;
  skip(size);
  let value = 0;
  for (let index = start; index < position; index++) value = value * 256 + (bytes[index] as number);
  return value;
}

function truncated(): Error {
  return new Error("they end before the value does");
}
