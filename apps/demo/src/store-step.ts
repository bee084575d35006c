/** Step 3: what still waits is stored, SQLite syncs its file, and the figures of the run are read off. */

import type { StepContext } from "./load-step.js";

export interface StoreResult {
  /** Keys that still waited. */
  readonly waiting: number;
  readonly ms: number;
  /** Mutations that SQLite has acknowledged, since the opening. */
  readonly stored: number;
  readonly batches: number;
  readonly coalesced: number;
  readonly retries: number;
}

export async function store({ storage, signal }: StepContext): Promise<StoreResult> {
  const waiting = storage.stats().queue?.waiting ?? 0;
  const startMs = performance.now();
  await storage.flush({ level: "synced", signal });
  const ms = performance.now() - startMs;
  const { queue } = storage.stats();
  if (queue === undefined) throw new Error("a storage with an adapter has a queue");
  const { stored, batches, coalesced, retries } = queue;
  return { waiting, ms, stored, batches, coalesced, retries };
}
