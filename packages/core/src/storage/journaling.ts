/**
 * The journal of one storage, from the storage's side: takes note of every mutation, says how far they have come, keeps
 * the journal within its bound, and stops the storage's mutators when it fails.
 *
 *     noteSlot, noteItem, noteDone … ─▶ JournalLine ─▶ GroupCommit ─▶ JournalLog
 *                                                          │
 *            persisted("journaled"), backend ◀── W ── reached ──▶ what need not be kept any more is cut off
 *
 * Keeps I7 for the level `journaled`, I5 through `maxBytes`, and the rule that the backend is never ahead of the journal
 * through `gate`. After a failure the rule is lifted: what memory holds still drains to the backend.
 */

import type { TimerHandle } from "../clock.js";
import { isLeakDBError, LeakDBError } from "../errors.js";
import type { FrameBuilder } from "../journal/frame.js";
import { GroupCommit, type GroupSource } from "../journal/group-commit.js";
import type { JournalLog } from "../journal/journal-log.js";
import type { RecoveryReport } from "../journal/recovery-report.js";
import { JOURNALING } from "../memory/marks.js";
import { type BarrierOwner, Barriers } from "../queue/barriers.js";
import type { Dead } from "../queue/dead-letters.js";
import type { Item } from "../queue/item.js";
import { startWait, type WaitOptions } from "../wait.js";
import type { Events } from "./events.js";
import { JournalLine } from "./journal-line.js";
import type { ResolvedJournalOptions } from "./journal-options.js";
import type { JournalStats } from "./journal-stats.js";
import { JournalTrimming } from "./journal-trimming.js";
import type { JournaledOwner } from "./journaled-owner.js";
import type { Store } from "./store.js";

/** What a worker has done is written down this much later at most: what a crash delivers again is bounded by it. */
const DONE_DELAY_MS = 100;

export interface JournalingParts {
  readonly log: JournalLog;
  readonly options: ResolvedJournalOptions;
  readonly store: Store;
  readonly events: Events;
  readonly recovery: RecoveryReport;
}

export class Journaling implements GroupSource, BarrierOwner {
  readonly #parts: JournalingParts;
  readonly #store: Store;
  readonly #line: JournalLine;
  readonly #commit: GroupCommit;
  readonly #trimming: JournalTrimming;
  readonly barriers: Barriers;
  #owner!: JournaledOwner;
  #doneTimer: TimerHandle;
  #endedBy: LeakDBError | undefined;
  /** Dead letters with the segment that tells of them. */
  readonly #letterSegments = new Map<Dead, number>();
  readonly #goneLetters = new WeakSet<Dead>();

