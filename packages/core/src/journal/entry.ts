/**
 * One entry of a frame: a mutation, or what became of one.
 *
 * ```
 * | kind u8 | has expiry u8 | key bytes u16 | value bytes u32 | version f64 | expiry f64, if any | key | value |
 * ```
 */

import { LeakDBError } from "../errors.js";

export const PUT = 1;
export const DELETE = 2;
/** `key` is the prefix. */
export const CLEAR = 3;
/** A put, delete or clear that the backend or worker refused; `value` says why, and of a put what (`dead-entry.ts`). */
export const DEAD_PUT = 4;
export const DEAD_DELETE = 5;
export const DEAD_CLEAR = 6;
/** The dead letter of this key and version is gone: stored after all (a byte as its value), superseded, or discarded. */
export const DEAD_GONE = 7;
/** Items that the user's worker has done: `value` is their versions, 8 bytes each. */
export const DONE = 8;

export type EntryKind = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;
const KIND_LAST = DONE;

const ENTRY_HEADER_BYTES = 16;
const EXPIRY_BYTES = 8;
/** Keys up to this length are written unit by unit while they are ASCII: a native call costs more. */
const SHORT_KEY_UNITS = 48;
/** Values up to this length are copied byte by byte. */
const SHORT_VALUE_BYTES = 48;

/** A visitor of the entries of a journal; `value` is empty but for puts and dead letters, and valid during the call. */
export type EntryVisitor = (
  kind: EntryKind,
  key: string,
  version: number,
  expiresAt: number,
  value: Buffer,
) => void;

/** Writes an entry at `start`; its end. The caller has seen to the room. */
export function writeEntry(
  bytes: Buffer,
  view: DataView,
  start: number,
  kind: EntryKind,
  key: string,
  version: number,
  expiresAt: number,
  value: Uint8Array | undefined,
): number {
  const keyStart = keyStartOf(start, expiresAt);
  const valueStart = keyStart + writeKey(bytes, keyStart, key);
  const valueBytes = value === undefined ? 0 : value.length;
  if (value !== undefined) copyValue(value, bytes, valueStart);
  writeHead(bytes, view, start, kind, valueStart - keyStart, version, expiresAt, valueBytes);
  return valueStart + valueBytes;
}

/** What stands before the key; the lengths are those of what is written. */
export function writeHead(
  bytes: Buffer,
  view: DataView,
  start: number,
  kind: EntryKind,
  keyBytes: number,
  version: number,
  expiresAt: number,
  valueBytes: number,
): void {
  bytes[start] = kind;
  bytes[start + 1] = expiresAt === 0 ? 0 : 1;
  view.setUint16(start + 2, keyBytes, true);
  view.setUint32(start + 4, valueBytes, true);
  view.setFloat64(start + 8, version, true);
  if (expiresAt !== 0) view.setFloat64(start + ENTRY_HEADER_BYTES, expiresAt, true);
}

/** Where the key of an entry begins. */
export function keyStartOf(start: number, expiresAt: number): number {
  return start + ENTRY_HEADER_BYTES + (expiresAt === 0 ? 0 : EXPIRY_BYTES);
}

export function writeKey(bytes: Buffer, start: number, key: string): number {
  const { length } = key;
  if (length > SHORT_KEY_UNITS) return bytes.write(key, start, "utf8");
  for (let index = 0; index < length; index += 1) {
    const unit = key.charCodeAt(index);
    if (unit > 0x7f) return bytes.write(key, start, "utf8");
    bytes[start + index] = unit;
  }
  return length;
}

function copyValue(value: Uint8Array, bytes: Buffer, start: number): void {
  const { length } = value;
  if (length > SHORT_VALUE_BYTES) return bytes.set(value, start);
  for (let index = 0; index < length; index += 1) bytes[start + index] = value[index] as number;
}

/**
 * Visits the entries of a sound frame, in their order.
 * @throws LEAKDB_CORRUPTION when they are not what a frame holds, though its checksum is right
 */
export function visitEntries(payload: Buffer, entries: number, visit: EntryVisitor): void {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  let position = 0;
  for (let index = 0; index < entries; index += 1) {
    if (position + ENTRY_HEADER_BYTES > payload.length) throw malformed();
    const kind = payload[position] as EntryKind;
    const hasExpiry = payload[position + 1] === 1;
    const keyStart = position + ENTRY_HEADER_BYTES + (hasExpiry ? EXPIRY_BYTES : 0);
    const valueStart = keyStart + view.getUint16(position + 2, true);
    const end = valueStart + view.getUint32(position + 4, true);
    const version = view.getFloat64(position + 8, true);
    if (end > payload.length || kind < PUT || kind > KIND_LAST || !Number.isSafeInteger(version))
      throw malformed();
    const expiresAt = hasExpiry ? view.getFloat64(position + ENTRY_HEADER_BYTES, true) : 0;
    visit(
      kind,
      readKey(payload, keyStart, valueStart),
      version,
      expiresAt,
      payload.subarray(valueStart, end),
    );
    position = end;
  }
  if (position !== payload.length) throw malformed();
}

function readKey(payload: Buffer, start: number, end: number): string {
  return payload.toString("utf8", start, end);
}

function malformed(): LeakDBError {
  return new LeakDBError(
    "LEAKDB_CORRUPTION",
    "a frame of the journal has a right checksum and no right entries: it was written by another version, or by a fault of this one",
  );
}
