/**
 * The keys of one lane whose mutation failed by itself: they step aside, so that one bad key never holds up another.
 * Newer mutations of a parked key join it here and go after it (I1); in a coalescing queue they replace it.
 *
 * A *suspect* failed alone, and nothing has succeeded since: whether the key or the backend is at fault is not known
 * yet. It is tried again after a backoff of its own; the next success of another key tells, and only then does its
 * failure count as an attempt.
 */

import type { Item } from "../queue/item.js";

export interface Parked {
  item: Item;
  /** Newer items of the key, where every item is delivered. */
  readonly followers: Item[];
  isDue: boolean;
  isSuspect: boolean;
  /** Failures in a row, charged or not: the backoff grows with them. */
  failures: number;
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
      failures: 0,
      error,
      cancelTimer: undefined,
    };
    parked.cancelTimer?.();
    // A key that failed again goes behind the others.
    this.#byKey.delete(item.key);
    this.#byKey.set(item.key, parked);
    return Object.assign(parked, { item, error, isDue: false, failures: parked.failures + 1 });
  }

  follow(parked: Parked, item: Item): void {
    parked.followers.push(item);
    this.#followers += 1;
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
    Object.assign(parked, { item: next, isDue: true, isSuspect: false, failures: 0 });
  }

  /** A parked item that is due, if any is: the one parked first. */
  nextDue(): Parked | undefined {
    for (const parked of this.#byKey.values()) if (parked.isDue) return parked;
    return undefined;
  }

  /** Makes the suspects due at once; true when there are any. */
  hurrySuspects(): boolean {
    let isAny = false;
    for (const parked of this.#byKey.values()) {
      if (!parked.isSuspect) continue;
      parked.isDue = true;
      isAny = true;
    }
    return isAny;
  }

  /** The suspects, which are none any more. */
  takeSuspects(): Parked[] {
    const suspects = [...this.#byKey.values()].filter((parked) => parked.isSuspect);
    for (const parked of suspects) parked.isSuspect = false;
    return suspects;
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
