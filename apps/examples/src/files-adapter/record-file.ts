/**
 * One record as a file that a person can read and git can compare: a line of JSON, then the value's bytes as they are,
 * then a line feed, as editors expect. With `jsonCodec` all of it is text.
 *
 *     dark-mode-ddf3….record   {"key":"dark mode","version":1795385196869000,"expiresAt":0,"crc":333151446}
 *                              {"percent":20}
 *
 * No file is believed: one that is not what `encodeRecord` made under this name is `LEAKDB_CORRUPTION`.
 */

import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { AdapterError, type StoredRecord } from "@leakdb/core/adapter";

export const RECORD_SUFFIX = ".record";
const LINE_FEED = 10;

/** A readable part and a hash; safe on every disk: short, ASCII, lower case, and no name that Windows keeps. */
export function recordFileName(key: string): string {
  const words = key.toLowerCase().match(/[a-z0-9]+/g) ?? ["key"];
  const hash = createHash("sha256").update(key).digest("hex").slice(0, 32);
  return `${words.join("-").slice(0, 40)}-${hash}${RECORD_SUFFIX}`;
}

export function encodeRecord(record: StoredRecord): Buffer {
  const { key, version, expiresAt } = record;
  const header = JSON.stringify({ key, version, expiresAt, crc: checksum(record) });
  return Buffer.concat([Buffer.from(`${header}\n`), record.value, Buffer.from("\n")]);
}

/** A header without `crc` is taken as it is, for edits by hand. @throws AdapterError LEAKDB_CORRUPTION */
export function decodeRecord(fileName: string, bytes: Buffer): StoredRecord {
  try {
    const headerEnd = bytes.indexOf(LINE_FEED);
    const { crc, ...header } = JSON.parse(bytes.toString("utf8", 0, headerEnd));
    const record: StoredRecord = { ...header, value: bytes.subarray(headerEnd + 1, -1) };
    const isWhole = bytes.at(-1) === LINE_FEED && (crc === undefined || crc === checksum(record));
    if (isWhole && recordFileName(record.key) === fileName) return record;
  } catch (cause) {
    throw damaged(fileName, cause);
  }
  throw damaged(fileName);
}

export function damaged(fileName: string, cause?: unknown): AdapterError {
  const message = `${fileName} is damaged or missing: restore it. After an edit by hand, take out its "crc"`;
  return new AdapterError(message, { kind: "permanent", code: "LEAKDB_CORRUPTION", cause });
}

/** Over all that a reader will believe. */
function checksum({ key, version, expiresAt, value }: StoredRecord): number {
  return crc32(JSON.stringify([key, version, expiresAt]), crc32(value));
}
