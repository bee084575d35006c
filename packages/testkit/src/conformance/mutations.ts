/**
 * Short ways to write mutations down in cases. A `put` stands for the record it leaves behind as well, so that what
 * is written and what is expected read alike.
 */

import type { Mutation } from "@leakdb/core/adapter";

export type Put = Extract<Mutation, { type: "put" }>;

/** Microseconds since 1970, as core issues them: past 2^32 by far, so that a truncated version shows. */
export const FIRST_VERSION = 1_790_000_000_000_000;

export function put(key: string, value: string | Uint8Array, version: number, expiresAt = 0): Put {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return { type: "put", key, value: bytes, version, expiresAt };
}

export function remove(key: string, version: number): Mutation {
  return { type: "delete", key, version };
}

export function clear(prefix: string, version: number): Mutation {
  return { type: "clear", prefix, version };
}

/** `count` puts, `key-00000` and on, each with a value and a version of its own. */
export function numberedPuts(count: number, firstVersion: number = FIRST_VERSION, prefix = "key-"): Put[] {
  return Array.from({ length: count }, (_, index) =>
    put(`${prefix}${String(index).padStart(5, "0")}`, `value ${index}`, firstVersion + index),
  );
}
