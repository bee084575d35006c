/**
 * The file of the hand-written peers of a journal: records one after the other, encoded with LeakDB's codec.
 *
 * ```
 * | key bytes u32 | value bytes u32 | key | value |
 * ```
 *
 * No checksums, versions or frames: less than any journal could do with.
 */

import { closeSync, openSync, readSync } from "node:fs";
import { type Codec, msgpackCodec } from "@leakdb/core";
import type { BenchValue } from "../records.js";

const HEADER_BYTES = 8;
const BUFFER_BYTES = 4 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;

/** Records that are to be written at once; used again for each such group. */
export class RecordBuffer {
  #bytes = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #end = 0;
  readonly #codec: Codec;

  constructor(codec: Codec = msgpackCodec()) {
    this.#codec = codec;
  }

  /** Valid until `reset`. */
  get records(): Buffer {
    return this.#bytes.subarray(0, this.#end);
  }

  get isEmpty(): boolean {
    return this.#end === 0;
  }

  /** `key` is ASCII. */
  add(key: string, value: BenchValue): void {
    const keyStart = this.#end + HEADER_BYTES;
    const valueStart = keyStart + key.length;
    // A value that does not fit is told by -1, and a key past the end by the assignment that does nothing.
    const end = this.#codec.encodeInto?.(value, this.#bytes, valueStart) ?? -1;
    if (end < 0) {
      this.#grow();
      return this.add(key, value);
    }
    // A native call for a key as short as this costs more.
    for (let index = 0; index < key.length; index += 1) this.#bytes[keyStart + index] = key.charCodeAt(index);
    this.#view.setUint32(this.#end, key.length, true);
    this.#view.setUint32(this.#end + 4, end - valueStart, true);
    this.#end = end;
  }

  reset(): void {
    this.#end = 0;
  }

  #grow(): void {
    const former = this.#bytes;
    this.#bytes = Buffer.allocUnsafeSlow(former.length * 2);
    this.#view = new DataView(this.#bytes.buffer);
    former.copy(this.#bytes, 0, 0, this.#end);
  }
}

/** Every record of the file, decoded, the last of each key: read from its beginning to its end. */
export function readRecords(path: string): Map<string, BenchValue> {
  const codec = msgpackCodec();
  const map = new Map<string, BenchValue>();
  const window = Buffer.allocUnsafeSlow(READ_BYTES);
  const descriptor = openSync(path, "r");
  let left = 0;
  for (;;) {
    const read = readSync(descriptor, window, left, READ_BYTES - left, null);
    const end = left + read;
    const position = decodeRecords(window, end, codec, map);
    window.copy(window, 0, position, end);
    left = end - position;
    if (read === 0) break;
  }
  closeSync(descriptor);
  if (left > 0) throw new Error(`${path} ends within a record`);
  return map;
}

/** Decodes the whole records up to `end`; where the first one begins that is not whole. */
function decodeRecords(window: Buffer, end: number, codec: Codec, map: Map<string, BenchValue>): number {
  let position = 0;
  while (position + HEADER_BYTES <= end) {
    const keyStart = position + HEADER_BYTES;
    const valueStart = keyStart + window.readUInt32LE(position);
    const next = valueStart + window.readUInt32LE(position + 4);
    if (next > end) break;
    const key = window.toString("latin1", keyStart, valueStart);
    map.set(key, codec.decode(window.subarray(valueStart, next)) as BenchValue);
    position = next;
  }
  return position;
}
