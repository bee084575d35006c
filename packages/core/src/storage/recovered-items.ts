/**
 * What the journal of a `QueueStorage` tells: the items that its worker has not done, in version order, and its dead
 * letters. Memory is given the state that the pending items made; what was done is not in the journal any more.
 *
 * Where keys coalesce, the journal has each state of a key that a group found, and the worker was given the newest
 * alone: that speaks for the older ones, which nothing else says are done.
 */

import { readDeadEntry } from "../journal/dead-entry.js";
import {
  CLEAR,
  DEAD_CLEAR,
  DEAD_DELETE,
  DEAD_GONE,
  DEAD_PUT,
  DELETE,
  DONE,
  type EntryKind,
  PUT,
} from "../journal/entry.js";
import { type Item, newItem } from "../queue/item.js";
import type { RecoveredLetter } from "./recovered-table.js";
import type { Store } from "./store.js";

const TYPES = {
  [PUT]: "put",
  [DELETE]: "delete",
  [CLEAR]: "clear",
  [DEAD_PUT]: "put",
  [DEAD_DELETE]: "delete",
  [DEAD_CLEAR]: "clear",
} as const;

export class RecoveredItems {
  readonly #store: Store;
  readonly #coalesces: boolean;
  readonly #pending = new Map<number, Item>();
  /** The version of each key that is pending, or was last, where keys coalesce. */
  readonly #newest = new Map<string, number>();
  readonly #letters = new Map<number, RecoveredLetter>();

  constructor(store: Store, coalesces: boolean) {
    this.#store = store;
    this.#coalesces = coalesces;
  }

  get letters(): RecoveredLetter[] {
    return [...this.#letters.values()];
  }

  /** @throws LEAKDB_DECODE_FAILED */
  visit(kind: EntryKind, key: string, version: number, expiresAt: number, value: Buffer): void {
    this.#store.versions.observe(version);
    switch (kind) {
      case DONE:
        for (let index = 0; index + 8 <= value.length; index += 8)
          this.#pending.delete(value.readDoubleLE(index));
        return;
      case DEAD_GONE:
        this.#letters.delete(version);
        return;
      case PUT:
      case DELETE:
      case CLEAR:
        if (this.#coalesces && !this.#supersedes(TYPES[kind], key, version)) return;
        this.#pending.set(version, this.#item(TYPES[kind], key, version, expiresAt, value));
        return;
      default: {
        const { error, attempts, value: bytes } = readDeadEntry(value);
        const item = { ...this.#item(TYPES[kind], key, version, expiresAt, bytes), attempts };
        this.#pending.delete(version);
        this.#letters.set(version, { item, error });
      }
    }
  }

  /** The pending items, oldest first; applies them to memory. */
  take(): Item[] {
    const items = [...this.#pending.values()].sort((a, b) => a.version - b.version);
    this.#pending.clear();
    this.#newest.clear();
    for (const item of items) this.#apply(item);
    return items;
  }

  /** What is older of the key, or below the prefix, is not pending any more. False where something newer of the key is. */
  #supersedes(type: Item["type"], key: string, version: number): boolean {
    if (type === "clear") {
      for (const item of this.#pending.values())
        if (item.version < version && item.key.startsWith(key)) this.#pending.delete(item.version);
      return true;
    }
    const known = this.#newest.get(key) ?? 0;
    // One that was retried comes again later than it was made.
    if (known > version && this.#pending.has(known)) return false;
    this.#pending.delete(known);
    this.#newest.set(key, version);
    return true;
  }

  #item(type: Item["type"], key: string, version: number, expiresAt: number, bytes: Buffer): Item {
    const value = type === "put" ? this.#store.fromJournal(bytes, key) : undefined;
    return newItem({ type, key, value, version, expiresAt });
  }

  #apply({ type, key, value, version, expiresAt }: Item): void {
    const { table, clock } = this.#store;
    if (type === "clear") {
      table.clear(key);
      return;
    }
    const slot = table.find(key);
    const isGone = type === "delete" || (expiresAt !== 0 && expiresAt <= clock.now());
    if (!isGone) table.put(slot >= 0 ? slot : table.insert(key), value, version, expiresAt);
    else if (slot >= 0) table.remove(slot, version);
  }
}
