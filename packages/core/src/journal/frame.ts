/**
 * The frame: what a journal writes at once. A group of entries is one frame, or several of which all but the last are
 * marked `continued`: recovery takes the whole group or nothing of it.
 *
 * ```
 * | magic u32 | crc u32 | payload bytes u32 | entries u32 | offset f64 | synced f64 | continued u32 | payload … |
 * ```
 *
 * The CRC-32 covers everything after it, and starts from the salt of the segment, so that a frame of another segment
 * is none here. `offset` is where the frame stands. `synced` is how much of the segment was known to be on the disk when
 * the frame was made: what is damaged before that was not torn by a crash, it is damaged (see `segment-reader.ts`).
 * All numbers are little-endian.
 */

import { crc32 } from "node:zlib";
import type { Codec } from "../codec/codec.js";
import { encodeValue, encodeValueInto } from "../codec/encoded-value.js";
import { type EntryKind, keyStartOf, PUT, writeEntry, writeHead, writeKey } from "./entry.js";

/** "LKJF". */
export const FRAME_MAGIC = 0x464a4b4c;
export const FRAME_HEADER_BYTES = 36;

/** A group is cut into frames of about this size, so that neither writing nor recovery holds much more in memory. */
export const FRAME_BYTES_MAX = 4 * 1024 * 1024;

const BUFFER_BYTES_MIN = 256 * 1024;
/** A buffer that one large value has grown is given back. */
const BUFFER_BYTES_KEPT = 8 * 1024 * 1024;

export interface Frame {
  readonly entries: number;
  /** Bytes of the segment that were on the disk before this frame was made. */
  readonly synced: number;
  /** More frames of the same group follow. */
  readonly isContinued: boolean;
  readonly payload: Buffer;
  /** The length of the whole frame. */
  readonly bytes: number;
}

/** Gathers entries into the frame that is written next. Its buffer is used again for each frame. */
export class FrameBuilder {
  #bytes = Buffer.allocUnsafeSlow(BUFFER_BYTES_MIN);
  #view = new DataView(this.#bytes.buffer);
  #end = FRAME_HEADER_BYTES;
  #entries = 0;

  get entries(): number {
    return this.#entries;
  }

  /** Of the frame so far. */
  get bytes(): number {
    return this.#end;
  }

  /** `value` stands only in puts, and in dead letters with what is known of their failure. */
  add(kind: EntryKind, key: string, version: number, expiresAt = 0, value?: Uint8Array): void {
    const most = this.#end + 24 + key.length * 3 + (value === undefined ? 0 : value.length);
    if (most > this.#bytes.length) this.#grow(most);
    this.#end = writeEntry(this.#bytes, this.#view, this.#end, kind, key, version, expiresAt, value);
    this.#entries += 1;
  }

  /** A put of a value that is encoded into the frame. @throws LEAKDB_ENCODE_FAILED, and the frame is as before */
  put(key: string, version: number, expiresAt: number, value: unknown, codec: Codec): void {
    const room = this.#end + 24 + key.length * 3;
    if (room > this.#bytes.length) this.#grow(room);
    const start = this.#end;
    const keyStart = keyStartOf(start, expiresAt);
    const valueStart = keyStart + writeKey(this.#bytes, keyStart, key);
    const end = encodeValueInto(value, codec, this.#bytes, valueStart);
    // A codec of the user's may answer anything.
    if (!(end > valueStart && end <= this.#bytes.length))
      return this.add(PUT, key, version, expiresAt, encodeValue(value, codec));
    writeHead(
      this.#bytes,
      this.#view,
      start,
      PUT,
      valueStart - keyStart,
      version,
      expiresAt,
      end - valueStart,
    );
    this.#end = end;
    this.#entries += 1;
  }

  /** The frame's bytes, valid until the next `add`. */
  finish(salt: number, offset: number, synced: number, isContinued: boolean): Uint8Array {
    const view = this.#view;
    view.setUint32(0, FRAME_MAGIC, true);
    view.setUint32(8, this.#end - FRAME_HEADER_BYTES, true);
    view.setUint32(12, this.#entries, true);
    view.setFloat64(16, offset, true);
    view.setFloat64(24, synced, true);
    view.setUint32(32, isContinued ? 1 : 0, true);
    const frame = this.#bytes.subarray(0, this.#end);
    view.setUint32(4, crc32(frame.subarray(8), salt), true);
    return frame;
  }

  /** Begins the next frame; the bytes of the last one have been written. */
  reset(): void {
    this.#end = FRAME_HEADER_BYTES;
    this.#entries = 0;
    if (this.#bytes.length > BUFFER_BYTES_KEPT) this.#allocate(BUFFER_BYTES_MIN);
  }

  #grow(least: number): void {
    const former = this.#bytes;
    this.#allocate(Math.max(least, former.length * 2));
    former.copy(this.#bytes, 0, 0, this.#end);
  }

  #allocate(bytes: number): void {
    this.#bytes = Buffer.allocUnsafeSlow(bytes);
    this.#view = new DataView(this.#bytes.buffer);
  }
}

/**
 * The length of the frame that claims to begin at `start` of the window, `offset` of the file; `undefined` where none
 * does. A value may be full of what looks like frames: those that name another place cost no more than this look.
 */
export function claimedBytes(window: Buffer, start: number, offset: number): number | undefined {
  if (window.readUInt32LE(start) !== FRAME_MAGIC || window.readDoubleLE(start + 16) !== offset)
    return undefined;
  return FRAME_HEADER_BYTES + window.readUInt32LE(start + 8);
}

/** The frame that claims to be at `start`, all of which is in the window; `undefined` when it is not sound. */
export function readFrame(window: Buffer, start: number, bytes: number, salt: number): Frame | undefined {
  const frame = window.subarray(start, start + bytes);
  if (crc32(frame.subarray(8), salt) !== frame.readUInt32LE(4)) return undefined;
  return {
    entries: frame.readUInt32LE(12),
    synced: frame.readDoubleLE(24),
    isContinued: frame.readUInt32LE(32) !== 0,
    payload: frame.subarray(FRAME_HEADER_BYTES),
    bytes,
  };
}
