/**
 * What the synchronous writer tells of every mutation of memory, whoever carries it onwards: the write-behind pipeline
 * (`WriteBehindIntake`) or a journal alone (`JournalOnly`).
 */

import type { Backpressure } from "../queue/backpressure.js";

export interface Intake {
  readonly backpressure: Backpressure;
  /** A key waits once, with its newest state. */
  readonly coalesces: boolean;
  /** The marks for slots whose keys are put: they wait in a line from then on. */
  readonly waitingMark: number;
  /** False when the slot's key is dirty already: its newest state takes no further room. */
  needsRoom(slot: number): boolean;
  /** The slot's key has been put, and its slot got the `waitingMark`; `marks` are those it had before. */
  notePut(slot: number, marks: number, key: string, value: unknown, version: number, expiry: number): void;
  /** The slot's key is deleted; to be called before it is, so that the slot is held. */
  noteDelete(slot: number, version: number): void;
  /** Clears memory and what is behind it; how many keys were live. */
  clear(prefix: string, version: number): number;
}
