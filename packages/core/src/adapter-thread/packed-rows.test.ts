import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Mutation, StoredRecord } from "../adapter.js";
import { packedBytesMax, packRows, RowPacker, unpackMutations, unpackRecords } from "./packed-rows.js";

const key = fc.oneof(
  fc.string({ minLength: 1, maxLength: 20 }),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
  fc.constantFrom("__proto__", "a\0b", "\u{1F600}", "\uFF5E", "é"),
);
const version = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const value = fc.uint8Array({ maxLength: 300 });
const expiresAt = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2 ** 45 }), fc.constant(1.5));
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ type: fc.constant("put" as const), key, value, version, expiresAt }),
  fc.record({ type: fc.constant("delete" as const), key, version }),
  fc.record({ type: fc.constant("clear" as const), prefix: fc.oneof(key, fc.constant("")), version }),
);
const record: fc.Arbitrary<StoredRecord> = fc.record({ key, value, version, expiresAt });

describe("packed rows", () => {
  it("give back every mutation as it was, in slices of any size", () => {
    fc.assert(
      fc.property(fc.array(mutation, { maxLength: 40 }), fc.integer({ min: 1, max: 50 }), (batch, slice) => {
        const buffer = new ArrayBuffer(packedBytesMax(batch) + 100);
        const packer = new RowPacker(batch, buffer);
        let slices = 1;
        while (!packer.pack(slice)) slices += 1;
        expect(slices).toBe(Math.max(1, Math.ceil(batch.length / slice)));
        expect(unpackMutations(buffer)).toEqual(batch);
      }),
    );
  });

  it("give back every record as it was", () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 40 }), (page) => {
        expect(unpackRecords(packRows(page))).toEqual(page);
      }),
    );
  });

  it("take a buffer that held another batch before", () => {
    const buffer = new ArrayBuffer(4096);
    new Uint8Array(buffer).fill(0xff);
    const batch: Mutation[] = [
      { type: "delete", key: "gone", version: 7 },
      { type: "put", key: "k", value: Uint8Array.of(1, 2, 3), version: 8, expiresAt: 9 },
    ];
    expect(new RowPacker(batch, buffer).pack(10)).toBe(true);
    expect(unpackMutations(buffer)).toEqual(batch);
  });

  it("copy the bytes of values, whatever view they are", () => {
    const whole = Buffer.from("0123456789");
    const view = whole.subarray(2, 5);
    const buffer = packRows([{ type: "put", key: "k", value: view, version: 1, expiresAt: 0 }]);
    whole.fill(0);
    const [put] = unpackMutations(buffer);
    expect(put?.type === "put" && Buffer.from(put.value).toString()).toBe("234");
  });
});
