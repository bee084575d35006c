/**
 * Writes MessagePack, the smallest form of each value, into a buffer that is used again and again.
 *
 * Leaf of `plain-tree.ts` and `object-graph.ts`, which look at a value and write it in one step: nothing is read a
 * second time, so nothing can answer differently when it is written than when it was looked at. The bytes are those
 * of msgpackr (its extension types too), which reads them back.
 *
 * Format: https://github.com/msgpack/msgpack/blob/master/spec.md
 */

/** A buffer beyond this is given back after use: it keeps the largest that one value ever needed. */
const BUFFER_BYTES_MAX = 1024 * 1024;
const BUFFER_BYTES = 8 * 1024;

/** The most bytes of anything that is no text and no bytes: a date before 1970. */
const SCALAR_BYTES_MAX = 15;

/** Up to here a loop is faster than a native call. */
const LOOP_CHARS_MAX = 0x40;
const BYTE_ORDER_MARK = 0xfeff;
const UINT32_MAX = 0xffff_ffff;

export class MsgpackWriter {
  private buffer: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  private view = viewOf(this.buffer);
  private position = 0;

  /** Forgets what was written, whether it was taken or not. */
  reset(): void {
    this.position = 0;
    if (this.buffer.length > BUFFER_BYTES_MAX) this.replace(Buffer.allocUnsafeSlow(BUFFER_BYTES));
  }

  /** Copies what was written; where it ends, -1 when there is no room for it. */
  copyTo(target: Uint8Array, start: number): number {
    const end = start + this.position;
    if (end > target.length) return -1;
    this.buffer.copy(target, start, 0, this.position);
    return end;
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    const bytes = Buffer.allocUnsafe(this.position);
    this.buffer.copy(bytes, 0, 0, this.position);
    return bytes;
  }

  byte(byte: number): void {
    this.reserve(1);
    this.buffer[this.position++] = byte;
  }

  nil(): void {
    this.byte(0xc0);
  }

  boolean(value: boolean): void {
    this.byte(value ? 0xc3 : 0xc2);
  }

  undefined(): void {
    this.reserve(3);
    this.put(0xd4, 0x00);
    this.buffer[this.position++] = 0;
  }

  arrayHeader(count: number): void {
    this.header(count, 0x90, 0xdc);
  }

  mapHeader(count: number): void {
    this.header(count, 0x80, 0xde);
  }

  /** Any number, but that -0 is written as 0. */
  number(value: number): void {
    this.reserve(9);
    const { buffer } = this;
    if (value >>> 0 === value) {
      if (value < 0x80) buffer[this.position++] = value;
      else this.uint(value, 0xcc);
    } else if (value >> 0 === value) {
      if (value >= -0x20) buffer[this.position++] = value + 0x100;
      else if (value >= -0x80) this.put(0xd0, value + 0x100);
      else if (value >= -0x8000) {
        buffer[this.position++] = 0xd1;
        this.put((value >> 8) & 0xff, value & 0xff);
      } else {
        buffer[this.position++] = 0xd2;
        this.uint32(value);
      }
    } else {
      buffer[this.position++] = 0xcb;
      this.view.setFloat64(this.position, value);
      this.position += 8;
    }
  }

  bigint(value: bigint): void {
    this.reserve(9);
    if (BigInt.asIntN(64, value) === value) {
      this.buffer[this.position++] = 0xd3;
      this.view.setBigInt64(this.position, value);
    } else if (BigInt.asUintN(64, value) === value) {
      this.buffer[this.position++] = 0xcf;
      this.view.setBigUint64(this.position, value);
    } else {
      this.extension(twosComplement(value), 0x42);
      return;
    }
    this.position += 8;
  }

