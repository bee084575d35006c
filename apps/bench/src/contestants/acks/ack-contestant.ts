/**
 * What takes part in the rows about durable acknowledgements. Each sample has a process of its own, so that the loop of
 * `closed-loop.ts` sees one kind of contestant and no other.
 */

import type { BenchValue } from "../../records.js";

export interface AckContestant {
  /** Resolves when the record is on the disk; `undefined` when it is there already. */
  write(key: string, value: BenchValue): PromiseLike<unknown> | undefined;
  /** Closes, opens anew, and reads everything that is there. Nothing is written any more. */
  readBack(): Promise<ReadonlyMap<string, BenchValue>>;
}

/** `directory` is empty, and its own. */
export type MakeAckContestant = (directory: string) => Promise<AckContestant>;
