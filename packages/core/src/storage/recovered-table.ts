/**
 * What the journal of a table tells: every entry of it goes into the table, in the journal's order, so that the newest
 * state of each key is left. Behind a backend each such key is *pending*: it is to be stored, unless the backend, which is
 * read next, turns out to have it (I3: a load never replaces a newer mutation, a delete is never undone).
 *
 *     journal ─▶ table: put b 7, delete c 9, clear "x" 4 ─┐
 *     backend ─▶ a 3, b 5, c 6, x1 2, d 8 ────────────────┴─▶ a 3, b 7 (pending), d 8;  c (pending), "x" (pending)
 */

import { readDeadEntry } from "../journal/dead-entry.js";
import {
  CLEAR,
  DEAD_CLEAR,
  DEAD_DELETE,
  DEAD_GONE,
  DEAD_PUT,
  DELETE,
  type EntryKind,
  PUT,
} from "../journal/entry.js";
import { markedSlots } from "../memory/marked-slots.js";
import { WAITING } from "../memory/marks.js";
import type { Table } from "../memory/table.js";
import { type Item, newItem } from "../queue/item.js";
import type { Store } from "./store.js";

export interface RecoveredLetter {
  readonly item: Item;
  readonly error: Error;
}

/** What is to be done once a backend has been read. */
export interface Pending {
  /** Held slots, oldest state first. */
  readonly slots: readonly number[];
  readonly clears: readonly Item[];
  readonly letters: readonly RecoveredLetter[];
}

interface Record {
  readonly key: string;
  readonly value: Uint8Array;
  readonly version: number;
  readonly expiresAt: number;
}

export class RecoveredTable {
  readonly #store: Store;
  readonly #table: Table;
  /** There is a backend: what is newer here than there is pending. */
  readonly #isBehind: boolean;
  #clears: { readonly prefix: string; readonly version: number; isNeeded: boolean }[] = [];
  readonly #letters = new Map<string, RecoveredLetter>();
  /** Deleted keys with the version of that, until the whole journal has been read: tombstones then. */
  readonly #deletes = new Map<string, number>();
  /** Keys whose newest state has an expiry, which may be over before they are held. */
  readonly #expiring = new Map<string, number>();
  #highVersion = 0;

  constructor(store: Store, isBehind: boolean) {
    this.#store = store;
    this.#table = store.table;
    this.#isBehind = isBehind;
  }

  /** @throws LEAKDB_DECODE_FAILED */
  visit(kind: EntryKind, key: string, version: number, expiresAt: number, value: Buffer): void {
    if (version > this.#highVersion) {
      this.#highVersion = version;
      this.#store.versions.observe(version);
    }
    switch (kind) {
      case PUT:
        return this.#put(key, version, expiresAt, value);
      case DELETE:
        return this.#delete(key, version);
      case CLEAR:
        return this.#clear(key, version);
      case DEAD_PUT:
      case DEAD_DELETE:
      case DEAD_CLEAR:
        return this.#dead(kind, key, version, expiresAt, value);
      case DEAD_GONE:
        return this.#deadGone(key, version, value.length > 0);
      default:
        // Of a queue's items; a table has none.
        return;
    }
  }

