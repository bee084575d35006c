/**
 * The keys of one lane whose mutation failed by itself: they step aside, so that one bad key never holds up another.
 * Newer mutations of a parked key join it here and go after it (I1); in a coalescing queue they replace it.
 *
 * A *suspect* failed alone, and nothing has succeeded since: whether the key or the backend is at fault is not known
 * yet. It has no timer: the lane tries it when there is nothing else to try.
 */

import type { Item } from "../queue/item.js";

export interface Parked {
  item: Item;
  /** Newer items of the key, where every item is delivered. */
  readonly followers: Item[];
  /** Its backoff is over; never true of a suspect. */
  isDue: boolean;
  isSuspect: boolean;
  /** It failed so soon after a success that the next success makes the failure its own. */
  isProvisional: boolean;
  error: Error;
  /** Takes the timer of the next try back. */
  cancelTimer: (() => void) | undefined;
}

export class Parking {
  readonly #byKey = new Map<string, Parked>();
  #followers = 0;

  /** Items parked, followers included. */
  get size(): number {
    return this.#byKey.size + this.#followers;
  }

  get(key: string): Parked | undefined {
    return this.#byKey.get(key);
  }

  /** Parks an item that has failed, or failed again; its followers stay behind it. */
  park(item: Item, error: Error): Parked {
    const parked: Parked = this.#byKey.get(item.key) ?? {
      item,
      followers: [],
      isDue: false,
      isSuspect: false,
      isProvisional: false,
      error,
      cancelTimer: undefined,
    };
    parked.cancelTimer?.();
    // A key that failed again goes behind the others.
    this.#byKey.delete(item.key);
    this.#byKey.set(item.key, parked);
    return Object.assign(parked, { item, error, isDue: false });
  }

  follow(parked: Parked, item: Item): void {
    parked.followers.push(item);
    this.#followers += 1;
  }

  /** A newer item of the key takes the place of the parked one, which is returned. */
  replace(parked: Parked, item: Item): Item {
    const older = parked.item;
    item.attempts = older.attempts;
    item.firstVersion = Math.min(item.firstVersion, older.firstVersion);
    parked.item = item;
    return older;
  }

  /** The key's item is settled: its next follower takes its place, due at once, or the key is free again. */
  leave(key: string): void {
    const parked = this.#byKey.get(key);
    if (parked === undefined) return;
    parked.cancelTimer?.();
    const next = parked.followers.shift();
    if (next === undefined) {
      this.#byKey.delete(key);
      return;
    }
    this.#followers -= 1;
    Object.assign(parked, { item: next, isDue: true, isSuspect: false, isProvisional: false });
  }

  /** A parked item that is due, if any is: the one parked first. */
  nextDue(): Parked | undefined {
    for (const parked of this.#byKey.values()) if (parked.isDue) return parked;
    return undefined;
  }

  /** The suspect that has not been tried for longest. */
  nextSuspect(): Parked | undefined {
    for (const parked of this.#byKey.values()) if (parked.isSuspect) return parked;
    return undefined;
  }

  suspects(): Parked[] {
    return [...this.#byKey.values()].filter((parked) => parked.isSuspect);
  }

  cancelTimers(): void {
    for (const parked of this.#byKey.values()) parked.cancelTimer?.();
  }

  /** Every parked item and follower, the oldest of a key first. */
  *items(): Generator<Item, void, undefined> {
    for (const parked of this.#byKey.values()) {
      yield parked.item;
      yield* parked.followers;
    }
  }
}