  /** @returns false for a text that UTF-8 or msgpackr's decoder would change; then nothing was written. */
  text(text: string): boolean {
    const { length } = text;
    if (length >= LOOP_CHARS_MAX) return this.longText(text);
    this.reserve(length * 3 + 2);
    const { buffer } = this;
    const start = this.position + (length < 0x20 ? 1 : 2);
    let end = start;
    for (let index = 0; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit < 0x80) buffer[end++] = unit;
      else if (unit < 0x800) {
        buffer[end++] = (unit >> 6) | 0xc0;
        buffer[end++] = (unit & 0x3f) | 0x80;
      } else if (unit >= 0xd800 && unit <= 0xdfff) {
        const low = unit <= 0xdbff ? text.charCodeAt(++index) : 0;
        if (!(low >= 0xdc00 && low <= 0xdfff)) return false;
        const point = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
        buffer[end++] = (point >> 18) | 0xf0;
        buffer[end++] = ((point >> 12) & 0x3f) | 0x80;
        buffer[end++] = ((point >> 6) & 0x3f) | 0x80;
        buffer[end++] = (point & 0x3f) | 0x80;
      } else {
        if (unit === BYTE_ORDER_MARK && index === 0) return false;
        buffer[end++] = (unit >> 12) | 0xe0;
        buffer[end++] = ((unit >> 6) & 0x3f) | 0x80;
        buffer[end++] = (unit & 0x3f) | 0x80;
      }
    }
    this.textHeader(end - start, start);
    return true;
  }

  /** A `Buffer`, or the bytes of another type behind its name. */
  bytes(bytes: Uint8Array, length: number): void {
    this.bytesHeader(length, 0xc4);
    this.copy(bytes, length);
  }

  /** A `Uint8Array`: msgpackr's extension for typed arrays. */
  uint8Array(bytes: Uint8Array, length: number): void {
    this.bytesHeader(length + 1, 0xc7);
    this.put(0x74, 1);
    this.copy(bytes, length);
  }

  /** The timestamp extension: 32 bits where they do, then 64, then 96. */
  date(timeMs: number): void {
    this.reserve(SCALAR_BYTES_MAX);
    if (Number.isNaN(timeMs)) {
      this.put(0xd4, 0xff);
      this.buffer[this.position++] = 0xff;
      return;
    }
    const seconds = Math.floor(timeMs / 1_000);
    const milliseconds = timeMs - seconds * 1_000;
    const isUint32 = seconds >= 0 && seconds <= UINT32_MAX;
    if (isUint32 && milliseconds === 0) {
      this.put(0xd6, 0xff);
    } else if (isUint32) {
      this.put(0xd7, 0xff);
      this.uint32(milliseconds * 4_000_000);
    } else {
      this.put(0xc7, 12);
      this.buffer[this.position++] = 0xff;
      this.uint32(milliseconds * 1_000_000);
      this.view.setBigInt64(this.position, BigInt(seconds));
      this.position += 8;
      return;
    }
    this.uint32(seconds);
  }

  private longText(text: string): boolean {
    if (text.charCodeAt(0) === BYTE_ORDER_MARK || !text.isWellFormed()) return false;
    const headerBytes = text.length < 0x100 ? 2 : text.length < 0x10000 ? 3 : 5;
    this.reserve(text.length * 3 + 5);
    const start = this.position + headerBytes;
    this.textHeader(this.buffer.write(text, start), start);
    return true;
  }

  /** Before a text that stands already, moved when its bytes need a longer header than its characters promised. */
  private textHeader(length: number, start: number): void {
    const headerBytes = length < 0x20 ? 1 : length < 0x100 ? 2 : length < 0x10000 ? 3 : 5;
    const { buffer, position } = this;
    if (position + headerBytes !== start) buffer.copyWithin(position + headerBytes, start, start + length);
    if (headerBytes === 1) buffer[this.position++] = 0xa0 | length;
    else this.uint(length, 0xd9);
    this.position += length;
  }

  private bytesHeader(length: number, token: number): void {
    if (length > UINT32_MAX) throw new RangeError("more than 4 GiB of bytes cannot be encoded");
    this.reserve(length + SCALAR_BYTES_MAX);
    this.uint(length, token);
  }

  private extension(bytes: Uint8Array, type: number): void {
    const { length } = bytes;
    this.reserve(length + 6);
    if (length === 16) this.byte(0xd8);
    else this.uint(length, 0xc7);
    this.buffer[this.position++] = type;
    this.copy(bytes, length);
  }

  private copy(bytes: Uint8Array, length: number): void {
    this.buffer.set(bytes, this.position);
    this.position += length;
  }

  private header(count: number, fix: number, token: number): void {
    this.reserve(5);
    if (count < 0x10) this.buffer[this.position++] = fix | count;
    else if (count < 0x10000) {
      this.put(token, count >> 8);
      this.buffer[this.position++] = count & 0xff;
    } else {
      this.buffer[this.position++] = token + 1;
      this.uint32(count);
    }
  }

  /** In 1, 2 or 4 bytes, behind the first, second or third token of a family. */
  private uint(value: number, token: number): void {
    if (value < 0x100) this.put(token, value);
    else if (value < 0x10000) {
      this.put(token + 1, value >> 8);
      this.buffer[this.position++] = value & 0xff;
    } else {
      this.buffer[this.position++] = token + 2;
      this.uint32(value);
    }
  }

  private uint32(value: number): void {
    this.view.setUint32(this.position, value);
    this.position += 4;
  }

  private put(first: number, second: number): void {
    this.buffer[this.position++] = first;
    this.buffer[this.position++] = second;
  }

  private reserve(count: number): void {
    if (this.position + count > this.buffer.length) this.grow(this.position + count);
  }

  private grow(bytesMin: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(bytesMin, Math.min(bytesMin * 2, UINT32_MAX)));
    this.buffer.copy(larger, 0, 0, this.position);
    this.replace(larger);
  }

  private replace(buffer: Buffer): void {
    this.buffer = buffer;
    this.view = viewOf(buffer);
  }
}

function viewOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** Big-endian, in whole words of 64 bits. */
function twosComplement(value: bigint): Uint8Array {
  const isNegative = value < 0n;
  const digits = (isNegative ? ~value : value).toString(16);
  // One digit more leaves room for the sign.
  const words = Math.ceil((digits.length + (Number.parseInt(digits.charAt(0), 16) >= 8 ? 1 : 0)) / 16);
  const bytes = Buffer.from(digits.padStart(words * 16, "0"), "hex");
  if (isNegative) for (let index = 0; index < bytes.length; index++) bytes[index] = ~(bytes[index] as number);
  return bytes;
}
