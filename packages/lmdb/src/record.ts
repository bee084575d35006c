/**
 * A record as LMDB holds it, below the key's UTF-8 bytes. Numbers are unsigned and big-endian.
 *
 * ```
 * | crc32 u32 | version u64 | expiresAt u64 | value |
 * ```
 *
 * The checksum is over the key and the record, with zeros where it stands itself: LMDB has none, and would hand out a
 * flipped bit as a value.
 */

import { crc32 } from "node:zlib";
import { AdapterError, type StoredRecord } from "@leakdb/core/adapter";

const VERSION_OFFSET = 4;
const EXPIRES_OFFSET = 12;
export const RECORD_HEADER_BYTES = 20;

const HIGH = 2 ** 32;
const STAGE_BYTES_MIN = 64 * 1024;
/** A stage that one large value made is not kept. */
const STAGE_BYTES_MAX = 16 * 1024 * 1024;

/** @param offset of eight bytes that hold a safe integer. */
export function writeInteger(bytes: Buffer, value: number, offset: number): void {
  bytes.writeUInt32BE(Math.floor(value / HIGH), offset);
  bytes.writeUInt32BE(value % HIGH, offset + 4);
}

/** Reads four bytes by themselves: those that LMDB lends are no ordinary buffers. */
function readUint32(bytes: Uint8Array, offset: number): number {
  const [a, b, c, d] = [bytes[offset], bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]] as number[];
  return (((a as number) << 24) | ((b as number) << 16) | ((c as number) << 8) | (d as number)) >>> 0;
}

export function readInteger(bytes: Uint8Array, offset: number): number {
  return readUint32(bytes, offset) * HIGH + readUint32(bytes, offset + 4);
}

/** Makes records one after another in the same memory. */
export class RecordStage {
  #bytes = Buffer.alloc(STAGE_BYTES_MIN);

  /** The record's bytes, good until the next call. */
  encode(key: string, value: Uint8Array, version: number, expiresAt: number): Uint8Array {
    const length = RECORD_HEADER_BYTES + value.byteLength;
    const bytes = this.#room(length);
    bytes.writeUInt32BE(0, 0);
    writeInteger(bytes, version, VERSION_OFFSET);
    writeInteger(bytes, expiresAt, EXPIRES_OFFSET);
    bytes.set(value, RECORD_HEADER_BYTES);
    const record = bytes.subarray(0, length);
    bytes.writeUInt32BE(crc32(record, crc32(key)), 0);
    return record;
  }

  #room(length: number): Buffer {
    if (length > STAGE_BYTES_MAX) return Buffer.alloc(length);
    if (length > this.#bytes.byteLength) this.#bytes = Buffer.alloc(2 ** Math.ceil(Math.log2(length)));
    return this.#bytes;
  }
}

export function versionOf(bytes: Uint8Array): number {
  return readInteger(bytes, VERSION_OFFSET);
}

export function expiresAtOf(bytes: Uint8Array): number {
  return readInteger(bytes, EXPIRES_OFFSET);
}

/**
 * @param bytes the record's own, not lent by LMDB; they are changed, and the value is a view of them.
 * @throws AdapterError LEAKDB_CORRUPTION when they are not what was written under that key.
 */
export function decodeRecord(key: string, bytes: Uint8Array): StoredRecord {
  const sum = bytes.byteLength >= RECORD_HEADER_BYTES ? readUint32(bytes, 0) : undefined;
  bytes.fill(0, 0, VERSION_OFFSET);
  if (sum !== crc32(bytes, crc32(key))) {
    throw new AdapterError("a record is damaged: its checksum is wrong; keep a copy and restore a backup", {
      kind: "transient",
      code: "LEAKDB_CORRUPTION",
    });
  }
  // A view by hand: `subarray` of a buffer takes as long as all the rest of this.
  const value = new Uint8Array(
    bytes.buffer,
    bytes.byteOffset + RECORD_HEADER_BYTES,
    bytes.byteLength - RECORD_HEADER_BYTES,
  );
  return {
    key,
    value,
    version: versionOf(bytes),
    expiresAt: expiresAtOf(bytes),
  };
}
