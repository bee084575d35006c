/**
 * The keys of one lane whose mutation failed by itself: they step aside, so that one bad key never holds up another.
 * Newer mutations of a parked key join it here and go after it (I1); in a coalescing queue they replace it.
 *
 * A *suspect* failed alone, but nothing has succeeded since: whether the key or the backend is at fault is not known
 * yet. The next success settles that, and only then does the failure count as one of the key's attempts.
 */

import type { Item } from "../queue/item.js";

export interface Parked {
  item: Item;
  /** Newer items of the key, where every item is delivered. */
  readonly followers: Item[];
  /** Milliseconds since 1970 of the next try. */
  dueAtMs: number;
  isSuspect: boolean;
  error: Error;
}

export class Parking {
  readonly #byKey = new Map<string, Parked>();
  #followers = 0;

  /** Items parked, followers included. */
  get size(): number {
    return this.#byKey.size + this.#followers;
  }

  get suspects(): number {
    let count = 0;
    for (const parked of this.#byKey.values()) if (parked.isSuspect) count += 1;
    return count;
  }

  get(key: string): Parked | undefined {
    return this.#byKey.get(key);
  }

  /** Parks an item, or again after another failure; followers stay behind it. */
  park(item: Item, error: Error, dueAtMs: number, isSuspect: boolean): void {
    const parked = this.#byKey.get(item.key);
    if (parked === undefined) this.#byKey.set(item.key, { item, followers: [], dueAtMs, isSuspect, error });
    else Object.assign(parked, { item, dueAtMs, isSuspect, error });
  }

  follow(parked: Parked, item: Item): void {
    parked.followers.push(item);
    this.#followers += 1;
  }

  /** The key's item is settled: its next follower takes its place, due at once, or the key is free again. */
  leave(key: string): void {
    const parked = this.#byKey.get(key);
    if (parked === undefined) return;
    const next = parked.followers.shift();
    if (next === undefined) {
      this.#byKey.delete(key);
      return;
    }
    this.#followers -= 1;
    Object.assign(parked, { item: next, dueAtMs: 0, isSuspect: false });
  }

  /** A parked item that is due and no suspect. */
  nextDue(nowMs: number): Parked | undefined {
    for (const parked of this.#byKey.values()) {
      if (!parked.isSuspect && parked.dueAtMs <= nowMs) return parked;
    }
    return undefined;
  }

  /** When the next one is due, `Infinity` for never; suspects wait for a success instead. */
  get nextDueAtMs(): number {
    let next = Infinity;
    for (const parked of this.#byKey.values()) if (!parked.isSuspect) next = Math.min(next, parked.dueAtMs);
    return next;
  }

  takeSuspects(): Parked[] {
    const suspects = [...this.#byKey.values()].filter((parked) => parked.isSuspect);
    for (const parked of suspects) parked.isSuspect = false;
    return suspects;
  }

  /** Every parked item and follower, the oldest of a key first. */
  *items(): Generator<Item, void, undefined> {
    for (const parked of this.#byKey.values()) {
      yield parked.item;
      yield* parked.followers;
    }
  }
}
