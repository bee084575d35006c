/** What a run is about: how its storage is opened and behaves, and what a run tells of each write. */

import type { ManualClock, RecordingAdapter, ReferenceBackend } from "@leakdb/testkit";
import type { ValuePolicy } from "./expectation.js";
import type { AnyStorage } from "./perform.js";

export interface Subject {
  readonly clock: ManualClock;
  /** Opens the storage, again after each close. */
  readonly open: () => Promise<AnyStorage>;
  readonly policy: ValuePolicy;
  /** That of namespaces; `undefined` for the storage's. */
  readonly namespacePolicy: ValuePolicy | undefined;
  readonly isThrough: boolean;
  /** Where the storage has one. */
  readonly backend: ReferenceBackend | undefined;
  readonly recorder?: () => RecordingAdapter | undefined;
  /** The most milliseconds a write waits. */
  readonly writeDelayMs: number;
}

/** What a command has done, for whoever must see each mutation arrive elsewhere. */
export interface WriteNote {
  readonly put: readonly string[];
  readonly deleted: readonly string[];
  /** The prefix of a clear. */
  readonly cleared: string | undefined;
  /** The versions of the command are greater than `before` and at most `after`. */
  readonly before: number;
  readonly after: number;
}
