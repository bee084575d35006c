/**
 * What the journal of a `QueueStorage` tells: the items that its worker has not done, in version order, and its dead
 * letters. Memory is given the state that the pending items made; what was done is not in the journal any more.
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
  readonly #pending = new Map<number, Item>();
  readonly #letters = new Map<number, RecoveredLetter>();

  constructor(store: Store) {
    this.#store = store;
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

  /**
   * The pending items, oldest first; applies them to memory. Where keys coalesce, only the newest of each key is left, and
   * none that a later clear covers.
   */
  take(coalesces: boolean): Item[] {
    const items = [...this.#pending.values()].sort((a, b) => a.version - b.version);
    this.#pending.clear();
    for (const item of items) this.#apply(item);
    return coalesces ? newestOf(items) : items;
  }

  #item(type: Item["type"], key: string, version: number, expiresAt: number, bytes: Buffer): Item {
    const value = type === "put" ? this.#store.fromJournal(bytes, key) : undefined;
    return newItem({ type, key, value, version, expiresAt, date: Math.floor(version / 1_000) });
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

function newestOf(items: readonly Item[]): Item[] {
  const newest = new Map<string, Item>();
  const clears: Item[] = [];
  for (const item of items) {
    if (item.type !== "clear") {
      newest.delete(item.key);
      newest.set(item.key, item);
      continue;
    }
    clears.push(item);
    for (const key of [...newest.keys()]) if (key.startsWith(item.key)) newest.delete(key);
  }
  return [...clears, ...newest.values()].sort((a, b) => a.version - b.version);
}
