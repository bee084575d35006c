/**
 * The waiting line of one lane: what is dirty, in the order in which it became so. Two kinds share one interface:
 *
 *     TicketLine  a key waits once; the line holds its slot, the newest state stays in the table   (coalescing)
 *     ItemLine    every mutation waits by itself                                                  (each delivered)
 *
 * Both are FIFO by the version at which an entry first became dirty, so the front gives the line's part of W.
 */

import type { Item } from "./item.js";

export interface Line {
  /** What waits, cancelled tickets included. */
  readonly length: number;
  /** The smallest first-dirty version in the line, `Infinity` when it is empty. */
  readonly firstVersion: number;
  /** The next item whose first-dirty version is at most `upTo`, out of the line; `undefined` when there is none. */
  take(upTo: number): Item | undefined;
}

/** Turns a ticket into the item that its slot now stands for; `undefined` when a clear has cancelled it. */
export type TicketReader = (slot: number, firstVersion: number) => Item | undefined;

const FIRST_CAPACITY = 64;

/** A ring of slots and versions, 12 bytes a waiting key; it doubles as it fills. */
export class TicketLine implements Line {
  readonly #read: TicketReader;
  #slots = new Int32Array(FIRST_CAPACITY);
  #versions = new Float64Array(FIRST_CAPACITY);
  #head = 0;
  #length = 0;

  constructor(read: TicketReader) {
    this.#read = read;
  }

  get length(): number {
    return this.#length;
  }

  get firstVersion(): number {
    return this.#length === 0 ? Infinity : (this.#versions[this.#head] as number);
  }

  push(slot: number, version: number): void {
    if (this.#length === this.#slots.length) this.#grow();
    const tail = (this.#head + this.#length) & (this.#slots.length - 1);
    this.#slots[tail] = slot;
    this.#versions[tail] = version;
    this.#length += 1;
  }

  take(upTo: number): Item | undefined {
    while (this.#length > 0) {
      const version = this.#versions[this.#head] as number;
      if (version > upTo) return undefined;
      const slot = this.#slots[this.#head] as number;
      this.#head = (this.#head + 1) & (this.#slots.length - 1);
      this.#length -= 1;
      if (this.#length === 0 && this.#slots.length > FIRST_CAPACITY) this.#shrink();
      const item = this.#read(slot, version);
      if (item !== undefined) return item;
    }
    return undefined;
  }

  #grow(): void {
    const capacity = this.#slots.length;
    const slots = new Int32Array(capacity * 2);
    const versions = new Float64Array(capacity * 2);
    const untilEnd = capacity - this.#head;
    slots.set(this.#slots.subarray(this.#head));
    slots.set(this.#slots.subarray(0, this.#head), untilEnd);
    versions.set(this.#versions.subarray(this.#head));
    versions.set(this.#versions.subarray(0, this.#head), untilEnd);
    this.#slots = slots;
    this.#versions = versions;
    this.#head = 0;
  }

  /** Gives a backlog's memory back once it has drained. */
  #shrink(): void {
    const keep = Math.max(FIRST_CAPACITY, this.#slots.length >>> 1);
    this.#slots = new Int32Array(keep);
    this.#versions = new Float64Array(keep);
    this.#head = 0;
  }
}

/** How many taken items may lie before the head until the array is cut. */
const SLACK = 1_024;

export class ItemLine implements Line {
  #items: (Item | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  get firstVersion(): number {
    return this.#items[this.#head]?.firstVersion ?? Infinity;
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  /** What waits, oldest first. */
  *items(): Generator<Item, void, undefined> {
    for (let index = this.#head; index < this.#items.length; index += 1) yield this.#items[index] as Item;
  }

  take(upTo: number): Item | undefined {
    const item = this.#items[this.#head];
    if (item === undefined || item.firstVersion > upTo) return undefined;
    this.#items[this.#head] = undefined;
    this.#head += 1;
    if (this.#head > SLACK && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
