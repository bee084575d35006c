/**
 * The adapter contract: all that a backend has to do for LeakDB. Import it from `@leakdb/core/adapter`.
 *
 * Adapters store bytes; core encodes values, gives versions, orders mutations, batches, retries and reports. An
 * adapter is one factory function that returns an {@link Adapter}.
 *
 * What core promises an adapter:
 * - `open` is called first and resolves before any call but `close`; after `close` it may be called again. `close` is
 *   called after a failed `open` too.
 * - At most `capabilities.lanesMax` calls of `write` are under way at once, and never two that hold the same key; while
 *   a `clear` is under way, nothing else is.
 * - One key's mutations come in rising version order. A put that is sent again has the same bytes, unless it has
 *   expired meanwhile: then it may come as a delete of its version.
 * - A batch holds a key at most once, except that a `clear` may stand between puts and deletes; the order of a
 *   batch is the order to apply it in.
 * - After an ambiguous failure nothing is written before `close` and `open` have succeeded.
 *
 * What an adapter promises core:
 * - `write` resolves when the batch is acknowledged by the backend (level `stored`). It is idempotent.
 * - `write` never applies an older version of a key over a newer one. It need not remember deletes for that: with one
 *   owner and the order above, no put that is older than a delete comes after it.
 * - When `signal` is aborted, the call settles soon: it resolves if the work was done, rejects as `transient` if
 *   nothing was sent, else as `ambiguous`.
 * - After `close` resolves, nothing that was sent earlier may take effect, and calls but `open` and `close` reject.
 * - It never keeps, changes or transfers the `value` bytes it is handed after `write` settles.
 */

import type { Clock } from "./clock.js";

export { AdapterError, type FailureKind, failureKind } from "./adapter-error.js";
export type { Clock, TimerHandle } from "./clock.js";
export { systemClock } from "./clock.js";
export { DirectoryLock } from "./directory-lock.js";
export { ERROR_CODES, type ErrorCode, isLeakDBError, LeakDBError } from "./errors.js";
export { checkOptionNames } from "./option-names.js";

/** What an adapter can do. Core reads it before `open` and after it, and the conformance suite gates cases on it. */
export interface Capabilities {
  /** A batch is applied all or none, also when the process dies in the middle. */
  readonly atomicBatch: boolean;
  /** `scan` yields keys in the order of their UTF-8 bytes. */
  readonly ordered: boolean;
  /** How many `write` calls may be under way at once; at least 1. */
  readonly lanesMax: number;
  /** The durability the backend can promise: `stored` always, `synced` when `sync()` reaches its disk. */
  readonly levels: readonly ("stored" | "synced")[];
  /** The longest key in UTF-8 bytes, `Infinity` where only core's own limit of 1,024 holds. */
  readonly maxKeyBytes: number;
  /** The longest encoded value in bytes; a longer one is a dead letter before it is sent. */
  readonly maxValueBytes: number;
}

/** One change of the backend. `version` is a safe integer; `expiresAt` is milliseconds since 1970, 0 for never. */
export type Mutation =
  | {
      readonly type: "put";
      readonly key: string;
      readonly value: Uint8Array;
      readonly version: number;
      readonly expiresAt: number;
    }
  | { readonly type: "delete"; readonly key: string; readonly version: number }
  /** Removes every key that starts with `prefix` (`""`: all) whose stored version is below `version`. */
  | { readonly type: "clear"; readonly prefix: string; readonly version: number };

/** A record as the backend holds it. `expiresAt` is milliseconds since 1970, 0 for never. */
export interface StoredRecord {
  readonly key: string;
  readonly value: Uint8Array;
  readonly version: number;
  readonly expiresAt: number;
}

/** What an adapter learns when it is opened. */
export interface AdapterContext {
  readonly clock: Clock;
  /** Aborted when core gives up on the opening; the adapter then releases what it holds and rejects. */
  readonly signal: AbortSignal;
  /** The largest batch core will send. Bytes count keys, values and a little for each record; one mutation alone may exceed them. */
  readonly limits: { readonly batchMax: number; readonly batchBytesMax: number };
  /** Tells core of a background failure (a lost connection, a failed sweep): it becomes a `fault` event. */
  report(error: Error): void;
}

/** What an adapter answers when it is open. */
export interface AdapterState {
  /** Made at random when the backend is created and kept in it: tells one backend from another. */
  readonly storeId: string;
  /**
   * At least the highest version ever acknowledged, deletes and clears included; 0 for a new backend. Never above the
   * highest ever sent to it: at a reopening core takes what is below for a loss, and what is above for another owner's.
   */
  readonly highVersion: number;
  /** Bytes the backend occupies, 0 where unknown. */
  readonly bytes: number;
}

export interface WriteResult {
  /** Bytes the backend occupies now, 0 where unknown. */
  readonly bytes: number;
  /** Mutations the backend refuses for good, by their index in the batch; all the others are stored. */
  readonly rejected?: readonly { readonly index: number; readonly error: Error }[];
}

export interface Adapter {
  /** Short and readable, such as a file name: stands in errors, in `stats()` and in `toString()`. */
  readonly name: string;
  readonly capabilities: Capabilities;
  /** @throws AdapterError; `LEAKDB_LOCKED`, `LEAKDB_FENCED` and `LEAKDB_CORRUPTION` as its `code` reach the user. */
  open(context: AdapterContext): Promise<AdapterState>;
  /** Applies the batch in its order. A rejection says by its `kind` what is known of the outcome. */
  write(batch: readonly Mutation[], options: { readonly signal: AbortSignal }): Promise<WriteResult>;
  /** The records of `keys`, in their order, `undefined` for a miss. Expired records may be among them. */
  load(keys: readonly string[]): Promise<(StoredRecord | undefined)[]>;
  /**
   * Every record whose key starts with `prefix` and is greater than `after`, in pages. A key that nobody writes
   * meanwhile comes exactly once.
   */
  scan(range: { readonly prefix?: string; readonly after?: string }): AsyncIterable<readonly StoredRecord[]>;
  /** Resolves when everything acknowledged before the call is on the backend's disk. */
  sync(): Promise<void>;
  /** After it resolves, nothing sent earlier may take effect. Idempotent. */
  close(): Promise<void>;
}
