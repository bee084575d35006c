import { expect, test } from "vitest";
import { bytesOf } from "../src/disk-bytes.js";

const IO = `rchar: 6976
wchar: 12
syscr: 10
syscw: 1
read_bytes: 8192
write_bytes: 40960
cancelled_write_bytes: 4096
`;

test("what was to be written and went before it was does not count", () => {
  expect(bytesOf(IO)).toBe(36_864);
});

test("a system that counts something else is told", () => {
  expect(() => bytesOf(IO.replace("\nwrite_bytes", "\nwritten"))).toThrow("write_bytes");
});
