/**
 * What takes part in the in-memory rows. Each contestant has its loops in a file of its own, so that no call site
 * sees more than one kind of store and pays for it.
 */

import type { BenchValue } from "../records.js";

export interface Contestant {
  readonly name: string;
  /** How many operations a sample of it takes at most: an order of magnitude slower needs an order fewer. */
  readonly operationsMax: number;
  /** Gets the keys from `from` up to `to` and adds up the `id` of what it finds. */
  read(keys: readonly string[], from: number, to: number): number | Promise<number>;
  /** Sets the same keys; `keys[i]` to `values[i + shift]`, past the end from the start again. */
  write(
    keys: readonly string[],
    values: readonly BenchValue[],
    from: number,
    to: number,
    shift: number,
  ): void | Promise<void>;
  clear(): void | Promise<void>;
  /** Resolves when nothing goes on in the background any more. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export interface ContestantOptions {
  /** The most entries it will hold. */
  readonly entries: number;
  /** Each so-manieth entry gets a TTL; 0 for none. A `Map` has none to give. */
  readonly ttlEvery: number;
  /** Where its files go. */
  readonly directory: string;
}

export type MakeContestant = (options: ContestantOptions) => Promise<Contestant>;

/** Long enough that nothing expires while it is measured. */
export const TTL_MS = 3_600_000;

/** More than any sample asks for. */
export const ANY_OPERATIONS = 1e9;
