/**
 * The memory table: every entry of a store, read and written synchronously.
 *
 *     key ──KeyIndex──▶ slot ──▶ chunk[slot >>> 12], row slot & 4095
 *                                ┌ values ┬ keys ┬ stamps (version, expiry) ┬ births ┬ marks ┐
 *
 * An entry is a row in chunked columns rather than an object: a third of the memory, and no long stall while it
 * grows, since no chunk is ever copied (docs/decisions/0002-key-index.md has the measurements).
 *
 * A row whose value is `undefined` is a *tombstone*: absent to every reader, kept while it is held (see `marks.ts`)
 * so that a waiting delete is neither lost nor undone (I3, I4).
 *
 * Invariants: an indexed key has exactly one slot; a slot is on the free list exactly when it is neither indexed nor
 * held; `size` counts the indexed rows that have a value.
 *
 * Not safe for use from several threads; nothing here waits or throws but `LEAKDB_TABLE_FULL`.
 */

import type { Clock } from "../clock.js";
import { type Chunk, newChunk, ROW_BITS, ROW_MASK, ROWS } from "./chunk.js";
import { KeyIndex } from "./key-index.js";
import { DETACHED } from "./marks.js";
import { type KeyRange, OrderedKeys } from "./ordered-keys.js";

export class Table {
  readonly #clock: Clock;
  readonly #onExpiring: () => void;
  readonly #index = new KeyIndex();
  readonly #chunks: Chunk[] = [];
  readonly #free: number[] = [];
  #ordered: OrderedKeys | undefined;
  #slotsUsed = 0;
  #live = 0;
  #births = 0;
  #nextExpiry = Infinity;
  /** Some entry may have an expiry. */
  #hasExpiries = false;
  /** Reads that found a value, and reads that did not. */
  hits = 0;
  misses = 0;
  /** Entries that expired and were removed. */
  expired = 0;

  /** `onExpiring` is called when an entry gets an expiry while none had one. */
  constructor(clock: Clock, onExpiring: () => void = () => undefined) {
    this.#clock = clock;
    this.#onExpiring = onExpiring;
  }

  /** Live entries: neither deleted nor expired. */
  get size(): number {
    this.expire();
    return this.#live;
  }

