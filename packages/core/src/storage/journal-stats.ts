/** What `stats()` tells of a journal. */

import type { RecoveryReport } from "../journal/recovery-report.js";

export interface JournalStats {
  /** Of all its files. */
  readonly bytes: number;
  readonly segments: number;
  /** Groups written since the opening, and how often they were synced. */
  readonly groups: number;
  readonly syncs: number;
  /** Bytes of groups written since the opening. */
  readonly bytesWritten: number;
  /** What the opening found. */
  readonly recovery: RecoveryReport;
  /** Why it is not written any more, if so. */
  readonly failure: string | undefined;
}
