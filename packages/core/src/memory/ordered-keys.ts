/**
 * An ordered set of keys, for ranges and prefixes: the table's ordered index.
 *
 *     blocks   [ a b c ]  [ f g ]  [ k m n o ]     each sorted, none empty, at most BLOCK_MAX keys
 *     lasts        c         g           o         finds a block by binary search
 *
 * A list of sorted blocks, as in Python's sortedcontainers: an insertion moves half a block of pointers, which is
 * cheaper than a tree's nodes. Order is that of UTF-8 bytes, which is that of code points.
 *
 * Invariants: blocks are sorted and their keys rise from block to block; `lasts[i]` is the last key of block i;
 * `#changes` rises with each change, so that an iterator knows when its place is no longer where it was.
 */

import { compareKeys, firstNotBefore, kindsOf, MIXED_KINDS, prefixEnd } from "./key-order.js";

export { compareKeys, prefixEnd } from "./key-order.js";

const BLOCK_MAX = 256;
/** Bulk-built blocks leave room, so that the first insertions do not split them all. */
const BLOCK_FILL = 192;
/** A smaller block is joined to its neighbour. */
const BLOCK_MIN = 32;

/** A range of keys; all bounds that are given hold. `prefix` takes well-formed strings. */
export interface KeyRange {
  readonly prefix?: string | undefined;
  readonly gt?: string | undefined;
  readonly gte?: string | undefined;
  readonly lt?: string | undefined;
  readonly lte?: string | undefined;
  readonly reverse?: boolean | undefined;
}

/** A place between keys. Block `blocks.length`, index 0 is the end. */
interface Place {
  readonly block: number;
  readonly index: number;
}

export class OrderedKeys {
  #blocks: string[][] = [];
  #lasts: string[] = [];
  #size = 0;
  #changes = 0;
  /** Of all keys there were since it was empty: while they are not mixed, `<` orders them. */
  #kinds = 0;

