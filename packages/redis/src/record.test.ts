import { describe, expect, it } from "vitest";
import { decodeRecord, encodeRecord, versionText } from "./record.js";

const corrupt = { kind: "permanent", code: "LEAKDB_CORRUPTION" };
const decode = (text: string | Buffer) => decodeRecord("a", "leakdb:a", Buffer.from(text));

describe("a record", () => {
  it.each([
    [1, 0],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    [1_795_385_196_869_000, 1_795_385_196_869],
  ])("comes back as it was, with version %d and expiry %d", (version, expiresAt) => {
    for (const value of ["", "\n", "1 2\n3", "\u0000\xff", "x".repeat(1_000)]) {
      const bytes = encodeRecord(Buffer.from(value, "latin1"), version, expiresAt);
      const record = decodeRecord("a", "leakdb:a", bytes);
      expect(record).toEqual({
        key: "a",
        version,
        expiresAt,
        value: new Uint8Array(Buffer.from(value, "latin1")),
      });
    }
  });

  it("is text that a person can read", () => {
    expect(encodeRecord(Buffer.from('{"items":3}'), 1_795_385_196_869_000, 0).toString()).toBe(
      '1795385196869000 0\n{"items":3}',
    );
  });

  it("has bytes of its own, which keep no reply alive", () => {
    const bytes = encodeRecord(Buffer.from("abc"), 1, 0);
    const { value } = decodeRecord("a", "leakdb:a", bytes);
    bytes.fill(0);
    expect(Buffer.from(value).toString()).toBe("abc");
    expect(value.buffer.byteLength).toBe(3);
  });

  it("has versions whose order as text is that of the numbers", () => {
    const versions = [0, 1, 9, 10, 999, 1_000, 2 ** 31, 2 ** 32, 2 ** 52, Number.MAX_SAFE_INTEGER];
    expect(versions.map(versionText).sort()).toEqual(versions.map(versionText));
  });

  it.each([
    "",
    "hello",
    "hello\nworld",
    "1 0\nx",
    "0000000000000001 0",
    "0000000000000001\nx",
    "0000000000000001  0\nx",
    "0000000000000001 -1\nx",
    "0x00000000000001 0\nx",
    "9999999999999999 0\nx",
    "0000000000000001 9999999999999999\nx",
    `0000000000000001 ${"0".repeat(17)}\nx`,
  ])("is not what another program wrote: %j", (text) => {
    expect(() => decode(text)).toThrow(expect.objectContaining(corrupt));
    expect(() => decode(text)).toThrow(/"leakdb:a" is no record/);
  });
});
