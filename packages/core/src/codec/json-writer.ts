/**
 * Writes the parts of JSON in UTF-8 into a buffer that is used again and again. Leaf of `json-codec.ts`, which looks
 * at a value and writes it in one step.
 */

/** A buffer beyond this is given back after use: it keeps the largest that one value ever needed. */
const BUFFER_BYTES_MAX = 1024 * 1024;
const BUFFER_BYTES = 8 * 1024;

/** Up to here a loop is faster than a native call. */
const LOOP_CHARS_MAX = 0x40;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const POINT = 0x2e;

const DECIMAL_DIGITS = 6;
const DECIMALS = 10 ** DECIMAL_DIGITS;
/** With six decimals this makes 15 digits. */
const WHOLE_MAX = 1e9;

/** All but what JSON takes as it is. Lone surrogates need an escape; a pair has to be looked at. */
const NEEDS_ESCAPE = /[^ !#-[\]-\ud7ff\ue000-\uffff]/;

export class JsonWriter {
  private buffer: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  private position = 0;

  /** Forgets what was written, whether it was taken or not. */
  reset(): void {
    this.position = 0;
    if (this.buffer.length > BUFFER_BYTES_MAX) this.buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    const bytes = Buffer.allocUnsafe(this.position);
    this.buffer.copy(bytes, 0, 0, this.position);
    return bytes;
  }

  /** A brace, a bracket or a comma. */
  byte(byte: number): void {
    this.reserve(1);
    this.buffer[this.position++] = byte;
  }

  /** A finite number, -0 too, in the shortest form that is read as the same one. */
  number(value: number): void {
    if (value === 0) this.ascii(Object.is(value, -0) ? "-0" : "0");
    else if (value >>> 0 === value) this.digits(value, digitsOf(value));
    else if (!this.decimal(value)) this.ascii(`${value}`);
  }

  /** Characters of ASCII, as they are. */
  ascii(text: string): void {
    const { length } = text;
    this.reserve(length);
    const { buffer, position } = this;
    if (length < LOOP_CHARS_MAX) {
      for (let index = 0; index < length; index++) buffer[position + index] = text.charCodeAt(index);
    } else buffer.write(text, position, "latin1");
    this.position = position + length;
  }

  /** The name of a property, behind the byte that stands before it. */
  key(key: string, before: number): void {
    this.byte(before);
    this.string(key);
    this.byte(COLON);
  }

  /** A string in quotes, with escapes where JSON needs them. */
  string(text: string): void {
    const { length } = text;
    if (length >= LOOP_CHARS_MAX) {
      this.longString(text);
      return;
    }
    this.reserve(length * 3 + 2);
    const { buffer } = this;
    let { position } = this;
    buffer[position++] = QUOTE;
    for (let index = 0; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit < 0x20 || unit === QUOTE || unit === BACKSLASH || (unit >= 0xd800 && unit <= 0xdfff)) {
        this.longString(text);
        return;
      }
      if (unit < 0x80) buffer[position++] = unit;
      else {
        if (unit < 0x800) buffer[position++] = (unit >> 6) | 0xc0;
        else {
          buffer[position++] = (unit >> 12) | 0xe0;
          buffer[position++] = ((unit >> 6) & 0x3f) | 0x80;
        }
        buffer[position++] = (unit & 0x3f) | 0x80;
      }
    }
    buffer[position++] = QUOTE;
    this.position = position;
  }

  /**
   * A positive number of at most six decimals, such as a price. No two decimals of up to 15 digits stand for the same
   * number, so those that do are the shortest form.
   * @returns false for any other number; then nothing was written.
   */
  private decimal(value: number): boolean {
    const scaled = Math.round(value * DECIMALS);
    if (!(value > 0 && value < WHOLE_MAX) || scaled / DECIMALS !== value) return false;
    const whole = Math.floor(scaled / DECIMALS);
    let fraction = scaled - whole * DECIMALS;
    let count = DECIMAL_DIGITS;
    while (fraction % 10 === 0) {
      fraction /= 10;
      count--;
    }
    this.digits(whole, digitsOf(whole));
    this.byte(POINT);
    this.digits(fraction, count);
    return true;
  }

  private digits(value: number, count: number): void {
    this.reserve(count);
    const { buffer, position } = this;
    let rest = value;
    for (let at = position + count - 1; at >= position; at--) {
      const next = Math.floor(rest / 10);
      buffer[at] = 0x30 + rest - next * 10;
      rest = next;
    }
    this.position = position + count;
  }

  private longString(text: string): void {
    const quoted = NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;
    this.reserve(quoted.length * 3);
    this.position += this.buffer.write(quoted, this.position);
  }

  private reserve(count: number): void {
    const bytesMin = this.position + count;
    if (bytesMin <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(bytesMin * 2);
    this.buffer.copy(larger, 0, 0, this.position);
    this.buffer = larger;
  }
}

function digitsOf(value: number): number {
  let count = 1;
  for (let power = 10; power <= value; power *= 10) count++;
  return count;
}
