/** What a lane asks and tells whoever runs it: the write-behind pipeline or the write-through one. */

import type { FailureKind } from "../adapter.js";
import type { Clock } from "../clock.js";
import type { Item } from "../queue/item.js";

export interface LaneOptions {
  readonly clock: Clock;
  readonly writeDelayMs: number;
  readonly batchMax: number;
  readonly batchBytesMax: number;
  readonly coalesce: boolean;
  readonly maxAttempts: number;
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
}

export interface Retry {
  readonly error: Error;
  /** Mutations that wait for the next try. */
  readonly items: number;
  readonly delayMs: number;
}

export interface LaneOwner {
  /** The last version issued: a batch never reaches past it. */
  readonly lastVersion: number;
  /** Stored. */
  settled(item: Item): void;
  /** Cancelled, and therefore not sent. */
  dropped(item: Item): void;
  /** Refused for good, or failed too often: a dead letter. */
  refused(item: Item, error: Error): void;
  /** `newer` has taken the place of `item`, which nobody will write. */
  superseded(item: Item, newer: Item): void;
  /** True when nobody wants the item written any more. */
  isCancelled(item: Item): boolean;
  /** After a failure that was not the item's own: false when the owner has answered it and it must leave the lane. */
  keeps(item: Item, error: Error, kind: FailureKind): boolean;
  /** A batch was answered, settled or not: waiters may be let go. */
  answered(): void;
  retrying(retry: Retry): void;
}

/** What the work in hand asks of its lane. */
export interface WorkEvents {
  /** A clear is settled, dropped or refused: what is newer may go. */
  clearEnded(clear: Item): void;
  /** To be called back after `delayMs`; returns what takes that back. */
  after(delayMs: number, callback: () => void): () => void;
}
