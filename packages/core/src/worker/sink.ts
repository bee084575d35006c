/**
 * Where a lane's batches go: an adapter, or the user's `workerProcess`. A sink says what failed; the lane decides
 * what follows from it.
 */

import type { Item } from "../queue/item.js";

export interface Failed {
  readonly index: number;
  readonly error: Error;
}

export interface SinkResult {
  /** Refused for good: dead letters. All others are settled, but those that `failed`. */
  readonly rejected?: readonly Failed[];
  /** Failed by themselves, in a way that counts as one of their attempts. */
  readonly failed?: readonly Failed[];
}

export interface Sink {
  /** Readies an item to be sent, once: its size in bytes. @throws LEAKDB_ENCODE_FAILED, and it is a dead letter. */
  prepare(item: Item): number;
  /** Rejects when the batch as a whole failed; `failureKind` of the error says what is known. */
  write(batch: readonly Item[]): Promise<SinkResult>;
  /** Resolves when the sink can be written to; `undefined` when it can be right now. */
  ready(): Promise<void> | undefined;
  /** After an ambiguous failure: resolves once nothing sent earlier can take effect any more. */
  recover(error: unknown): Promise<void>;
  /** Whether the sink answers for the items, which failed: true says that it is up. Never rejects. */
  isUp(batch: readonly Item[]): Promise<boolean>;
}
