/**
 * Mutations that will not reach the backend by themselves: refused for good, not encodable, or failed too often.
 * They stay readable in memory, count towards the capacity, and stand until they are discarded, or until a retry or
 * a newer mutation of their key has been stored (I6, I10: nothing is lost in silence).
 */

import type { Backpressure } from "./backpressure.js";
import type { Item } from "./item.js";

export interface Dead {
  readonly item: Item;
  readonly error: Error;
  /** It is in the queue again; it stands until that has been stored. */
  isRetrying: boolean;
}

/** Told of each that comes to stand, and of each that goes. */
export interface DeadLetterListener {
  noteDead(dead: Dead): void;
  /** `isStored`: by itself, after a retry; else something newer was, or the user gave it up. */
  noteDeadGone(dead: Dead, isStored: boolean): void;
}

export class DeadLetters {
  readonly #backpressure: Backpressure;
  readonly #listener: DeadLetterListener | undefined;
  readonly #standing = new Set<Dead>();
  /** A coalescing queue has one a key; where every item is delivered, a key may have several. */
  readonly #byKey = new Map<string, Set<Dead>>();

  constructor(backpressure: Backpressure, listener?: DeadLetterListener) {
    this.#backpressure = backpressure;
    this.#listener = listener;
  }

  get size(): number {
    return this.#standing.size;
  }

  has(dead: Dead): boolean {
    return this.#standing.has(dead);
  }

  add(item: Item, error: Error): Dead {
    const dead = this.restore(item, error);
    this.#listener?.noteDead(dead);
    return dead;
  }

  /** One that stood before the storage was opened. */
  restore(item: Item, error: Error): Dead {
    const dead: Dead = { item, error, isRetrying: false };
    this.#standing.add(dead);
    const ofKey = this.#byKey.get(item.key);
    if (ofKey) ofKey.add(dead);
    else this.#byKey.set(item.key, new Set([dead]));
    this.#backpressure.deadLetters += 1;
    return dead;
  }

  /** True when it stood. */
  remove(dead: Dead, isStored = false): boolean {
    if (!this.#standing.delete(dead)) return false;
    const ofKey = this.#byKey.get(dead.item.key);
    ofKey?.delete(dead);
    if (ofKey?.size === 0) this.#byKey.delete(dead.item.key);
    this.#backpressure.deadLetters -= 1;
    this.#listener?.noteDeadGone(dead, isStored);
    return true;
  }

  /** A newer mutation of the key has been answered: older ones go. Their smallest first-dirty version, or `Infinity`. */
  removeOlder(key: string, version: number): number {
    const isOlder = ({ item }: Dead): boolean => item.type !== "clear" && item.version <= version;
    return this.#removeAll([...(this.#byKey.get(key) ?? [])].filter(isOlder), version);
  }

  /** A clear has been answered: it covers every older mutation of its keys, and older clears of narrower prefixes. */
  removeCleared(prefix: string, version: number): number {
    const isOlder = ({ item }: Dead): boolean => item.key.startsWith(prefix) && item.version <= version;
    return this.#removeAll([...this.#standing].filter(isOlder), version);
  }

  #removeAll(dead: readonly Dead[], storedVersion: number): number {
    let first = Infinity;
    for (const each of dead) {
      this.remove(each, each.item.version === storedVersion);
      first = Math.min(first, each.item.firstVersion);
    }
    return first;
  }

  /** Those whose mutations a barrier at `version` covers, of one key if given. */
  covered(version: number, key?: string): Dead[] {
    if (this.#standing.size === 0) return [];
    const concerns = ({ type, key: itemKey }: Item): boolean =>
      key === undefined || itemKey === key || (type === "clear" && key.startsWith(itemKey));
    return [...this.#standing].filter(({ item }) => item.firstVersion <= version && concerns(item));
  }

  /** Those that are being retried included. */
  all(): Iterable<Dead> {
    return this.#standing;
  }

  *standing(): Generator<Dead, void, undefined> {
    for (const dead of this.#standing) if (!dead.isRetrying) yield dead;
  }
}