  /** The stored value of a live entry, else `undefined`. */
  get(key: string): unknown {
    const slot = this.#index.get(key);
    if (slot !== undefined) {
      const chunk = this.#chunks[slot >>> ROW_BITS] as Chunk;
      const row = slot & ROW_MASK;
      const value = chunk.values[row];
      if (value !== undefined && !(this.#hasExpiries && this.#isExpired(chunk, row))) {
        this.hits += 1;
        return value;
      }
    }
    this.misses += 1;
    return undefined;
  }

  /** The slot of an indexed key, tombstones and expired entries included, else -1. */
  find(key: string): number {
    return this.#index.get(key) ?? -1;
  }

  /** The slot's value while it is live, else `undefined`. */
  liveValue(slot: number): unknown {
    const chunk = this.#chunk(slot);
    const row = slot & ROW_MASK;
    return chunk.nextExpiry === Infinity || !this.#isExpired(chunk, row) ? chunk.values[row] : undefined;
  }

  value(slot: number): unknown {
    return this.#chunk(slot).values[slot & ROW_MASK];
  }

  key(slot: number): string {
    return this.#chunk(slot).keys[slot & ROW_MASK] as string;
  }

  version(slot: number): number {
    return this.#chunk(slot).stamps[(slot & ROW_MASK) << 1] as number;
  }

  expiresAt(slot: number): number {
    return this.#chunk(slot).stamps[((slot & ROW_MASK) << 1) + 1] as number;
  }

  marks(slot: number): number {
    return this.#chunk(slot).marks[slot & ROW_MASK] as number;
  }

  mark(slot: number, marks: number): void {
    const chunk = this.#chunk(slot);
    chunk.marks[slot & ROW_MASK] = (chunk.marks[slot & ROW_MASK] as number) | marks;
  }

  /** Takes marks away; frees the slot when nothing holds it any more and it has no value to keep. */
  unmark(slot: number, marks: number): void {
    const chunk = this.#chunk(slot);
    const row = slot & ROW_MASK;
    const left = (chunk.marks[row] as number) & ~marks;
    chunk.marks[row] = left;
    if (left === 0 && chunk.values[row] === undefined) this.#release(slot, true);
    else if (left === DETACHED) this.#release(slot, false);
  }

  /** A new tombstone for an absent key. @throws LEAKDB_TABLE_FULL, before anything changed. */
  insert(key: string): number {
    const reused = this.#free.length > 0;
    const slot = reused ? (this.#free[this.#free.length - 1] as number) : this.#slotsUsed;
    this.#index.set(key, slot);
    if (reused) {
      this.#free.pop();
    } else {
      if ((slot & ROW_MASK) === 0) this.#chunks.push(newChunk());
      this.#slotsUsed += 1;
    }
    this.#chunk(slot).keys[slot & ROW_MASK] = key;
    return slot;
  }

  /**
   * Gives the slot a new state, and `marks` beside those it has; returns those it had. `value` is never `undefined`;
   * `expiresAt` 0 means never.
   */
  put(slot: number, value: unknown, version: number, expiresAt: number, marks = 0): number {
    const chunk = this.#chunks[slot >>> ROW_BITS] as Chunk;
    const row = slot & ROW_MASK;
    if (chunk.values[row] === undefined) this.#bear(chunk, row);
    else if (this.#hasExpiries) this.#bearAgain(chunk, row);
    chunk.values[row] = value;
    chunk.stamps[row << 1] = version;
    if (expiresAt !== 0 || this.#hasExpiries) this.#setExpiry(chunk, row, expiresAt);
    const before = chunk.marks[row] as number;
    chunk.marks[row] = before | marks;
    return before;
  }

  /** Makes the entry absent: a tombstone with its version while the slot is held, else free. */
  remove(slot: number, version: number): void {
    const chunk = this.#chunk(slot);
    const row = slot & ROW_MASK;
    if (chunk.values[row] !== undefined) this.#bury(chunk, row);
    chunk.stamps[row << 1] = version;
    if (chunk.marks[row] === 0) this.#release(slot, true);
  }

  /**
   * Takes every key with the prefix out of the index, so that it starts anew, and returns how many were live. A held
   * slot is left, detached, to whoever holds it; `onHeld` hears of its marks.
   */
  clear(prefix: string, onHeld?: (marks: number) => void): number {
    this.expire();
    const before = this.#live;
    for (const slot of this.#slotsToClear(prefix)) {
      const chunk = this.#chunk(slot);
      const row = slot & ROW_MASK;
      if (chunk.values[row] !== undefined) this.#bury(chunk, row, prefix !== "");
      if (prefix !== "") this.#index.delete(chunk.keys[row] as string);
      const marks = chunk.marks[row] as number;
      if (marks === 0) {
        this.#release(slot, false);
      } else {
        chunk.marks[row] = marks | DETACHED;
        onHeld?.(marks);
      }
    }
    if (prefix === "") {
      this.#index.clear();
      this.#ordered?.clear();
    }
    return before - this.#live;
  }

  /** Removes what has expired: a free slot, or a tombstone of the same version while the slot is held. */
  expire(): void {
    if (this.#nextExpiry === Infinity) return;
    const now = this.#clock.now();
    if (now < this.#nextExpiry) return;
    let next = Infinity;
    for (let index = 0; index < this.#chunks.length; index += 1) {
      const chunk = this.#chunks[index] as Chunk;
      if (chunk.nextExpiry <= now) this.#expireChunk(chunk, index << ROW_BITS, now);
      if (chunk.nextExpiry < next) next = chunk.nextExpiry;
    }
    this.#nextExpiry = next;
    this.#hasExpiries = next !== Infinity;
  }

  /** Every slot is below this. */
  get slotsUsed(): number {
    return this.#slotsUsed;
  }

  /** When the next entry may expire, in milliseconds since 1970; `Infinity` for never. */
  get nextExpiry(): number {
    return this.#nextExpiry;
  }

  /** Slots of the live entries at the call, in no order. A key born later is passed over, even in a slot freed meanwhile. */
  slots(): Generator<number, void, undefined> {
    this.expire();
    return this.#walk(this.#births, this.#slotsUsed);
  }

  /** The same in the order of the keys' UTF-8 bytes. The first call sorts the keys; the order is kept from then on. */
  orderedSlots(range: KeyRange): Generator<number, void, undefined> {
    this.expire();
    this.#ordered ??= new OrderedKeys(this.#liveKeys());
    return this.#walkKeys(this.#ordered.range(range), this.#births);
  }

  *#walk(born: number, end: number): Generator<number, void, undefined> {
    for (let slot = 0; slot < end; slot += 1) {
      if (this.#isVisible(slot, born)) yield slot;
    }
  }

  *#walkKeys(keys: Iterable<string>, born: number): Generator<number, void, undefined> {
    for (const key of keys) {
      const slot = this.#index.get(key);
      if (slot !== undefined && this.#isVisible(slot, born)) yield slot;
    }
  }

  /** Indexed slots with the prefix, tombstones included: a waiting delete must not outlive a clear at its old place. */
  #slotsToClear(prefix: string): Iterable<number> {
    const hasTombstones = this.#index.size > this.#live;
    if (prefix === "" || hasTombstones) return this.#indexedSlots(prefix);
    return [...this.orderedSlots({ prefix })];
  }

  *#indexedSlots(prefix: string): Generator<number, void, undefined> {
    for (let slot = 0; slot < this.#slotsUsed; slot += 1) {
      const chunk = this.#chunk(slot);
      const row = slot & ROW_MASK;
      const key = chunk.keys[row] as string;
      if (key !== "" && ((chunk.marks[row] as number) & DETACHED) === 0 && key.startsWith(prefix)) yield slot;
    }
  }

  *#liveKeys(): Generator<string, void, undefined> {
    for (const slot of this.slots()) yield this.key(slot);
  }

  #isVisible(slot: number, born: number): boolean {
    const chunk = this.#chunk(slot);
    const row = slot & ROW_MASK;
    // The difference as a signed 32-bit number stays right when the count of births wraps around.
    return this.liveValue(slot) !== undefined && (((chunk.births[row] as number) - born) | 0) < 0;
  }

  #isExpired(chunk: Chunk, row: number): boolean {
    const expiresAt = chunk.stamps[(row << 1) + 1] as number;
    return expiresAt !== 0 && expiresAt <= this.#clock.now();
  }

  #chunk(slot: number): Chunk {
    return this.#chunks[slot >>> ROW_BITS] as Chunk;
  }