  /** Sorts once, which takes about two seconds for a million keys. Keys that come again count once. */
  constructor(keys: Iterable<string>) {
    const sorted = [...keys];
    for (const key of sorted) this.#kinds |= kindsOf(key);
    if (this.#kinds === MIXED_KINDS) sorted.sort(compareKeys);
    else sorted.sort();
    let block: string[] = [];
    for (let index = 0; index < sorted.length; index++) {
      const key = sorted[index] as string;
      if (index > 0 && key === sorted[index - 1]) continue;
      if (block.length === BLOCK_FILL) block = [];
      if (block.push(key) === 1) this.#blocks.push(block);
      this.#size++;
    }
    this.#lasts = this.#blocks.map((full) => full[full.length - 1] as string);
  }

  get size(): number {
    return this.#size;
  }

  /** False when the key was there. */
  add(key: string): boolean {
    const kinds = this.#kinds | kindsOf(key);
    this.#kinds = kinds;
    const blocks = this.#blocks;
    if (blocks.length === 0) {
      blocks.push([key]);
      this.#lasts.push(key);
    } else {
      const at = Math.min(firstNotBefore(this.#lasts, key, kinds), blocks.length - 1);
      const block = blocks[at] as string[];
      const index = firstNotBefore(block, key, kinds);
      if (block[index] === key) return false;
      if (index === block.length) {
        block.push(key);
        this.#lasts[at] = key;
      } else block.splice(index, 0, key);
      if (block.length > BLOCK_MAX) this.#split(at, block);
    }
    this.#size++;
    this.#changes++;
    return true;
  }

  /** False when the key was not there. */
  delete(key: string): boolean {
    const kinds = this.#kinds | kindsOf(key);
    const at = firstNotBefore(this.#lasts, key, kinds);
    const block = this.#blocks[at];
    if (block === undefined) return false;
    const index = firstNotBefore(block, key, kinds);
    if (block[index] !== key) return false;
    block.splice(index, 1);
    if (block.length < BLOCK_MIN) this.#join(at, block);
    else if (index === block.length) this.#lasts[at] = block[index - 1] as string;
    this.#size--;
    this.#changes++;
    return true;
  }

  clear(): void {
    this.#blocks = [];
    this.#lasts = [];
    this.#size = 0;
    this.#changes++;
    this.#kinds = 0;
  }

  /**
   * The keys of the range in order, walked lazily. Keys may be added and deleted meanwhile: a key that stays is
   * visited once, none twice, a deleted one not, and an added one if it lies ahead.
   */
  range(range: KeyRange = {}): IterableIterator<string> {
    return new KeyIterator(range, {
      changes: () => this.#changes,
      blocks: () => this.#blocks,
      place: (key, isAfter) => this.#place(key, isAfter),
    });
  }

  /** Before the first key that is not below `key`, or with `isAfter` before the first one above it. */
  #place(key: string, isAfter: boolean): Place {
    const kinds = this.#kinds | kindsOf(key);
    let block = firstNotBefore(this.#lasts, key, kinds);
    if (isAfter && this.#lasts[block] === key) block++;
    const keys = this.#blocks[block];
    if (keys === undefined) return { block, index: 0 };
    const index = firstNotBefore(keys, key, kinds);
    return { block, index: isAfter && keys[index] === key ? index + 1 : index };
  }

  #split(at: number, block: string[]): void {
    // Keys that only ever rise leave full blocks behind them.
    const isLast = at === this.#blocks.length - 1;
    const upper = block.splice(isLast ? BLOCK_FILL : BLOCK_MAX >>> 1);
    this.#blocks.splice(at + 1, 0, upper);
    this.#lasts[at] = block[block.length - 1] as string;
    this.#lasts.splice(at + 1, 0, upper[upper.length - 1] as string);
  }

  #join(at: number, block: string[]): void {
    const next = this.#blocks[at + 1];
    if (block.length > 0 && next !== undefined && block.length + next.length <= BLOCK_FILL) {
      next.unshift(...block);
      block.length = 0;
    }
    if (block.length === 0) {
      this.#blocks.splice(at, 1);
      this.#lasts.splice(at, 1);
    } else this.#lasts[at] = block[block.length - 1] as string;
  }
}

/** What an iterator sees of its set. */
interface Source {
  changes(): number;
  blocks(): readonly (readonly string[])[];
  place(key: string, isAfter: boolean): Place;
}

class KeyIterator implements IterableIterator<string> {
  readonly #range: KeyRange;
  readonly #source: Source;
  readonly #isReverse: boolean;
  readonly #prefixEnd: string | undefined;
  #changes = -1;
  #last: string | undefined;
  #isDone = false;
  /** Between these lie the keys still to visit. */
  #from: Place = { block: 0, index: 0 };
  #to: Place = { block: 0, index: 0 };
  /** The walking end of the two. */
  #block = 0;
  #index = 0;

  constructor(range: KeyRange, source: Source) {
    this.#range = range;
    this.#source = source;
    this.#isReverse = range.reverse === true;
    this.#prefixEnd = range.prefix === undefined ? undefined : prefixEnd(range.prefix);
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<string, undefined> {
    if (!this.#isDone) {
      if (this.#changes !== this.#source.changes()) this.#seek();
      const key = this.#isReverse ? this.#stepBack() : this.#step();
      if (key !== undefined) {
        this.#last = key;
        return { done: false, value: key };
      }
      this.#isDone = true;
    }
    return { done: true, value: undefined };
  }

  return(): IteratorResult<string, undefined> {
    this.#isDone = true;
    return { done: true, value: undefined };
  }

  #step(): string | undefined {
    const { block, index } = this.#to;
    if (this.#block > block || (this.#block === block && this.#index >= index)) return undefined;
    const keys = this.#source.blocks()[this.#block] as readonly string[];
    const key = keys[this.#index++];
    if (this.#index === keys.length) {
      this.#block++;
      this.#index = 0;
    }
    return key;
  }

  #stepBack(): string | undefined {
    const { block, index } = this.#from;
    if (this.#block < block || (this.#block === block && this.#index <= index)) return undefined;
    if (this.#index === 0) this.#index = (this.#source.blocks()[--this.#block] as readonly string[]).length;
    return (this.#source.blocks()[this.#block] as readonly string[])[--this.#index];
  }

  /** Both ends anew, beyond the last key visited. */
  #seek(): void {
    const { prefix, gt, gte, lt, lte } = this.#range;
    const isReverse = this.#isReverse;
    this.#changes = this.#source.changes();
    this.#from = this.#farthest(
      { block: 0, index: 0 },
      1,
      [prefix, gte],
      [gt, isReverse ? undefined : this.#last],
    );
    const end = { block: this.#source.blocks().length, index: 0 };
    this.#to = this.#farthest(end, -1, [this.#prefixEnd, lt, isReverse ? this.#last : undefined], [lte]);
    const { block, index } = isReverse ? this.#to : this.#from;
    this.#block = block;
    this.#index = index;
  }

  /** The greatest (1) or least (-1) of a place and those before and after the keys. */
  #farthest(
    start: Place,
    sign: 1 | -1,
    before: readonly (string | undefined)[],
    after: readonly (string | undefined)[],
  ): Place {
    let farthest = start;
    for (const [keys, isAfter] of [
      [before, false],
      [after, true],
    ] as const) {
      for (const key of keys) {
        if (key === undefined) continue;
        const place = this.#source.place(key, isAfter);
        const difference = place.block - farthest.block || place.index - farthest.index;
        if (difference * sign > 0) farthest = place;
      }
    }
    return farthest;
  }
}
