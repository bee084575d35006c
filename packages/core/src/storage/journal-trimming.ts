/**
 * Keeps the journal short. Two ways lead to a higher floor (`segment-header.ts`), below which segments go:
 *
 * - **Release**: everything up to a segment's end is settled, and the backend has synced; dead letters that the segment
 *   alone tells of are written again first.
 * - **Relocation**: where segments are kept for a little that is live, all that is live is written again at the journal's
 *   end, a little with each group, and everything before goes at once. It is how a `DefaultStorage`, whose entries are
 *   live for ever, compacts its journal, and how one stuck key does not fill the disk.
 *
 *     segments   5  6  7  8 │ 9 10 11          a relocation that began with 9 has ended in 11, synced:
 *                └──────────┘ └─ floor 9       the next header says so, and 5 to 8 are removed
 */

import type { GroupCommit } from "../journal/group-commit.js";
import type { JournalLog } from "../journal/journal-log.js";
import type { Dead } from "../queue/dead-letters.js";
import { asError } from "../thrown.js";
import type { JournalLine, Note } from "./journal-line.js";
import type { ResolvedJournalOptions } from "./journal-options.js";
import type { JournaledOwner } from "./journaled-owner.js";

/** A compaction rests until as much has been written again as it left, and at least this. */
const COMPACTED_BYTES_MIN = 64 * 1024 * 1024;

export interface JournalTrimmingParts {
  readonly log: JournalLog;
  readonly commit: GroupCommit;
  readonly line: JournalLine;
  readonly options: ResolvedJournalOptions;
  /** The last version issued. */
  lastVersion(): number;
  onFault(error: Error): void;
}

export class JournalTrimming {
  readonly #parts: JournalTrimmingParts;
  #owner!: JournaledOwner;
  #noteDead!: (dead: Dead) => void;
  #letterSegments!: ReadonlyMap<Dead, number>;
  #floor: number;
  /** Dead letters that have gone, of which the journal is not told yet, nor of what took their place. */
  #untold = 0;
  #toldInGroup = 0;
  #releasing: Promise<void> | undefined;
  #isStopped = false;
  /** A relocation: the segment it begins with, `undefined` until that one is begun. */
  #relocation: { from: number | undefined; upTo: number | undefined } | undefined;
  /** Items done while their relocation goes on: they need not be written again. */
  readonly #doneMeanwhile = new Set<number>();
  /** What the last relocation left. */
  #relocatedBytes = 0;

  constructor(parts: JournalTrimmingParts) {
    this.#parts = parts;
    this.#floor = parts.log.floor;
  }

  serve(
    owner: JournaledOwner,
    noteDead: (dead: Dead) => void,
    letterSegments: ReadonlyMap<Dead, number>,
  ): void {
    this.#owner = owner;
    this.#noteDead = noteDead;
    this.#letterSegments = letterSegments;
  }

  /** The first segment that is still needed. */
  get floor(): number {
    return this.#untold > 0 ? this.#parts.log.floor : this.#floor;
  }

  /** What counts towards `maxBytes`: where nothing is ever settled, what compaction cannot make less does not. */
  get heldBytes(): number {
    const { bytes } = this.#parts.log;
    return this.#isCompacting ? Math.max(0, bytes - this.#relocatedBytes) : bytes;
  }

