/**
 * Group commit: everything that one turn wrote, or that gathered while the last group was synced, goes to the journal as
 * one group with one sync, and all who wait for it are let go together (DeWitt et al., "Implementation techniques for
 * main memory database systems", 1984).
 *
 *     idle ──wake──▶ end of the turn ─▶ fill, in slices ─▶ append ─▶ sync ─▶ reached ──more?──┐
 *       ▲                 ▲                                                     │              │
 *       └─────────────────┼────────────────────────────── no ◀──────────────────┘              │
 *                         └──────────────────────── yes ◀──────────────────────────────────────┘
 *
 * A group ends at a moment at which nothing waits, so what recovery finds is what memory held at the end of a turn, and
 * everything up to the last version issued then is covered by it.
 */

import type { Clock, TimerHandle } from "../clock.js";
import { nextTurn } from "../next-turn.js";
import { asError } from "../thrown.js";
import { FRAME_BYTES_MAX, FrameBuilder } from "./frame.js";
import type { JournalLog } from "./journal-log.js";

/** `"always"`: each group; `"interval"`: every so often, and when somebody waits; `"never"`: the system decides. */
export type JournalSync = "always" | "interval" | "never";

/** What is to be journaled. */
export interface GroupSource {
  readonly hasWork: boolean;
  /** The last version issued. */
  readonly lastVersion: number;
  /** Adds entries until nothing waits (true), the frame is full, or `sliceMs` are over (false). */
  fill(frame: FrameBuilder, sliceMs: number): boolean;
  /** W may have risen: whoever waits for it goes, before anything else that takes time is done. */
  risen(): void;
  /** The group that `fill` ended has been written, or written and synced, and a new segment begun if one was due. */
  reached(): void;
  /** The journal has failed for good. */
  failed(error: Error): void;
  /** The first segment that is still needed; what is below may go when the next one begins. */
  readonly floor: number;
}

export interface GroupCommitOptions {
  readonly clock: Clock;
  readonly sync: JournalSync;
  readonly intervalMs: number;
}

/** Encoding goes on for this long before other work has its turn. */
const SLICE_MS = 2;
/** A group that does not end, since others write faster than it is filled, gets longer slices: this much a slice. */
const SLICE_GROWTH_MS = 1 / 4;

export class GroupCommit {
  readonly #log: JournalLog;
  readonly #source: GroupSource;
  readonly #options: GroupCommitOptions;
  readonly #frame = new FrameBuilder();
  #running: Promise<void> = Promise.resolve();
  #isRunning = false;
  #isSyncWanted = false;
  /** Whoever wants it waits for this version. */
  #syncWantedUpTo = 0;
  #isRotationWanted = false;
  #timer: TimerHandle;
  /** Something was written since the last sync, be it of no version of its own: what became of items. */
  #hasUnsyncedBytes = false;
  #gates: { readonly version: number; readonly open: () => void }[] = [];
  /** Everything up to this version has been written, and is there after a crash of the process. */
  writtenUpTo = 0;
  /** Everything up to this version has been synced, and is there after a crash of the machine. */
  syncedUpTo = 0;
  groups = 0;
  syncs = 0;
  /** Bytes of frames written. */
  bytesWritten = 0;

  constructor(log: JournalLog, source: GroupSource, options: GroupCommitOptions) {
    this.#log = log;
    this.#source = source;
    this.#options = options;
  }

  /** True while there is nothing to write, and nothing under way. */
  get isIdle(): boolean {
    return !this.#isRunning && !this.#source.hasWork;
  }

