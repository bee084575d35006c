/** What a storage gives back of mutations that were not stored. A leaf, so that errors can carry it. */

/** One standing dead letter, as `deadLetters()` lists it. */
export interface DeadLetter {
  readonly operation: "put" | "delete" | "clear";
  /** The key; of a clear, its prefix. */
  readonly key: string;
  readonly version: number;
  /** What refused it: a `LeakDBError` with its `cause`; for `QueueStorage`, what the worker threw. */
  readonly error: Error;
  readonly attempts: number;
  /** When the mutation was made. */
  readonly date: Date;
  /** Puts it back in the queue with its version; false when it no longer stands. */
  retry(): boolean;
  /** Gives it up: memory keeps its value, the backend what it had. False when it no longer stands. */
  discard(): boolean;
}

/** A mutation that a close could not store. */
export interface Unwritten {
  readonly operation: "put" | "delete" | "clear";
  /** The key; of a clear, its prefix. */
  readonly key: string;
  readonly value: unknown;
  readonly version: number;
  /** Milliseconds since 1970, or `undefined` for never. */
  readonly expiresAt: number | undefined;
}