  /** The whole journal has been read: what it tells is pending, until the backend turns out to have it. */
  endOfJournal(): void {
    if (!this.#isBehind) return;
    const table = this.#table;
    for (const slot of table.slots()) table.mark(slot, WAITING);
    for (const [key, version] of this.#expiring) if (table.find(key) < 0) this.#deletes.set(key, version);
    for (const [key, version] of this.#deletes) {
      const slot = table.insert(key);
      table.mark(slot, WAITING);
      table.remove(slot, version);
    }
    this.#deletes.clear();
    this.#expiring.clear();
  }

  /** Takes over a record of the backend, unless the journal has something newer of its key. */
  load(record: Record): void {
    const { key, version } = record;
    for (const clear of this.#clears) {
      if (version >= clear.version || !key.startsWith(clear.prefix)) continue;
      clear.isNeeded = true;
      this.#store.versions.observe(version);
      return;
    }
    const slot = this.#table.find(key);
    if (slot >= 0) {
      if (this.#table.version(slot) > version) return;
      // It was stored before the crash: of the same version the backend's value counts, and nothing is pending.
      this.#letters.delete(key);
      // An expired record is not taken over: the older state that it replaced must not stay in its place.
      const { expiresAt } = record;
      const isExpired = expiresAt !== 0 && expiresAt <= this.#store.clock.now();
      if (isExpired && (this.#table.marks(slot) & WAITING) !== 0) this.#table.remove(slot, version);
      this.#table.unmark(slot, WAITING);
    }
    this.#store.load(record);
  }

  pending(): Pending {
    const letters = [...this.#letters.values()];
    for (const { item } of letters) {
      const slot = item.type === "clear" ? -1 : this.#table.find(item.key);
      if (slot >= 0 && this.#table.version(slot) === item.version) this.#table.unmark(slot, WAITING);
    }
    const slots = [...markedSlots(this.#table, WAITING)];
    slots.sort((a, b) => this.#table.version(a) - this.#table.version(b));
    const isDead = ({ prefix, version }: { prefix: string; version: number }): boolean =>
      this.#letters.get(letterKey("clear", prefix))?.item.version === version;
    const clears = this.#clears.filter((clear) => clear.isNeeded && !isDead(clear));
    return {
      slots,
      letters,
      clears: clears.map(({ prefix, version }) => itemOf("clear", prefix, version, 0)),
    };
  }

  #put(key: string, version: number, expiresAt: number, value: Buffer): void {
    // What has expired is sent as a delete of its version: the backend may hold an older state that has not.
    if (expiresAt !== 0 && expiresAt <= this.#store.clock.now()) return this.#delete(key, version);
    if (this.#isOld(key, version)) return;
    if (this.#deletes.size > 0) this.#deletes.delete(key);
    if (expiresAt !== 0 && this.#isBehind) this.#expiring.set(key, version);
    else if (this.#expiring.size > 0) this.#expiring.delete(key);
    const stored = this.#store.fromJournal(value, key);
    const known = this.#table.find(key);
    this.#table.put(known >= 0 ? known : this.#table.insert(key), stored, version, expiresAt);
  }

  #delete(key: string, version: number): void {
    if (this.#isOld(key, version)) return;
    const known = this.#table.find(key);
    if (known >= 0) this.#table.remove(known, version);
    this.#expiring.delete(key);
    if (this.#isBehind) this.#deletes.set(key, version);
  }

  /** What was relocated comes again later than it was made. */
  #isOld(key: string, version: number): boolean {
    if (version >= this.#highVersion) return false;
    const slot = this.#table.find(key);
    const known = slot >= 0 ? this.#table.version(slot) : this.#deletes.get(key);
    return (known !== undefined && known > version) || this.#isCleared(key, version);
  }

  #isCleared(key: string, version: number): boolean {
    return this.#clears.some((clear) => clear.version > version && key.startsWith(clear.prefix));
  }

  #clear(prefix: string, version: number): void {
    const table = this.#table;
    if (version >= this.#highVersion) {
      table.clear(prefix);
    } else {
      for (const slot of [...table.orderedSlots({ prefix })])
        if (table.version(slot) < version) table.remove(slot, version);
    }
    for (const gone of [this.#deletes, this.#expiring])
      for (const [key, at] of gone) if (key.startsWith(prefix) && at < version) gone.delete(key);
    for (const [key, { item }] of this.#letters)
      if (item.key.startsWith(prefix) && item.version < version) this.#letters.delete(key);
    if (!this.#isBehind) return;
    this.#clears = this.#clears.filter(
      (clear) => !clear.prefix.startsWith(prefix) || clear.version > version,
    );
    this.#clears.push({ prefix, version, isNeeded: false });
  }

  #dead(kind: EntryKind, key: string, version: number, expiresAt: number, bytes: Buffer): void {
    // Written again while a clear that covers it was on its way.
    if (this.#isCleared(key, version)) return;
    const { error, attempts, value } = readDeadEntry(bytes);
    const type = kind === DEAD_PUT ? "put" : kind === DEAD_DELETE ? "delete" : "clear";
    if (type === "put") this.#put(key, version, expiresAt, value);
    if (type === "delete") this.#delete(key, version);
    // Memory had been cleared; that the backend was not is what the letter says.
    if (type === "clear") this.#clear(key, version);
    const stored = type === "put" ? this.#store.fromJournal(value, key) : undefined;
    const item = { ...itemOf(type, key, version, expiresAt), value: stored, attempts };
    this.#letters.set(letterKey(type, key), { item, error });
  }

  /**
   * It was superseded or given up: of the key the backend knows, or a newer entry. What has been stored itself is pending
   * still, like all that is in the journal: the backend need not have synced it.
   */
  #deadGone(key: string, version: number, isStored: boolean): void {
    for (const type of ["put", "clear"] as const) {
      if (this.#letters.get(letterKey(type, key))?.item.version === version)
        this.#letters.delete(letterKey(type, key));
    }
    if (isStored) return;
    this.#clears = this.#clears.filter((clear) => clear.prefix !== key || clear.version !== version);
    const slot = this.#table.find(key);
    if (slot >= 0 && this.#table.version(slot) === version) this.#table.remove(slot, version);
    if (this.#deletes.get(key) === version) this.#deletes.delete(key);
    if (this.#expiring.get(key) === version) this.#expiring.delete(key);
  }
}

/** A clear's letter is one of its prefix, beside that of a key of the same name. */
function letterKey(type: Item["type"], key: string): string {
  return type === "clear" ? `clear ${key}` : key;
}

function itemOf(type: Item["type"], key: string, version: number, expiresAt: number): Item {
  return newItem({ type, key, value: undefined, version, expiresAt });
}
