import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeRecord, RecordStage } from "./record.js";

const key = fc.string({ unit: "binary", minLength: 1, maxLength: 20 }).filter((text) => text.isWellFormed());
const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const value = fc.uint8Array({ maxLength: 300 });

describe("a record", () => {
  it("comes back as it was, whatever was made in the same memory before", () => {
    const stage = new RecordStage();
    fc.assert(
      fc.property(key, value, whole, whole, (name, bytes, version, expiresAt) => {
        const record = Uint8Array.from(stage.encode(name, bytes, version, expiresAt));
        const found = decodeRecord(name, record);
        expect({ ...found, value: Array.from(found.value) }).toEqual({
          key: name,
          value: Array.from(bytes),
          version,
          expiresAt,
        });
      }),
    );
  });

  it("is refused under another key, and with any bit of it flipped", () => {
    const record = Uint8Array.from(new RecordStage().encode("a", Buffer.from("value"), 7, 9));
    const damage = { code: "LEAKDB_CORRUPTION" };
    expect(() => decodeRecord("b", record.slice())).toThrow(expect.objectContaining(damage));
    expect(() => decodeRecord("a", record.slice(0, 19))).toThrow(expect.objectContaining(damage));
    for (let bit = 0; bit < record.length * 8; bit += 1) {
      const flipped = record.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(() => decodeRecord("a", flipped)).toThrow(expect.objectContaining(damage));
    }
  });

  it("has the checksum of its key and itself, with zeros in its place", () => {
    const record = Buffer.from(new RecordStage().encode("é", Buffer.from("value"), 7, 9));
    const sum = record.readUInt32BE(0);
    record.writeUInt32BE(0, 0);
    expect(sum).toBe(crc32(Buffer.concat([Buffer.from("é"), record])));
  });
});
