/** Compares a storage and its backend with the model: every entry, nothing else. Each difference is a thrown error. */

import { type Codec, isLeakDBError, msgpackCodec } from "@leakdb/core";
import type { ReferenceBackend } from "@leakdb/testkit";
import type { Expected, ValuePolicy } from "./expectation.js";
import type { Model, ModelEntry } from "./model.js";
import type { AnyStorage } from "./perform.js";
import type { Outcome } from "./settled.js";
import { isSameValue, spoil } from "./value-spec.js";

const CODEC: Codec = msgpackCodec();

export function must(condition: boolean, message: () => string): asserts condition {
  if (!condition) throw new Error(message());
}

/** Whether a value that was read is the entry's, as the view's policy promises it. */
export function checkValue(actual: unknown, entry: ModelEntry, policy: ValuePolicy): void {
  if (policy === "reference" && entry.ref !== undefined) {
    must(
      Object.is(actual, entry.ref.value),
      () => `read ${show(actual)}, which is not the object that was written`,
    );
    return;
  }
  must(isSameValue(actual, entry.expected), () => `read ${show(actual)} instead of ${show(entry.expected)}`);
  if (typeof actual !== "object" || actual === null || policy === "reference") return;
  must(actual !== entry.ref?.value, () => "read the very object that was written, not a copy");
  // A copy is the reader's own: what becomes of it must not show in the next read.
  spoil(actual);
}

export function checkOutcome(outcome: Outcome, expected: Expected, version: number): void {
  if (expected.is === "value" || expected.is === "version") {
    must(
      "value" in outcome,
      () => `threw ${show((outcome as { error: unknown }).error)} instead of answering`,
    );
    const wanted = expected.is === "version" ? version : expected.value;
    must(
      isSameValue(outcome.value, wanted),
      () => `answered ${show(outcome.value)} instead of ${show(wanted)}`,
    );
    return;
  }
  must(
    "error" in outcome,
    () => `answered ${show((outcome as { value: unknown }).value)} instead of throwing`,
  );
  const { error } = outcome;
  const isRight =
    (expected.is === "mistake" && (error instanceof TypeError || error instanceof RangeError)) ||
    (expected.is === "error" && isLeakDBError(error) && error.code === expected.code) ||
    (expected.is === "thrown" && error instanceof Error && error.message === expected.message);
  must(isRight, () => `threw ${show(error)} instead of ${show(expected)}`);
}

/** Every entry of the model, and no other, is what the storage shows. */
export function checkStorage(storage: AnyStorage, model: Model, policy: ValuePolicy): void {
  const expected = model.list();
  const entries = [...storage.entries({ reverse: false })];
  const keysOf = (pairs: readonly (readonly [string, unknown])[]): string => show(pairs.map(([key]) => key));
  must(keysOf(entries) === keysOf(expected), () => `holds ${keysOf(entries)} instead of ${keysOf(expected)}`);
  must(storage.size === expected.length, () => `size is ${storage.size} instead of ${expected.length}`);
  for (const [index, [key, entry]] of expected.entries()) {
    checkValue(entries[index]?.[1], entry, policy);
    checkEntry(storage, key, entry);
  }
}

export function checkEntry(storage: AnyStorage, key: string, entry: ModelEntry): void {
  const found = storage.getEntry(key);
  must(found !== undefined, () => `has no entry ${show(key)}`);
  must(
    found.version === entry.version,
    () => `${show(key)} has version ${found.version} instead of ${entry.version}`,
  );
  const expiresAt = entry.expiresAt || undefined;
  must(
    found.expiresAt === expiresAt,
    () => `${show(key)} expires at ${found.expiresAt} instead of ${expiresAt}`,
  );
}

/** I9, what expired aside: the backend holds exactly what memory holds. */
export function checkBackend(backend: ReferenceBackend, model: Model): void {
  const isAside = ({ expiresAt }: { readonly expiresAt: number }): boolean =>
    expiresAt !== 0 && expiresAt <= model.latestMs;
  for (const record of backend.records.values()) {
    const entry = model.live(record.key);
    if (isAside(record)) continue;
    must(entry !== undefined, () => `I9: the backend holds ${show(record.key)}, and memory does not`);
    must(entry.version === record.version && entry.expiresAt === record.expiresAt, () => {
      const state = `version ${record.version}, expiring at ${record.expiresAt}`;
      return `I9: the backend holds ${show(record.key)} with ${state} instead of ${entry.version}, ${entry.expiresAt}`;
    });
    const value = CODEC.decode(record.value);
    must(
      isSameValue(value, entry.expected),
      () => `I9: the backend holds another value for ${show(record.key)}`,
    );
  }
  for (const [key, entry] of model.list()) {
    if (isAside(entry) || entry.hasLapsed) continue;
    must(backend.records.has(key), () => `I9: memory holds ${show(key)}, and the backend does not`);
  }
}

export function show(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function" || typeof value === "symbol" || value === undefined) return String(value);
  if (Object.is(value, -0)) return "-0";
  try {
    return JSON.stringify(value, (_name, part: unknown) => (typeof part === "bigint" ? `${part}n` : part));
  } catch {
    return "something circular";
  }
}
