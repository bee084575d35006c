/**
 * The one entry of the database `leakdb`, by which a store is known: whose it is, by which schema, and the highest
 * version it ever acknowledged. A CRC-32, big-endian, then JSON for people.
 */

import { crc32 } from "node:zlib";

export const MARK_KEY = "store";
export const SCHEMA_VERSION = 1;
const FORMAT = "leakdb-lmdb";

export interface StoreMark {
  readonly schema: number;
  readonly storeId: string;
  readonly highVersion: number;
  /** How often it was opened; makes the commit of an opening one that is written. */
  readonly openings: number;
}

export function encodeMark(mark: StoreMark): Buffer {
  const text = Buffer.from(JSON.stringify({ format: FORMAT, ...mark }));
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(text));
  return Buffer.concat([sum, text]);
}

/** The mark, or `undefined` when the bytes are none, or damaged. */
export function decodeMark(bytes: Uint8Array): StoreMark | undefined {
  const whole = Buffer.from(bytes);
  if (whole.byteLength < 4 || crc32(whole.subarray(4)) !== whole.readUInt32BE(0)) return undefined;
  const { format, ...mark } = JSON.parse(whole.toString("utf8", 4)) as StoreMark & { format: unknown };
  return format === FORMAT ? mark : undefined;
}
