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
/** Version, space, expiry and line feed. */
const HEADER_BYTES_MAX = VERSION_DIGITS + 1 + VERSION_DIGITS + 1;
const HEADER = /^(\d{16}) (\d{1,16})$/;

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
export function decodeRecord(key: string, name: string, bytes: Buffer | null): StoredRecord {
  const end = bytes?.subarray(0, HEADER_BYTES_MAX).indexOf(LINE_FEED) ?? -1;
  const header = end < 0 ? null : HEADER.exec((bytes as Buffer).toString("latin1", 0, end));
  const [version, expiresAt] = [Number(header?.[1]), Number(header?.[2])];
  if (!Number.isSafeInteger(version) || !Number.isSafeInteger(expiresAt)) {
    throw foreignValue(name);
  }
  // Bytes of its own: the client's buffer would keep its whole reply alive.
  const value = new Uint8Array((bytes as Buffer).subarray(end + 1));
  return { key, value, version, expiresAt };
}

/** Of a name below the key prefix, under which something stands that LeakDB did not write. */
export function foreignValue(name: string): AdapterError {
  const message = `what Redis holds as ${JSON.stringify(name)} is no record of LeakDB: another program writes below the key prefix; remove it, or choose another keyPrefix`;
  return new AdapterError(message, { kind: "permanent", code: "LEAKDB_CORRUPTION" });
}
