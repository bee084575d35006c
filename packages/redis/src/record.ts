/**
 * A record as Redis holds it: a string that a person can read, when the codec is `jsonCodec`.
 *
 *     redis-cli --raw GET 'leakdb:cart:42'
 *     1795385196869000 0
 *     {"items":3}
 *
 * The version has 16 digits, so that the server compares versions as text. Then the moment of expiry in milliseconds
 * since 1970 (0: never), a line feed, and the value's bytes as they are.
 */

import { AdapterError, type StoredRecord } from "@leakdb/core/adapter";

/** The digits of the largest safe integer. */
const VERSION_DIGITS = 16;
const LINE_FEED = 10;
const SPACE = 32;
const ZERO = 48;
/** Version, space, expiry and line feed. */
const HEADER_BYTES_MAX = VERSION_DIGITS + 1 + VERSION_DIGITS + 1;

/** What a record takes beside its value, at most. */
export const RECORD_OVERHEAD_BYTES = HEADER_BYTES_MAX;

/** As the server compares it. */
export function versionText(version: number): string {
  return String(version).padStart(VERSION_DIGITS, "0");
}

export function encodeRecord(value: Uint8Array, version: number, expiresAt: number): Buffer {
  const header = `${versionText(version)} ${expiresAt}\n`;
  const bytes = Buffer.allocUnsafe(header.length + value.byteLength);
  bytes.write(header, 0, "latin1");
  bytes.set(value, header.length);
  return bytes;
}

/** @throws AdapterError LEAKDB_CORRUPTION when another program wrote it. */
export function decodeRecord(key: string, name: string, bytes: Buffer): StoredRecord {
  const version = bytes[VERSION_DIGITS] === SPACE ? digits(bytes, 0, VERSION_DIGITS) : Number.NaN;
  let end = VERSION_DIGITS + 1;
  while (end < HEADER_BYTES_MAX - 1 && bytes[end] !== LINE_FEED) end += 1;
  const expiresAt = bytes[end] === LINE_FEED ? digits(bytes, VERSION_DIGITS + 1, end) : Number.NaN;
  if (!Number.isSafeInteger(version) || !Number.isSafeInteger(expiresAt)) throw foreignValue(name);
  // Bytes of its own: the client's buffer would keep its whole reply alive.
  return { key, value: new Uint8Array(bytes.subarray(end + 1)), version, expiresAt };
}

/** Those from `start` to `end` as a number; `NaN` when there are none, or others. */
function digits(bytes: Buffer, start: number, end: number): number {
  let number = start < end ? 0 : Number.NaN;
  for (let at = start; at < end; at += 1) {
    const digit = (bytes[at] as number) - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    number = number * 10 + digit;
  }
  return number;
}

/** Of a name below the key prefix, under which something stands that LeakDB did not write. */
export function foreignValue(name: string): AdapterError {
  const message = `what Redis holds as ${JSON.stringify(name)} is no record of LeakDB: another program writes below the key prefix; remove it, or choose another keyPrefix`;
  return new AdapterError(message, { kind: "permanent", code: "LEAKDB_CORRUPTION" });
}
