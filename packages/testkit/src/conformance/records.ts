/**
 * Records as text, and their comparison. Each record is one line in which everything shows that may differ: keys
 * that look alike are escaped, long ones and binary values carry a digest.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { StoredRecord } from "@leakdb/core/adapter";
import type { Put } from "./mutations.js";

const KEY_SHOWN_MAX = 72;
const VALUE_SHOWN_MAX = 32;
const LINES_SHOWN_MAX = 8;

/** `"key" @version = value, expires n`, in printable ASCII. Asserts that the record has the types of the contract. */
export function describeRecord(record: StoredRecord | Put): string {
  const { key, value, version, expiresAt } = record;
  assert.equal(typeof key, "string", "a record's key must be a string");
  assert.ok(value instanceof Uint8Array, `the value of ${describeKey(key)} must be a Uint8Array`);
  assert.ok(Number.isSafeInteger(version), `the version of ${describeKey(key)} must be a safe integer`);
  assert.equal(typeof expiresAt, "number", `expiresAt of ${describeKey(key)} must be a number`);
  const expiry = expiresAt === 0 ? "" : `, expires ${expiresAt}`;
  return `${describeKey(key)} @${version} = ${describeValue(value)}${expiry}`;
}

export function describeKey(key: string): string {
  const escaped = JSON.stringify(key).replace(
    /[^\x20-\x7e]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
  if (escaped.length <= KEY_SHOWN_MAX) return escaped;
  return `${escaped.slice(0, KEY_SHOWN_MAX)}... (${Buffer.byteLength(key)} bytes, ${digest(Buffer.from(key))})`;
}

function describeValue(value: Uint8Array): string {
  const isShort = value.byteLength <= VALUE_SHOWN_MAX;
  if (isShort && value.every((byte) => byte >= 0x20 && byte < 0x7f))
    return `'${Buffer.from(value).toString()}'`;
  return `(${value.byteLength} bytes, ${digest(value)})`;
}

function digest(bytes: Uint8Array): string {
  return `sha1 ${createHash("sha1").update(bytes).digest("hex").slice(0, 12)}`;
}

/** Asserts that the lines are the same in the same order; a failure shows which are missing, extra or misplaced. */
export function assertLines(actual: readonly string[], expected: readonly string[], what: string): void {
  if (actual.length === expected.length && actual.every((line, index) => line === expected[index])) return;
  const missing = withoutAll(expected, actual);
  const extra = withoutAll(actual, expected);
  const report = [
    what,
    ...shown("expected, and missing", missing),
    ...shown("there, and not expected", extra),
  ];
  if (missing.length === 0 && extra.length === 0) {
    const index = expected.findIndex((line, place) => line !== actual[place]);
    report.push(`in another order from place ${index} on:`);
    report.push(`  expected ${expected[index]}`, `  there is ${actual[index]}`);
  }
  throw new assert.AssertionError({ message: report.join("\n"), operator: "assertLines" });
}

function withoutAll(lines: readonly string[], others: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const line of others) counts.set(line, (counts.get(line) ?? 0) + 1);
  return lines.filter((line) => {
    const count = counts.get(line) ?? 0;
    counts.set(line, count - 1);
    return count <= 0;
  });
}

function shown(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  const rest = lines.length > LINES_SHOWN_MAX ? [`  and ${lines.length - LINES_SHOWN_MAX} more`] : [];
  return [`${title}:`, ...lines.slice(0, LINES_SHOWN_MAX).map((line) => `  ${line}`), ...rest];
}
