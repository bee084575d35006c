/** Counters of a storage since it was opened, in one plain object: for logs and for a metrics endpoint. */

import type { Engine } from "./engine.js";
import type { JournalStats } from "./journal-stats.js";
import type { Mode } from "./writer.js";

export interface StorageStats {
  /** Live entries. */
  readonly entries: number;
  readonly hits: number;
  readonly misses: number;
  /** Entries removed because they had expired. */
  readonly expired: number;
  readonly version: number;
  /** `undefined` for a storage of memory alone. */
  readonly queue:
    | {
        /** Mutations made and not settled: waiting, in a batch, or retrying. */
        readonly waiting: number;
        readonly needDrain: boolean;
        /** Mutations that found their key waiting, and so cost no write of their own. */
        readonly coalesced: number;
        readonly stored: number;
        readonly batches: number;
        readonly retries: number;
        readonly deadLetters: number;
      }
    | undefined;
  /** `undefined` without a journal. */
  readonly journal: JournalStats | undefined;
  /** `undefined` without an adapter. */
  readonly backend: { readonly name: string; readonly bytes: number } | undefined;
}

export function statsOf<M extends Mode>({
  store,
  pipeline,
  journal,
  session,
  counters,
}: Engine<M>): StorageStats {
  const { table, versions } = store;
  return {
    entries: table.size,
    hits: table.hits,
    misses: table.misses,
    expired: table.expired,
    version: versions.last,
    queue: pipeline && {
      waiting: pipeline.backpressure.depth,
      needDrain: pipeline.backpressure.needDrain,
      coalesced: pipeline.coalesced,
      stored: pipeline.stored,
      batches: counters.batches,
      retries: pipeline.retries,
      deadLetters: pipeline.deadLetterCount,
    },
    journal: journal?.stats,
    backend: session && { name: session.adapter.name, bytes: session.bytes },
  };
}
