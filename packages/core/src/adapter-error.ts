/** How an adapter says what failed, and what is known of the outcome. A leaf of the adapter contract. */

import type { ErrorCode } from "./errors.js";

/**
 * What is known of a failed call:
 * - `transient`: nothing was applied; the same call may succeed later.
 * - `permanent`: nothing was applied, and the same call will never succeed.
 * - `ambiguous`: it may have been applied, or may still be; core closes and reopens the adapter before it goes on.
 */
export type FailureKind = "transient" | "permanent" | "ambiguous";

/** How an adapter says what failed. Any other thrown error counts as `ambiguous`. */
export class AdapterError extends Error {
  override readonly name = "AdapterError";
  readonly kind: FailureKind;
  /** The code core gives the user's error, where a more telling one than core's own exists. */
  readonly code: ErrorCode | undefined;

  constructor(message: string, options: { kind: FailureKind; code?: ErrorCode; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = options.kind;
    this.code = options.code;
  }
}

/** The {@link FailureKind} of anything an adapter threw. */
export function failureKind(error: unknown): FailureKind {
  const kind: unknown = (error as { kind?: unknown } | null | undefined)?.kind;
  return kind === "transient" || kind === "permanent" ? kind : "ambiguous";
}
