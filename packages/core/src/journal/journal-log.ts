/**
 * The journal's files, of which one is written to: appends frames, syncs, begins new segments and removes old ones. It
 * knows nothing of what the entries mean; when to write and to sync is decided in `group-commit.ts`.
 *
 *     open ─▶ recover ─▶ begin ─▶ append … sync … rotate … ─▶ close
 *
 * Keeps:
 * - Nothing is changed before `recover` has found the journal sound.
 * - A failed write or sync is the last one: what the disk holds after it is unknown, and a second sync that succeeds
 *   would prove nothing of what the first one was to save. Every later call rejects with the first failure.
 * - The files below the floor go only when a segment that says so is on the disk (`segment-header.ts`).
 */

import { asError } from "../thrown.js";
import type { EntryVisitor } from "./entry.js";
import type { FrameBuilder } from "./frame.js";
import type { JournalFile, JournalFiles } from "./journal-files.js";
import { findSegments, type RecoveryProgress, recover, type SegmentFile } from "./recovery.js";
import type { RecoveryReport } from "./recovery-report.js";
import { requireIdentity } from "./require-identity.js";
import { SegmentFiles } from "./segment-files.js";
import {
  type JournalIdentity,
  type JournalOwner,
  newSegmentHeader,
  SEGMENT_HEADER_BYTES,
  segmentNumber,
  storeHashOf,
} from "./segment-header.js";

interface Segment {
  readonly number: number;
  bytes: number;
  /** Every entry in it has this version at most. */
  upTo: number;
  /** All of it is on the disk. */
  isSynced: boolean;
}

/** Long enough that the few syncs of a new segment do not count, short enough that much can go with each. */
export const SEGMENT_BYTES = 16 * 1024 * 1024;

export interface JournalLogOptions {
  readonly files: JournalFiles;
  readonly directory: string;
  /** A segment is left for the next one past this length; groups are never cut for it. Default `SEGMENT_BYTES`. */
  readonly segmentBytes?: number;
  /** Told of failures that cost nothing, such as a file that could not be removed. */
  readonly onFault: (error: Error) => void;
}

export class JournalLog {
  readonly #options: JournalLogOptions;
  readonly #files: SegmentFiles;
  readonly #lock: { release(): void };
  readonly #found: readonly SegmentFile[];
  readonly #obsolete: readonly number[];
  #owner: JournalOwner | undefined;
  #segments: Segment[] = [];
  #file: JournalFile | undefined;
  #salt = 0;
  /** How much of the current segment is on the disk. */
  #syncedBytes = 0;
  #floor = 1;
  #failure: Error | undefined;
  #hasSyncFailed = false;

  private constructor(
    options: JournalLogOptions,
    lock: { release(): void },
    found: { segments: readonly SegmentFile[]; obsolete: readonly number[] },
  ) {
    this.#options = options;
    this.#files = new SegmentFiles(options);
    this.#lock = lock;
    this.#found = found.segments;
    this.#obsolete = found.obsolete;
  }

