/** One who waits for a barrier, with a deadline of its own. Those who come in crowds share one: see `crowd.ts`. */

import type { Wait } from "../wait.js";

export interface Barrier {
  readonly version: number;
  readonly key?: string | undefined;
  readonly synced: boolean;
}

export interface Waiter {
  /** What it asked for; dead letters up to this concern it. */
  readonly asked: number;
  /** What lets it go. */
  readonly version: number;
  readonly key: string | undefined;
  readonly synced: boolean;
  readonly wait: Wait;
  /** It waits in the line of versions, or in the heap. */
  isQueued: boolean;
  hasEnded: boolean;
}
