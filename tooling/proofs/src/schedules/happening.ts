/**
 * What happened in a run, in its order: what users did to memory, what core sent, what the backend applied and
 * answered, which promises were asked for and settled, what was reported. The checkers read nothing else, so that a
 * record with a planted fault shows whether they see it.
 */

import type { Mutation } from "@leakdb/core/adapter";

export interface FinalEntry {
  readonly key: string;
  readonly version: number;
  readonly value: unknown;
}

export type Happening =
  /** Memory took a mutation (write-behind), or answered one as stored (write-through). */
  | {
      readonly type: "mutated";
      readonly operation: "put" | "delete" | "clear";
      /** Of a clear, its prefix. */
      readonly key: string;
      readonly version: number;
    }
  | { readonly type: "sent"; readonly call: number; readonly batch: readonly Mutation[] }
  | { readonly type: "applied"; readonly call: number; readonly mutations: readonly Mutation[] }
  /** `refused`: the indexes that the answer names as rejected. */
  | {
      readonly type: "answered";
      readonly call: number;
      readonly isStored: boolean;
      readonly refused: readonly number[];
    }
  | { readonly type: "opened" | "closed" | "sync-asked" }
  | { readonly type: "synced"; readonly askedAt: number }
  /** A failure was made, which must not go unnoticed. */
  | { readonly type: "injected"; readonly what: string }
  /** An event of the storage, or the rejection of an operation. */
  | { readonly type: "reported"; readonly what: string }
  | {
      readonly type: "dead" | "discarded" | "given-back";
      readonly operation: "put" | "delete" | "clear";
      readonly key: string;
      readonly version: number;
    }
  | {
      readonly type: "asked";
      readonly barrier: number;
      readonly what: "flush" | "persisted" | "close" | "operation";
      readonly version: number;
      readonly key: string | undefined;
      readonly isSynced: boolean;
      readonly deadlineMs: number;
    }
  /** `code` is `undefined` when it resolved. */
  | {
      readonly type: "settled";
      readonly barrier: number;
      readonly code: string | undefined;
      readonly atMs: number;
    }
  /** At the end, when nothing is under way any more. */
  | {
      readonly type: "final";
      readonly where: "memory" | "backend" | "reopened";
      readonly entries: readonly FinalEntry[];
    }
  | { readonly type: "ended"; readonly atMs: number };

export type Of<Type extends Happening["type"]> = Extract<Happening, { readonly type: Type }>;

/** True when the mutation concerns the key: its own, or a clear over it. */
export function concerns(mutation: Mutation, key: string): boolean {
  return mutation.type === "clear" ? key.startsWith(mutation.prefix) : mutation.key === key;
}

/** True when two mutations must not be under way at once, and have an order. */
export function overlap(a: Mutation, b: Mutation): boolean {
  if (a.type !== "clear") return concerns(b, a.key);
  if (b.type !== "clear") return concerns(a, b.key);
  return a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix);
}

export function nameOf(mutation: Mutation): string {
  return `${mutation.type} ${JSON.stringify(mutation.type === "clear" ? mutation.prefix : mutation.key)}@${mutation.version}`;
}
