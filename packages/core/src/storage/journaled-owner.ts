/** What the journal of a storage asks of whoever stands behind it: the pipeline to a backend or a worker, or nobody. */

import type { LeakDBError } from "../errors.js";
import type { Backpressure } from "../queue/backpressure.js";
import type { Dead } from "../queue/dead-letters.js";
import type { Item } from "../queue/item.js";

/** Whoever's mutations are journaled, as far as the journal must know what is still needed of them. */
export interface JournaledOwner {
  readonly backpressure: Backpressure;
  /** Everything up to this version needs no journal any more, once `syncBackend` has resolved; -1 for nothing. */
  settledUpTo(): number;
  syncBackend(): Promise<void>;
  /** What is still needed: slots with their newest state, items, and dead letters. */
  liveSlots(): Iterator<number>;
  liveItems(): Iterable<Item>;
  letters(): Iterable<Dead>;
  /** The newest state of the key cannot be written down. */
  unencodable(key: string, version: number, error: Error): void;
  /** A newer one could, or a clear of its prefix. */
  encoded(key: string, version: number, type: Item["type"]): void;
  /** The error for whoever waits for what could not be written down, if the owner knows more than the journal. */
  failure(version: number, key: string | undefined): LeakDBError | undefined;
  /** So many mutations have been taken by the journal. */
  journaled(count: number): void;
}
