import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { describe, test } from "vitest";
import {
  CLEAR,
  DEAD_CLEAR,
  DEAD_DELETE,
  DEAD_GONE,
  DEAD_PUT,
  DELETE,
  DONE,
  type EntryKind,
  PUT,
  visitEntries,
} from "./entry.js";
import { claimedBytes, FRAME_HEADER_BYTES, FrameBuilder, readFrame } from "./frame.js";

type Row = readonly [EntryKind, string, number, number, Uint8Array];

const NONE = new Uint8Array(0);
const SALT = 12_345;

function framed(rows: readonly Row[], offset = 104, synced = 104, isContinued = false): Buffer {
  const builder = new FrameBuilder();
  for (const [kind, key, version, expiresAt, value] of rows)
    builder.add(kind, key, version, expiresAt, value);
  return Buffer.from(builder.finish(SALT, offset, synced, isContinued));
}

function rowsOf(payload: Buffer, entries: number): Row[] {
  const rows: Row[] = [];
  visitEntries(payload, entries, (kind, key, version, expiresAt, value) =>
    rows.push([kind, key, version, expiresAt, Uint8Array.from(value)]),
  );
  return rows;
}

function assertRoundTrip(rows: readonly Row[]): void {
  const bytes = framed(rows);
  const frame = readFrame(bytes, 0, bytes.length, SALT);
  assert.ok(frame);
  assert.equal(frame.entries, rows.length);
  assert.equal(frame.bytes, bytes.length);
  assert.deepEqual(rowsOf(frame.payload, frame.entries), rows);
}

describe("entries come back as they were", () => {
  const keys = [
    "a",
    "__proto__",
    "constructor",
    "with\0nul",
    "\0",
    "0",
    "ключ",
    "キー",
    "😀",
    "\uff5e",
    "x".repeat(47),
    "x".repeat(48),
    "x".repeat(49),
    "x".repeat(1024),
    "é".repeat(512),
    "😀".repeat(256),
    `${"x".repeat(47)}é`,
  ];
  test.each(keys.map((key) => [JSON.stringify(key).slice(0, 20), key]))("key %s", (_name, key) => {
    assertRoundTrip([[PUT, key, 7, 0, Uint8Array.of(1, 2, 3)]]);
  });

  test.each([0, 1, 2, 47, 48, 49, 255, 256, 65_535, 65_536, 262_144, 5_000_000])(
    "a value of %i bytes",
    (bytes) => {
      const value = new Uint8Array(bytes).map((_byte, index) => index * 31 + 7);
      assertRoundTrip([
        [PUT, "before", 1, 0, NONE],
        [PUT, "key", 2, 0, value],
        [DELETE, "after", 3, 0, NONE],
      ]);
    },
  );

  test.each([PUT, DELETE, CLEAR, DEAD_PUT, DEAD_DELETE, DEAD_CLEAR, DEAD_GONE, DONE] as const)(
    "kind %i",
    (kind) => {
      assertRoundTrip([[kind, "key", 5, 0, Uint8Array.of(1, 2, 3)]]);
    },
  );

  test("an empty key, which a clear of everything has", () => {
    assertRoundTrip([[CLEAR, "", 5, 0, NONE]]);
  });

  test("versions up to the last safe integer, and expiries far and fractional", () => {
    assertRoundTrip([
      [PUT, "a", 1, 1, NONE],
      [PUT, "b", Number.MAX_SAFE_INTEGER, 8.64e15, NONE],
      [PUT, "c", 2 ** 52 + 1, 1_700_000_000_000.25, NONE],
    ]);
  });

  test("many entries, more than the builder's first buffer holds", () => {
    const value = new Uint8Array(100).fill(9);
    assertRoundTrip(
      Array.from({ length: 20_000 }, (_, index) => [PUT, `key ${index}`, index + 1, 0, value] as const),
    );
  });

  test("none at all: the end of a group may be empty", () => {
    assertRoundTrip([]);
  });
});

describe("the builder", () => {
  test("begins anew after a reset, also after a large value", () => {
    const builder = new FrameBuilder();
    builder.add(PUT, "large", 1, 0, new Uint8Array(20 * 1024 * 1024));
    assert.ok(builder.bytes > 20 * 1024 * 1024);
    builder.reset();
    assert.equal(builder.entries, 0);
    assert.equal(builder.bytes, FRAME_HEADER_BYTES);
    builder.add(DELETE, "small", 2);
    const bytes = Buffer.from(builder.finish(SALT, 104, 104, false));
    const frame = readFrame(bytes, 0, bytes.length, SALT);
    assert.ok(frame);
    assert.deepEqual(rowsOf(frame.payload, frame.entries), [[DELETE, "small", 2, 0, NONE]]);
  });

  test("says what the header holds", () => {
    const bytes = framed([[PUT, "a", 1, 0, NONE]], 2 ** 33, 2 ** 32 + 5, true);
    const frame = readFrame(bytes, 0, bytes.length, SALT);
    assert.equal(frame?.synced, 2 ** 32 + 5);
    assert.equal(frame?.isContinued, true);
    assert.equal(claimedBytes(bytes, 0, 2 ** 33), bytes.length);
  });
});

describe("hostile frames", () => {
  const sound = framed([
    [PUT, "key", 7, 99, Uint8Array.of(1, 2, 3)],
    [DELETE, "other", 8, 0, NONE],
  ]);

  test("any flipped bit makes it none", () => {
    for (let bit = 0; bit < sound.length * 8; bit += 1) {
      const bytes = Buffer.from(sound);
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      const claimed = claimedBytes(bytes, 0, 104);
      const isRead = claimed === bytes.length && readFrame(bytes, 0, bytes.length, SALT) !== undefined;
      assert.equal(isRead, false, `bit ${bit}`);
    }
  });

  test("one of another segment, or of another place, is none", () => {
    assert.equal(readFrame(sound, 0, sound.length, SALT + 1), undefined);
    assert.equal(claimedBytes(sound, 0, 105), undefined);
  });

  test("a right checksum over wrong entries is LEAKDB_CORRUPTION, never a crash", () => {
    const payload = sound.subarray(FRAME_HEADER_BYTES);
    for (let byte = 0; byte < 16; byte += 1) {
      for (const value of [0, 1, 9, 10, 127, 128, 255]) {
        const bytes = Buffer.from(payload);
        bytes[byte] = value;
        try {
          visitEntries(bytes, 2, () => undefined);
        } catch (error) {
          assert.equal((error as { code?: unknown }).code, "LEAKDB_CORRUPTION", `byte ${byte} = ${value}`);
        }
      }
    }
    for (const entries of [0, 1, 3, 2 ** 32 - 1]) {
      assert.throws(() => visitEntries(payload, entries, () => undefined), { code: "LEAKDB_CORRUPTION" });
    }
    for (let length = 0; length < payload.length; length += 1) {
      assert.throws(() => visitEntries(payload.subarray(0, length), 2, () => undefined), {
        code: "LEAKDB_CORRUPTION",
      });
    }
  });

  test.each([2 ** 31, 2 ** 32 - 1, 2 ** 32 - FRAME_HEADER_BYTES])(
    "a payload length of %i claims as much",
    (length) => {
      const bytes = Buffer.from(sound);
      bytes.writeUInt32LE(length, 8);
      bytes.writeUInt32LE(crc32(bytes.subarray(8), SALT), 4);
      assert.equal(claimedBytes(bytes, 0, 104), FRAME_HEADER_BYTES + length);
    },
  );
});