  /**
   * Takes the directory's lock and looks at the files; changes none.
   * @throws LEAKDB_LOCKED, LEAKDB_CORRUPTION, an error of the file system
   */
  static async open(options: JournalLogOptions): Promise<JournalLog> {
    const { files, directory } = options;
    await files.makeDirectory(directory);
    const lock = await files.lock(directory);
    try {
      const names = await files.list(directory);
      const numbers = names.map(segmentNumber).filter((number) => number !== undefined);
      return new JournalLog(options, lock, await findSegments(files, directory, numbers));
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Bytes of all segments. */
  get bytes(): number {
    return this.bytesFrom(this.#floor);
  }

  /** Bytes of the segments from this one on. */
  bytesFrom(number: number): number {
    let bytes = 0;
    for (const segment of this.#segments) if (segment.number >= number) bytes += segment.bytes;
    return bytes;
  }

  /** The first segment that is part of the journal. */
  get floor(): number {
    return this.#floor;
  }

  /** The number of the segment that is written to. */
  get segment(): number {
    return this.#current.number;
  }

  get segmentCount(): number {
    return this.#segments.length;
  }

  get isSegmentFull(): boolean {
    return this.#current.bytes >= (this.#options.segmentBytes ?? SEGMENT_BYTES);
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  /**
   * Reads every entry, and cuts off what a crash has torn; to be called once, before `begin`.
   * @throws LEAKDB_CORRUPTION for damage, and where the journal is another store's; what `visit` throws
   */
  async recover(
    identity: JournalIdentity,
    visit: EntryVisitor,
    onProgress?: (progress: RecoveryProgress) => void,
  ): Promise<RecoveryReport> {
    for (const { header } of this.#found) requireIdentity(header, identity, this.#options.directory);
    this.#owner = { kind: identity.kind, storeHash: storeHashOf(identity) };
    const started = performance.now();
    const { files, directory } = this.#options;
    const recovered = await recover({ files, directory, segments: this.#found, visit, onProgress });
    this.#segments = recovered.segments.map(({ header, bytes, highVersion }) => ({
      number: header.number,
      bytes,
      upTo: highVersion,
      isSynced: true,
    }));
    this.#floor = this.#found[0]?.header.number ?? 1;
    const { entries, tornBytes } = recovered;
    return { entries, tornBytes, bytes: this.bytes, durationMs: performance.now() - started };
  }

  /** In place of `recover`: the journal is a new one, and another's copy. */
  adopt(owner: JournalOwner): void {
    if (this.#found.length > 0) throw new Error("only a new journal can be made another's copy");
    this.#owner = owner;
  }

  /** Begins the segment that is written to from now on. */
  async begin(): Promise<void> {
    await this.#guard(async () => {
      await this.#files.removeObsolete(this.#obsolete);
      await this.#newSegment();
    });
  }

  /** Writes the frame at the end of the current segment; its entries have versions up to `upTo`. */
  async append(frame: FrameBuilder, upTo: number, isContinued: boolean): Promise<void> {
    await this.#guard(async () => {
      const segment = this.#current;
      const bytes = frame.finish(this.#salt, segment.bytes, this.#syncedBytes, isContinued);
      await this.#open.write(bytes, segment.bytes);
      segment.bytes += bytes.length;
      segment.upTo = Math.max(segment.upTo, upTo);
    });
  }

  /** Resolves when everything appended before the call is on the disk. */
  async sync(): Promise<void> {
    await this.#guard(() => this.#syncFrom(this.#floor));
  }

  /**
   * Leaves the current segment for a new one. With a `floor`, the segments below it are no part of the journal from
   * then on, and their files go. `isSynced`: everything that is left is synced first; with a higher floor it always is.
   */
  async rotate(isSynced: boolean, floor = this.#floor): Promise<void> {
    await this.#guard(async () => {
      const former = this.#current;
      const file = this.#open;
      const nextFloor = Math.min(Math.max(floor, this.#floor), former.number + 1);
      // What a crash tears goes with all that stands behind it, and the new floor must not: the old one's files are gone.
      if (isSynced || nextFloor > this.#floor) await this.#syncFrom(nextFloor);
      former.isSynced = this.#syncedBytes === former.bytes;
      this.#floor = nextFloor;
      await this.#newSegment();
      await file.close();
    });
    const removed = this.#segments.filter(({ number }) => number < this.#floor);
    this.#segments = this.#segments.filter(({ number }) => number >= this.#floor);
    await this.#files.removeObsolete(removed.map(({ number }) => number));
  }

  /** The first segment that holds anything newer than `version`; the current one when none does. */
  firstAfter(version: number): number {
    return this.#segments.find(({ upTo }) => upTo > version)?.number ?? this.#current.number;
  }

  /**
   * After a failure, when nothing of the journal is needed any more: no opening reads it again. A new segment that says so
   * is one step; only where the disk takes none do the files go one by one, and a crash between two of them leaves a
   * journal whose start is missing.
   */
  async abandon(): Promise<void> {
    const numbers = this.#segments.map(({ number }) => number);
    const file = this.#file;
    // What a failed write has left may be what a full disk lacks room for.
    await this.#forgetUnsynced();
    this.#floor = this.#current.number + 1;
    try {
      await this.#newSegment();
    } catch (error) {
      this.#options.onFault(asError(error));
      this.#segments = [];
      return this.#files.removeJournal(numbers);
    }
    this.#segments = [];
    await this.#files.removeObsolete(numbers);
    await file?.close();
  }

  /** Closes the file and lets the lock go; removes everything first when nothing of it is needed any more. */
  async close(isEmptied: boolean): Promise<void> {
    try {
      if (isEmptied) await this.#empty();
      else if (this.#failure !== undefined) await this.#forgetUnsynced();
    } finally {
      try {
        await this.#file?.close();
      } finally {
        this.#file = undefined;
        this.#lock.release();
      }
    }
  }

  async #empty(): Promise<void> {
    if (this.#segments.length === 0 || this.#file === undefined) return;
    if (this.#failure !== undefined) return this.abandon();
    const isEmpty = this.#segments.length === 1 && this.#current.bytes === SEGMENT_HEADER_BYTES;
    if (!isEmpty) await this.rotate(false, this.#current.number + 1);
  }

  /**
   * After a failure: what a failed sync was to save may be found in the system's memory by the next opening, and not on
   * the disk by the one after. It was never acknowledged, and is cut off. So is what a failed write has left; what was
   * written whole before it stays, as without syncs nothing else was promised.
   */
  async #forgetUnsynced(): Promise<void> {
    if (this.#segments.length === 0) return;
    try {
      await this.#file?.truncate(this.#hasSyncFailed ? this.#syncedBytes : this.#current.bytes);
    } catch (error) {
      this.#options.onFault(asError(error));
    }
  }

  /** Syncs what is not on the disk yet of the segments from this one on. */
  async #syncFrom(floor: number): Promise<void> {
    const current = this.#current;
    try {
      for (const segment of this.#segments) {
        if (segment === current || segment.isSynced || segment.number < floor) continue;
        await this.#files.sync(segment.number);
        segment.isSynced = true;
      }
      const { bytes } = current;
      if (this.#syncedBytes === bytes || current.number < floor) return;
      await this.#open.sync();
      this.#syncedBytes = bytes;
    } catch (error) {
      this.#hasSyncFailed = true;
      throw error;
    }
  }

  async #newSegment(): Promise<void> {
    const { kind, storeHash } = this.#owner as JournalOwner;
    const former = this.#segments.at(-1);
    const number = (former?.number ?? 0) + 1;
    const header = newSegmentHeader({
      number,
      floor: this.#floor,
      formerBytes: former?.bytes ?? 0,
      // What is cut off now need not be kept for its end.
      isFormerSynced: this.#segments.every((segment) => segment.isSynced || segment.number < this.#floor),
      kind,
      storeHash,
    });
    this.#file = await this.#files.create(number, header.bytes);
    this.#salt = header.salt;
    this.#syncedBytes = SEGMENT_HEADER_BYTES;
    this.#segments.push({ number, bytes: SEGMENT_HEADER_BYTES, upTo: 0, isSynced: false });
  }

  get #current(): Segment {
    const segment = this.#segments.at(-1);
    if (segment === undefined) throw new Error("the journal has not begun");
    return segment;
  }

  get #open(): JournalFile {
    if (this.#file === undefined) throw new Error("the journal is closed");
    return this.#file;
  }

  async #guard(work: () => Promise<void>): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      await work();
    } catch (error) {
      this.#failure = asError(error);
      throw this.#failure;
    }
  }
}