  #bear(chunk: Chunk, row: number): void {
    this.#live += 1;
    chunk.births[row] = this.#births++;
    this.#ordered?.add(chunk.keys[row] as string);
  }

  /** An expired entry is absent: what follows it is a new key to iterators that began before. */
  #bearAgain(chunk: Chunk, row: number): void {
    if (this.#isExpired(chunk, row)) chunk.births[row] = this.#births++;
  }

  #bury(chunk: Chunk, row: number, ordered = true): void {
    this.#live -= 1;
    chunk.values[row] = undefined;
    chunk.stamps[(row << 1) + 1] = 0;
    if (ordered) this.#ordered?.delete(chunk.keys[row] as string);
  }

  /** Puts the slot on the free list, out of the index first when it is in it. */
  #release(slot: number, indexed: boolean): void {
    const chunk = this.#chunk(slot);
    const row = slot & ROW_MASK;
    if (indexed && ((chunk.marks[row] as number) & DETACHED) === 0)
      this.#index.delete(chunk.keys[row] as string);
    chunk.keys[row] = "";
    chunk.marks[row] = 0;
    this.#free.push(slot);
  }

  #setExpiry(chunk: Chunk, row: number, expiresAt: number): void {
    chunk.stamps[(row << 1) + 1] = expiresAt;
    if (expiresAt === 0) return;
    this.#hasExpiries = true;
    if (expiresAt < chunk.nextExpiry) chunk.nextExpiry = expiresAt;
    const isFirst = this.#nextExpiry === Infinity;
    if (expiresAt < this.#nextExpiry) this.#nextExpiry = expiresAt;
    if (isFirst) this.#onExpiring();
  }

  #expireChunk(chunk: Chunk, firstSlot: number, now: number): void {
    let next = Infinity;
    for (let row = 0; row < ROWS; row += 1) {
      const expiresAt = chunk.stamps[(row << 1) + 1] as number;
      if (expiresAt === 0) continue;
      if (expiresAt > now) {
        if (expiresAt < next) next = expiresAt;
        continue;
      }
      this.expired += 1;
      this.#bury(chunk, row);
      if (chunk.marks[row] === 0) this.#release(firstSlot + row, true);
    }
    chunk.nextExpiry = next;
  }
}
