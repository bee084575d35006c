/**
 * A segment: one file of the journal, numbered, with a header and frames.
 *
 * ```
 *   00000007.journal     00000008.journal     00000009.journal
 *   ┌────────┬───────┐   ┌────────┬───────┐   ┌────────┬───┬───┬ ─ ─
 *   │ header │ frames│   │ header │ frames│   │ header │ f │ f │ next
 *   └────────┴───────┘   └────────┴───────┘   └────────┴───┴───┴ ─ ─
 *     floor 7              floor 7              floor 8
 *                                               └ from now on 7 is no part of the journal, though its file may be there
 *
 * | magic 8 B | crc u32 | kind u32 | number f64 | floor f64 | former bytes f64 | former synced u32 | 0 u32 |
 * | salt 16 B | sha256 of the store id 32 B |
 * ```
 *
 * Cutting the journal's start off is therefore atomic: it has happened when a new segment with a higher floor is on the
 * disk; the files below the floor are removed after that, in any order, as often as it takes.
 */

import { createHash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

export const SEGMENT_HEADER_BYTES = 104;

const MAGIC = Buffer.from("LEAKDBJ1");
const CRC_END = 12;
const SALT_START = 56;
const SALT_BYTES = 16;
const STORE_START = 72;

/** What the journal stands before: a journal of one kind cannot be opened as one of another. */
export const JOURNAL_KINDS = ["memory", "queue", "backend"] as const;
export type JournalKind = (typeof JOURNAL_KINDS)[number];

/** Which store a journal belongs to. */
export interface JournalIdentity {
  readonly kind: JournalKind;
  /** Of the backend; empty where there is none. */
  readonly storeId: string;
}

/** The same as a header says it. */
export interface JournalOwner {
  readonly kind: JournalKind;
  /** The SHA-256 of the store id. */
  readonly storeHash: Buffer;
}

export interface SegmentHeader extends JournalOwner {
  readonly number: number;
  /** The first segment that is part of the journal. */
  readonly floor: number;
  /** The length of the segment before this one when it was left. */
  readonly formerBytes: number;
  /** All of that segment, and of those before it from the floor on, was on the disk then. */
  readonly isFormerSynced: boolean;
  /** What the checksums of this segment's frames start from. */
  readonly salt: number;
}

export function storeHashOf(identity: JournalIdentity): Buffer {
  return createHash("sha256").update(identity.storeId).digest();
}

/** A header for a new segment, with a salt of its own, as bytes. */
export function newSegmentHeader(header: Omit<SegmentHeader, "salt">): { bytes: Buffer; salt: number } {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(JOURNAL_KINDS.indexOf(header.kind), CRC_END);
  bytes.writeDoubleLE(header.number, 16);
  bytes.writeDoubleLE(header.floor, 24);
  bytes.writeDoubleLE(header.formerBytes, 32);
  bytes.writeUInt32LE(header.isFormerSynced ? 1 : 0, 40);
  randomBytes(SALT_BYTES).copy(bytes, SALT_START);
  header.storeHash.copy(bytes, STORE_START);
  bytes.writeUInt32LE(crc32(bytes.subarray(CRC_END)), 8);
  return { bytes, salt: saltOf(bytes) };
}

/** The header, or `undefined` when these bytes are none. */
export function readSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const header = bytes.subarray(0, SEGMENT_HEADER_BYTES);
  const kind = JOURNAL_KINDS[header.readUInt32LE(CRC_END)];
  if (crc32(header.subarray(CRC_END)) !== header.readUInt32LE(8) || kind === undefined) return undefined;
  return {
    number: header.readDoubleLE(16),
    floor: header.readDoubleLE(24),
    formerBytes: header.readDoubleLE(32),
    isFormerSynced: header.readUInt32LE(40) !== 0,
    kind,
    storeHash: Buffer.from(header.subarray(STORE_START)),
    salt: saltOf(header),
  };
}

function saltOf(header: Buffer): number {
  return crc32(header.subarray(SALT_START, SALT_START + SALT_BYTES));
}

const NAME = /^(\d{8,15})\.journal$/;

export function segmentName(number: number): string {
  return `${String(number).padStart(8, "0")}.journal`;
}

/** The number of the segment that a file's name says, `undefined` for other files. */
export function segmentNumber(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
