/**
 * What a storage needs of whatever carries its mutations onwards: the same for write-behind and write-through.
 */

import type { Backpressure } from "../queue/backpressure.js";
import type { Barriers } from "../queue/barriers.js";
import type { Item } from "../queue/item.js";
import type { DeadLetter } from "../reports.js";
import type { WaitOptions } from "../wait.js";

export interface Pipeline {
  readonly backpressure: Backpressure;
  readonly barriers: Barriers;
  readonly coalesced: number;
  readonly stored: number;
  readonly retries: number;
  readonly deadLetterCount: number;
  /** Makes everything due; resolves when all up to `version` is stored (or synced). */
  flush(barrier: { version: number; synced: boolean }, options: WaitOptions): Promise<void>;
  deadLetters(): DeadLetter[];
  /** Nothing more is sent; resolves when what is in flight has been answered. */
  stop(): Promise<void>;
  /** Everything that has not been stored, oldest first. */
  unwritten(): Item[];
}
