/** What a copy asks of single records. Pure. */

import type { StoredRecord } from "../adapter.js";

/**
 * A backend expires records by its own clock, and sweeps them when it likes: one that is this close to its end may be
 * gone on either side.
 */
const CLOCK_SKEW_MS = 1_000;

export function isLive({ expiresAt }: StoredRecord, nowMs: number): boolean {
  return expiresAt === 0 || expiresAt > nowMs;
}

/** True when the record must be there, whatever the backend's clock says. */
export function isSurelyLive(record: StoredRecord, nowMs: number): boolean {
  return isLive(record, nowMs + CLOCK_SKEW_MS);
}

/** The first thing in which two records of one key differ, or `undefined`. */
export function difference(a: StoredRecord, b: StoredRecord): "version" | "expiry" | "value" | undefined {
  if (a.version !== b.version) return "version";
  if (a.expiresAt !== b.expiresAt) return "expiry";
  return Buffer.compare(a.value, b.value) === 0 ? undefined : "value";
}
