/**
 * A disk in memory that fails, tears and forgets, for tests of the journal: what `nodeFiles` is to a real disk, its
 * `files` are to this one, so the code above it is the real one.
 *
 * ```
 *  life 1               life 2                life 3
 *  files ── kill() ───▶ files ── crash() ───▶ files …
 *           └ nothing    │       └ what was not synced is kept, lost, torn or reordered, by the seed
 *             is lost    └ what life 1 wrote and did not sync is unsynced still
 * ```
 *
 * Invariants:
 * - What was synced is there after any crash, byte by byte: content by `sync`, names by `syncDirectory`. Everything
 *   else is there, or not, or in part, and what lies between two kept writes reads as zeros.
 * - Equal seeds and equal calls give equal disks.
 * - A life that is over changes nothing any more.
 * - Without faults, and while it has room, nothing fails.
 *
 * Differences from a real disk: a directory that was made is on the disk at once, and names never change places.
 */

import { basename, resolve } from "node:path";
import { SeededRandom } from "../seeded-random.js";
import { CrashLots } from "./crash-lots.js";
import { DiskContents } from "./disk-contents.js";
import { type DiskFault, DiskFaults, type DiskOperation, type DiskOperationName } from "./disk-faults.js";
import { type DiskBelow, DiskLife } from "./disk-life.js";

export interface SimulatedDiskOptions {
  /** Bytes that all files together may have; beyond, a write leaves what fits and fails with `ENOSPC`. Default: no limit. */
  readonly capacityBytes?: number | undefined;
  /**
   * What each operation waits for before it takes effect: with a manual clock, `() => new Promise((resolve) =>
   * clock.setTimeout(resolve, 5))` makes each take 5 ms. Default: one turn of the event loop.
   */
  readonly pause?: ((operation: DiskOperation) => Promise<void> | undefined) | undefined;
  /** Told of each operation before it does anything; it may take a snapshot then, fail it, or crash the disk. */
  readonly onOperation?: ((operation: DiskOperation) => void) | undefined;
}

export interface CrashOptions {
  /** Draws what is left. Print it with a failure: it repeats the crash. Default 0. */
  readonly seed?: number | undefined;
  /** What becomes of changes that were not synced. Default `"drawn"`, by the seed, for each of them. */
  readonly unsynced?: "drawn" | "dropped" | "kept" | undefined;
}

/** A disk as it was at one moment, unsynced changes included; see {@link SimulatedDisk.restore}. */
export class DiskImage {
  readonly #contents: DiskContents;

  constructor(contents: DiskContents) {
    this.#contents = contents.copy();
  }

  /** A copy, which may change. */
  contents(): DiskContents {
    return this.#contents.copy();
  }
}

export class SimulatedDisk {
  /** As in the options; may be changed at any time, and so end a full disk. */
  capacityBytes: number;
  onOperation: ((operation: DiskOperation) => void) | undefined;
  pause: (operation: DiskOperation) => Promise<void> | undefined;
  readonly #faults = new DiskFaults();
  readonly #operations: DiskOperation[] = [];
  readonly #counts = new Map<DiskOperationName, number>();
  #contents = new DiskContents();
  #life: DiskLife;

  constructor({ capacityBytes = Infinity, pause = nextTurn, onOperation }: SimulatedDiskOptions = {}) {
    this.capacityBytes = capacityBytes;
    this.pause = pause;
    this.onOperation = onOperation;
    this.#life = this.#begin();
  }

  /** The `JournalFiles` of this life. */
  get files(): DiskLife {
    return this.#life;
  }

  /** All calls that were made, in every life. */
  get operations(): readonly DiskOperation[] {
    return this.#operations;
  }

  /** How often a fault has struck. */
  get faultsInjected(): number {
    return this.#faults.injected;
  }

  /** How many operations were asked for, of one kind or of all. */
  count(name?: DiskOperationName): number {
    return name === undefined ? this.#operations.length : (this.#counts.get(name) ?? 0);
  }

  /** The calls from the given one on, a line each, such as `write 00000001.journal 104 at 0`. */
  trace(from = 1): string {
    return this.#operations
      .slice(from - 1)
      .map(described)
      .join("\n");
  }

  /** Scripts a fault, behind those scripted before. */
  fail(fault: DiskFault = {}): void {
    this.#faults.add(fault);
  }

  /** Ends all faults. What a failed sync has forgotten stays forgotten. */
  heal(): void {
    this.#faults.clear();
  }

  /** The process ends, as by SIGKILL: a new life finds all that was written, synced or not, and no lock. */
  kill(): void {
    this.#life.end();
    this.#life = this.#begin();
  }

  /** The machine loses its power: a new life finds what was synced, and of all else what the seed leaves. */
  crash({ seed = 0, unsynced = "drawn" }: CrashOptions = {}): void {
    this.#life.end();
    const lots = new CrashLots(new SeededRandom(seed), unsynced, this.#contents.unsyncedSerials);
    this.#contents.crash(lots);
    this.#life = this.#begin();
  }

  /** The disk as it is now. Cheap enough to be taken at each operation; see `onOperation`. */
  snapshot(): DiskImage {
    return new DiskImage(this.#contents);
  }

  /** Ends this life, as `kill` does, and puts the disk back to an image, of this disk or of another; as often as wanted. */
  restore(image: DiskImage): void {
    this.#life.end();
    this.#contents = image.contents();
    this.#life = this.#begin();
  }

  /** The names of the files in a directory, sorted. */
  names(directory: string): string[] {
    return this.#contents
      .paths(resolve(directory))
      .map((path) => basename(path))
      .sort();
  }

  /** What a file holds, as a reader sees it. @throws Error when there is none */
  contents(path: string): Buffer {
    return this.#file(path).contents();
  }

  /** Damages a file: puts on the disk, at once, what `change` makes of its bytes. @throws Error when there is none */
  damage(path: string, change: (bytes: Buffer) => Uint8Array): void {
    const file = this.#file(path);
    file.replace(change(file.contents()));
  }

  #file(path: string): ReturnType<DiskContents["create"]> {
    const file = this.#contents.file(resolve(path));
    if (file === undefined) throw new Error(`the simulated disk has no file ${path}`);
    return file;
  }

  #begin(): DiskLife {
    const disk = this;
    const below: DiskBelow = {
      contents: this.#contents,
      get capacityBytes() {
        return disk.capacityBytes;
      },
      note: (operation) => this.#note(operation),
      pause: (operation) => this.pause(operation),
      takeFault: (operation) => this.#faults.take(operation),
    };
    return new DiskLife(below);
  }

  #note(described: Omit<DiskOperation, "number">): DiskOperation {
    const operation = { ...described, number: this.#operations.length + 1 };
    this.#operations.push(operation);
    this.#counts.set(operation.name, this.count(operation.name) + 1);
    this.onOperation?.(operation);
    return operation;
  }
}

function described({ name, path, bytes, position }: DiskOperation): string {
  const size = bytes === undefined ? "" : ` ${bytes}`;
  const place = position === undefined ? "" : ` at ${position}`;
  return `${name} ${basename(path)}${size}${place}`;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