  /** Everything noted has been written, and synced unless the mode is `"never"`. */
  get isSettled(): boolean {
    return this.isIdle && (this.#options.sync === "never" || !this.#isUnsynced);
  }

  get hasFailed(): boolean {
    return this.#log.failure !== undefined;
  }

  /** The version up to which mutations may go to the backend: what a crash leaves of the journal is never behind it. */
  get sendableUpTo(): number {
    if (this.hasFailed) return Infinity;
    return this.#options.sync === "never" ? this.writtenUpTo : this.syncedUpTo;
  }

  /** There is something to journal: it goes at the end of this turn. */
  wake(): void {
    if (this.#isRunning || this.hasFailed) return;
    this.#isRunning = true;
    this.#running = this.#run();
  }

  /** What has been written is synced, whatever the mode. */
  requireSync(): void {
    this.#isSyncWanted = true;
    this.#syncWantedUpTo = this.#source.lastVersion;
    this.wake();
  }

  /** Somebody waits for what has been written: it is synced without waiting for the interval. */
  hurry(): void {
    if (this.#options.sync === "interval") this.requireSync();
  }

  /** A new segment is begun as soon as no group is under way, with the source's floor. */
  rotateSoon(): void {
    this.#isRotationWanted = true;
    this.wake();
  }

  /** Resolves when a mutation of this version may go to the backend; `undefined` when it may right now. */
  gate(version: number): Promise<void> | undefined {
    if (version <= this.sendableUpTo) return undefined;
    this.hurry();
    return new Promise((open) => this.#gates.push({ version, open }));
  }

  /** Resolves once everything noted has been written, and synced unless the mode is `"never"`, or has failed. */
  async settle(): Promise<void> {
    while (!this.hasFailed && !this.isSettled) {
      this.hurry();
      this.wake();
      await this.#running;
    }
  }

  stop(): void {
    this.#options.clock.clearTimeout(this.#timer);
  }

  get #isUnsynced(): boolean {
    return this.#hasUnsyncedBytes || this.syncedUpTo < this.writtenUpTo;
  }

  async #run(): Promise<void> {
    // The turn that wrote ends first, so that all of it goes together.
    await nextTurn();
    try {
      while (!this.hasFailed && (this.#source.hasWork || this.#isSyncWanted || this.#isRotationWanted)) {
        if (this.#source.hasWork) await this.#writeGroup();
        if (this.#options.sync === "always" || this.#isSyncWanted) await this.#sync();
        this.#openGates();
        this.#source.risen();
        if (this.#isRotationWanted || this.#log.isSegmentFull) await this.#rotate();
        this.#armTimer();
        this.#source.reached();
        // Whoever was let go writes again at once: that joins the next group.
        await nextTurn();
      }
    } catch (error) {
      this.#source.failed(asError(error));
      this.#openGates();
      this.#source.risen();
      this.#source.reached();
    }
    // In the same turn as the look at what is left: whoever notes something now begins anew.
    this.#isRunning = false;
  }

  async #writeGroup(): Promise<void> {
    const frame = this.#frame;
    let isContinued = false;
    for (let slice = 0; ; slice += 1) {
      const isEnd = this.#source.fill(frame, SLICE_MS + slice * SLICE_GROWTH_MS);
      const upTo = this.#source.lastVersion;
      if (isEnd) {
        if (isContinued || frame.entries > 0) await this.#append(upTo, false);
        // Nothing was left to say of what had been noted.
        else if (!this.#isUnsynced) this.syncedUpTo = upTo;
        this.writtenUpTo = upTo;
        this.groups += 1;
        return;
      }
      if (frame.bytes < FRAME_BYTES_MAX) {
        await nextTurn();
        continue;
      }
      isContinued = true;
      await this.#append(upTo, true);
    }
  }

  async #append(upTo: number, isContinued: boolean): Promise<void> {
    this.bytesWritten += this.#frame.bytes;
    await this.#log.append(this.#frame, upTo, isContinued);
    this.#hasUnsyncedBytes = true;
    this.#frame.reset();
  }

  async #sync(): Promise<void> {
    const upTo = this.writtenUpTo;
    // What is waited for may have come while this group was written: it is in the next one.
    this.#isSyncWanted = upTo < this.#syncWantedUpTo && this.#source.hasWork;
    if (!this.#isUnsynced) return;
    await this.#log.sync();
    this.#hasUnsyncedBytes = false;
    this.syncs += 1;
    this.syncedUpTo = upTo;
  }

  async #rotate(): Promise<void> {
    this.#isRotationWanted = false;
    const isSynced = this.#options.sync !== "never";
    await this.#log.rotate(isSynced, this.#source.floor);
    if (!isSynced) return;
    this.#hasUnsyncedBytes = false;
    this.syncedUpTo = this.writtenUpTo;
    this.#openGates();
    this.#source.risen();
  }

  #armTimer(): void {
    const { sync, clock, intervalMs } = this.#options;
    if (sync !== "interval" || this.#timer !== undefined || !this.#isUnsynced) return;
    this.#timer = clock.setTimeout(() => {
      this.#timer = undefined;
      this.hurry();
    }, intervalMs);
  }

  #openGates(): void {
    if (this.#gates.length === 0) return;
    const upTo = this.sendableUpTo;
    const waiting = this.#gates;
    this.#gates = waiting.filter(({ version }) => version > upTo);
    for (const { version, open } of waiting) if (version <= upTo) open();
    if (this.#gates.length > 0) this.hurry();
  }
}