  constructor(parts: JournalingParts) {
    const { log, options, store } = parts;
    this.#parts = parts;
    this.#store = store;
    this.#line = new JournalLine({
      table: store.table,
      codec: store.codec,
      onUnencodable: (key, version, error) => this.#owner.unencodable(key, version, error),
      onEncoded: (key, version, type) => this.#owner.encoded(key, version, type),
    });
    this.#commit = new GroupCommit(log, this, { ...options, clock: store.clock });
    this.#commit.writtenUpTo = store.versions.last;
    this.#commit.syncedUpTo = store.versions.last;
    this.#trimming = new JournalTrimming({
      ...{ log, commit: this.#commit, line: this.#line, options },
      lastVersion: () => this.lastVersion,
      onFault: (error) => parts.events.emit("fault", error),
    });
    this.barriers = new Barriers(this, true);
  }

  /** To be called once, before anything is noted. */
  serve(owner: JournaledOwner): void {
    this.#owner = owner;
    this.#trimming.serve(owner, (dead) => this.noteDead(dead), this.#letterSegments);
  }

  /** False under `sync: "never"`, which promises nothing that could be waited for. */
  get isAwaitable(): boolean {
    return this.#parts.options.sync !== "never";
  }

  get stats(): JournalStats {
    const { log, recovery } = this.#parts;
    const { groups, syncs, bytesWritten } = this.#commit;
    const failure = log.failure?.message;
    return { bytes: log.bytes, segments: log.segmentCount, groups, syncs, bytesWritten, recovery, failure };
  }

  /** Mutations that have not been handed to the journal yet. */
  get waiting(): number {
    return this.#line.length;
  }

  get hasFailed(): boolean {
    return this.#commit.hasFailed;
  }

  /** Whatever was noted is in the journal: what a close could not store is found there by the next opening. */
  get holdsAll(): boolean {
    return this.#commit.isSettled && !this.hasFailed && this.#line.unencodable.size === 0;
  }

  /** A slot got a new state; `marks` are those it had before, JOURNALING is among those it has now. */
  noteSlot(slot: number, marks: number): void {
    if ((marks & JOURNALING) !== 0) return;
    this.#line.pushSlot(slot);
    this.#commit.wake();
  }

  /** A state that the last version covers is noted again: whoever waits from now on waits for that as well. */
  takeBack(): void {
    this.#commit.syncedUpTo = Math.min(this.#commit.syncedUpTo, this.lastVersion - 1);
  }

  noteItem(item: Item): void {
    this.#line.pushItem(item);
    this.#commit.wake();
  }

  /** The user's worker has done the item; the next group says so. */
  noteDone(item: Item): void {
    if (this.hasFailed) return;
    this.#line.pushDone(item.version);
    this.#trimming.itemDone(item.version);
    this.#doneTimer ??= this.#store.clock.setTimeout(() => this.#writeDone(), DONE_DELAY_MS, true);
  }

  noteDead(dead: Dead): void {
    // One that was retried before its note was written: its item, which goes first, must not be taken back by it.
    const isGone = (): boolean => this.#goneLetters.has(dead);
    this.#line.pushDead(dead.item, dead.error, isGone, () => {
      this.#letterSegments.set(dead, this.#parts.log.segment);
    });
    this.#commit.wake();
  }

  noteDeadGone(dead: Dead, isStored: boolean): void {
    this.forgetUnencodable(dead.item);
    this.#letterSegments.delete(dead);
    this.#goneLetters.add(dead);
    this.#line.pushDeadGone(dead.item, isStored, this.#trimming.letterGone());
    this.#commit.wake();
  }

  /** The user has given the state up. */
  forgetUnencodable({ key, version }: Item): void {
    const { unencodable } = this.#line;
    if (unencodable.get(key)?.version === version) unencodable.delete(key);
  }

  /** A state that could not be written down has reached the backend, or the worker, all the same. */
  itemSettled({ key, version }: Item): void {
    const { unencodable } = this.#line;
    if (unencodable.size > 0 && (unencodable.get(key)?.version ?? Infinity) <= version)
      unencodable.delete(key);
  }

  /** W of the backend or the worker may have risen. */
  answered(): void {
    this.#trimming.settled();
  }

  /** Resolves when a mutation of this version may go to the backend; `undefined` when it may right now. */
  gate(version: number): Promise<void> | undefined {
    return this.#commit.gate(version);
  }

  /** Waits for W(journaled), and sees that it rises at once; where nothing is ever synced, until all is written. */
  async flush(version: number, options: WaitOptions): Promise<void> {
    this.#commit.hurry();
    if (this.isAwaitable) return this.barriers.wait({ version, synced: false }, options);
    const deadline = startWait(options);
    try {
      await Promise.race([this.settle(), deadline.promise]);
    } finally {
      deadline.resolve();
    }
    if (this.hasFailed && version > this.#commit.writtenUpTo) throw this.#endedBy;
  }

  /** Resolves once all that was noted has been written (and synced, unless the mode is `"never"`), or has failed. */
  settle(): Promise<void> {
    return this.#commit.settle();
  }

  /** Nothing is cut off any more. */
  stopTrimming(): void {
    void this.#trimming.stop();
  }

  /** Ends the journal; `isEmptied` when nothing of it is needed any more. */
  async close(isEmptied: boolean): Promise<void> {
    this.#commit.stop();
    await this.#trimming.stop();
    this.#store.clock.clearTimeout(this.#doneTimer);
    this.#writeDone();
    await this.#commit.settle();
    await this.#parts.log.close(isEmptied);
  }

  /** What was made since the last sync and is in no row of the table: deletes and clears. */
  get unsyncedRemovals(): readonly { type: "delete" | "clear"; key: string; version: number }[] {
    return this.#line.unsyncedRemovals;
  }

  // As the source of the groups.

  get hasWork(): boolean {
    return !this.#line.isEmpty;
  }

  get lastVersion(): number {
    return this.#store.versions.last;
  }

  get floor(): number {
    return this.#trimming.floor;
  }

  fill(frame: FrameBuilder, sliceMs: number): boolean {
    return this.#line.fill(frame, sliceMs);
  }

  risen(): void {
    this.barriers.advance();
  }

  reached(): void {
    const { removals } = this.#line;
    if (removals.length > 0 && !this.hasFailed) {
      const { sendableUpTo } = this.#commit;
      this.#line.removals = removals.filter(({ version }) => version > sendableUpTo);
    }
    const { taken } = this.#line;
    this.#line.taken = 0;
    if (taken > 0) this.#owner.journaled(taken);
    this.#bound();
    this.#trimming.reached();
  }

  failed(cause: Error): void {
    const { store, events } = this.#parts;
    const message = "the journal could not be written, and is not written any more";
    store.refusal = () =>
      new LeakDBError(
        "LEAKDB_READ_ONLY",
        `${message}: mutations are refused, reads and draining go on. See to its disk, close the storage, open it again`,
        { cause },
      );
    const wayOut = "what was not journaled may be lost in a crash, until it is stored";
    this.#endedBy = new LeakDBError("LEAKDB_FLUSH_FAILED", `${message}: ${wayOut}`, { cause });
    this.barriers.end(this.#endedBy);
    events.emit("fault", isLeakDBError(cause) ? cause : store.refusal());
  }

  /** Everything up to this version is in the journal as far as this journal promises: synced, or written under `"never"`. */
  get keptUpTo(): number {
    return this.isAwaitable ? this.storedUpTo() : this.#commit.writtenUpTo;
  }

  // As the owner of the barriers.

  storedUpTo(): number {
    const { lastVersion } = this;
    return this.#commit.isIdle && this.#commit.syncedUpTo === this.#commit.writtenUpTo && !this.hasFailed
      ? lastVersion
      : this.#commit.syncedUpTo;
  }

  unsettledVersion(key: string): number | undefined {
    const { table } = this.#store;
    const slot = table.find(key);
    // Of a key that is not there, all that is known is that nothing newer than the last version is its own: the tombstone of
    // a dead letter that is tried again may be older than a clear.
    const isThere = slot >= 0 && table.value(slot) !== undefined;
    const version = isThere ? table.version(slot) : this.lastVersion;
    return version > this.storedUpTo() ? version : undefined;
  }

  failure(version: number, key: string | undefined): LeakDBError | undefined {
    if (this.#line.unencodable.size === 0) return undefined;
    for (const [failedKey, { version: failedVersion, error }] of this.#line.unencodable) {
      if (failedVersion > version || (key !== undefined && key !== failedKey)) continue;
      const known = this.#owner.failure(version, key);
      if (known !== undefined) return known;
      const message = `the value of ${JSON.stringify(failedKey)} cannot be encoded, and is not in the journal`;
      return new LeakDBError("LEAKDB_FLUSH_FAILED", `${message}: set another one`, { cause: error });
    }
    return undefined;
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  #writeDone(): void {
    this.#doneTimer = undefined;
    this.#line.isDoneDue = true;
    this.#commit.wake();
  }

  /** How full the journal is decides whether mutators must slow down, or stop. */
  #bound(): void {
    if (this.hasFailed) return;
    const { options, store } = this.#parts;
    const bytes = this.#trimming.heldBytes;
    this.#owner.backpressure.press(bytes > options.maxBytes / 2);
    if (bytes < options.maxBytes) store.refusal = undefined;
    else store.refusal ??= () => journalFull(options.maxBytes);
  }
}

function journalFull(maxBytes: number): LeakDBError {
  const what = `the journal holds its maxBytes, ${maxBytes}`;
  const wayOut =
    "await drained(), see why the backend does not take what waits, or give the journal more room";
  return new LeakDBError("LEAKDB_QUEUE_FULL", `${what}: ${wayOut}`);
}
