/**
 * What a crash of the machine leaves of each change that was not synced, drawn by a seed. One crash has one mood, as a
 * mixture of all would hardly ever show the plain ones:
 *
 * - `none`: everything unsynced is lost; `all`: everything was on the disk by chance;
 * - `ordered`: what came before some moment is there, what came after is not, and the one between is torn;
 * - `any`: each change has its own lot, so that a later one may be there without an earlier.
 */

import type { SeededRandom } from "../seeded-random.js";

export type Lot = "kept" | "dropped" | "torn";
type Mood = "none" | "all" | "ordered" | "any";

/** A part of a write that has reached the disk. */
export interface Piece {
  readonly position: number;
  readonly bytes: Uint8Array;
}

/** The least that a disk writes at once, mostly. */
const SECTOR_BYTES = 512;

export class CrashLots {
  readonly #random: SeededRandom;
  readonly #mood: Mood;
  readonly #cut: number;
  readonly #keptRate: number;
  readonly #tornRate: number;

  /** @param serials the first and the last unsynced change of the disk */
  constructor(
    random: SeededRandom,
    unsynced: "drawn" | "dropped" | "kept",
    serials: readonly [number, number],
  ) {
    this.#random = random;
    const drawn: Mood = random.pick(["none", "all", "ordered", "ordered", "any", "any", "any"]);
    this.#mood = unsynced === "dropped" ? "none" : unsynced === "kept" ? "all" : drawn;
    this.#cut = random.integer(...serials);
    this.#keptRate = random.next();
    this.#tornRate = random.next();
  }

  /** The lot of a change, by its place in the order of all changes. */
  of(serial: number): Lot {
    if (this.#mood === "none") return "dropped";
    if (this.#mood === "all") return "kept";
    if (this.#mood === "ordered") {
      return serial < this.#cut ? "kept" : serial > this.#cut ? "dropped" : "torn";
    }
    if (this.#random.chance(this.#tornRate * 0.5)) return "torn";
    return this.#random.chance(this.#keptRate) ? "kept" : "dropped";
  }

  /** The lot of a change that is there or not: a file that came or went, a file cut off. */
  isKept(serial: number): boolean {
    const lot = this.of(serial);
    return lot === "torn" ? this.#random.chance(0.5) : lot === "kept";
  }

  /** What has reached the disk of a write that was torn: its start, its end, some of its sectors, or its length alone. */
  tear(bytes: Uint8Array, position: number): Piece[] {
    const at = this.#random.integer(0, bytes.length);
    switch (this.#random.pick(["start", "start", "end", "sectors", "length"] as const)) {
      case "start":
        return [{ position, bytes: bytes.subarray(0, at) }];
      case "end":
        return [{ position: position + at, bytes: bytes.subarray(at) }];
      case "sectors":
        return this.#sectors(bytes, position);
      case "length":
        return [{ position: position + bytes.length, bytes: new Uint8Array(0) }];
    }
  }

  #sectors(bytes: Uint8Array, position: number): Piece[] {
    const pieces: Piece[] = [];
    for (let start = 0; start < bytes.length; ) {
      const end = Math.min(bytes.length, start + SECTOR_BYTES - ((position + start) % SECTOR_BYTES));
      if (this.#random.chance(0.5))
        pieces.push({ position: position + start, bytes: bytes.subarray(start, end) });
      start = end;
    }
    return pieces;
  }
}
