/** What an opening found in a journal. */
export interface RecoveryReport {
  /** Entries read. */
  readonly entries: number;
  /** Bytes at the end that a crash had left unfinished; never part of what was acknowledged. */
  readonly tornBytes: number;
  /** Bytes read. */
  readonly bytes: number;
  readonly durationMs: number;
}