  itemDone(version: number): void {
    if (this.#relocation !== undefined) this.#doneMeanwhile.add(version);
  }

  /** A letter is gone: nothing is cut off until the group that tells of it, by calling what this answers, is written. */
  letterGone(): () => void {
    this.#untold += 1;
    return () => {
      this.#toldInGroup += 1;
    };
  }

  /** A group has been written: W(journaled) may have risen. */
  reached(): void {
    this.#untold -= this.#toldInGroup;
    this.#toldInGroup = 0;
    this.#relocate();
    this.settled();
  }

  /** W of the backend or the worker may have risen. */
  settled(): void {
    const { log } = this.#parts;
    if (this.#isStopped || this.#releasing !== undefined || this.#isCompacting) return;
    if (log.failure !== undefined) return this.#abandonOnceSettled();
    if (
      this.#untold === 0 &&
      log.segmentCount > 1 &&
      log.firstAfter(this.#owner.settledUpTo()) > this.#floor
    ) {
      this.#releasing = this.#release().finally(() => {
        this.#releasing = undefined;
      });
    }
  }

  /**
   * After a failure the backend gets ahead of the journal: once it has everything, the journal must not be read again, for
   * it may hold puts of what has been deleted since.
   */
  #abandonOnceSettled(): void {
    const { log, lastVersion, onFault } = this.#parts;
    const hasLetters = [...this.#owner.letters()].length > 0;
    if (log.segmentCount === 0 || hasLetters || this.#owner.settledUpTo() < lastVersion()) return;
    this.#releasing = this.#owner
      .syncBackend()
      .then(() => log.abandon())
      .catch((error: unknown) => onFault(asError(error)))
      .finally(() => {
        this.#releasing = undefined;
      });
  }

  /** Ends what goes on by itself. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#parts.line.relocate(undefined);
    await this.#releasing;
  }

  get #isCompacting(): boolean {
    return this.#owner.settledUpTo() < 0;
  }

  async #release(): Promise<void> {
    const { log, commit, options } = this.#parts;
    const floor = log.firstAfter(this.#owner.settledUpTo());
    try {
      await this.#owner.syncBackend();
    } catch {
      // The session has reported it; the segments stay until the next try.
      return;
    }
    if (this.#isStopped) return;
    let hasWritten = false;
    for (const dead of this.#owner.letters()) {
      if ((this.#letterSegments.get(dead) ?? 0) >= floor) continue;
      this.#noteDead(dead);
      hasWritten = true;
    }
    if (hasWritten) await commit.settle();
    this.#floor = Math.max(this.#floor, floor);
    const isPressing = log.bytes > options.maxBytes / 2;
    if (isPressing || this.#floor > log.floor + 1) commit.rotateSoon();
  }

  #relocate(): void {
    const { log, commit, line } = this.#parts;
    const relocation = this.#relocation;
    if (this.#isStopped) return;
    if (relocation === undefined) {
      if (this.#isRelocationDue()) {
        this.#relocation = { from: undefined, upTo: undefined };
        commit.rotateSoon();
      }
      return;
    }
    if (relocation.from === undefined) {
      // The segment was begun just now, by the rotation asked for or by one that came first.
      relocation.from = log.segment;
      line.relocate({ slots: this.#owner.liveSlots(), notes: this.#liveNotes() });
      commit.wake();
      return;
    }
    if (line.isRelocating) return;
    relocation.upTo ??= commit.writtenUpTo;
    if (commit.syncedUpTo < relocation.upTo) return commit.requireSync();
    this.#floor = Math.max(this.#floor, relocation.from);
    this.#relocatedBytes = log.bytesFrom(relocation.from);
    this.#relocation = undefined;
    this.#doneMeanwhile.clear();
    commit.rotateSoon();
  }

  #isRelocationDue(): boolean {
    const { log, options } = this.#parts;
    if (log.failure !== undefined || this.#floor > log.floor) return false;
    const fresh = log.bytes - this.#relocatedBytes;
    if (this.#isCompacting) {
      const due = Math.max(COMPACTED_BYTES_MIN, this.#relocatedBytes);
      return fresh > Math.min(due, options.maxBytes / 2);
    }
    return log.bytes > options.maxBytes / 2 && fresh > options.maxBytes / 4;
  }

  *#liveNotes(): Generator<Note, void, undefined> {
    const { line } = this.#parts;
    for (const item of [...this.#owner.liveItems()]) {
      if (!this.#doneMeanwhile.has(item.version)) yield line.noteFor(item);
    }
    for (const dead of [...this.#owner.letters()]) yield () => this.#noteDead(dead);
  }
}
