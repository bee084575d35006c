/**
 * Key to slot: the hash index of the memory table.
 *
 *     up to shardAfter keys          one Map, at the price of a Map
 *     beyond                         key ──hash──▶ one of 256 Maps
 *     on the way                     each mutation moves four keys from the one Map; reads ask the shard, then it
 *
 * One `Map` stalls for most of a second when it doubles beyond eight million entries, and throws at 2^24. Shards
 * double apart from each other and stay small; small stores pay nothing for them. The move in small steps is that
 * of Redis's incremental rehashing. Measurements: docs/decisions/0002-key-index.md.
 *
 * Invariants: a key is never in two places with both counted; what the first Map holds beside a shard is stale and
 * never read, since the shard is asked first and a delete reaches both. A set that throws has changed nothing (I8).
 */

import { randomFillSync } from "node:crypto";
import { LeakDBError } from "../errors.js";

export interface KeyIndexOptions {
  /** Keys that one `Map` holds before it is split. Default 2^20: where V8 would double it next. */
  shardAfter?: number;
  /** How many shards, from 1 to 256. Default 256. */
  shards?: number;
  /** The most keys in a shard. Default 4,000,000: half of where V8's `Map` meets its end under deletes. */
  shardMax?: number;
  /** Makes the hash repeatable, for tests. Default: random, so that nobody can choose keys that meet in a shard. */
  seed?: number;
}

const SHARD_AFTER = 2 ** 20;
const SHARDS = 256;
const SHARD_MAX = 4_000_000;
const MOVES_PER_MUTATION = 4;
/** The hash picks a cell and the cell a shard, so that shards can be of unlike size. A power of two. */
const CELLS = 4_096;
const CELL_SHIFT = 20;
/** Keys are at most 1,024 bytes, and so at most as many UTF-16 units; a power of two. */
const KEY_UNITS_MAX = 1_024;

/** Keys to small non-negative integers. A miss is `undefined`. */
export class KeyIndex {
  #single = new Map<string, number>();
  #shards: KeyShards | undefined;
  readonly #shardAfter: number;
  readonly #options: KeyIndexOptions;

  constructor(options: KeyIndexOptions = {}) {
    this.#options = options;
    this.#shardAfter = options.shardAfter ?? SHARD_AFTER;
  }

  get size(): number {
    return this.#shards === undefined ? this.#single.size : this.#shards.size;
  }

  get(key: string): number | undefined {
    return this.#shards === undefined ? this.#single.get(key) : this.#shards.get(key);
  }

  /** @throws LEAKDB_TABLE_FULL when the key is new and its shard is full; nothing has changed then. */
  set(key: string, slot: number): void {
    if (this.#shards !== undefined) this.#shards.set(key, slot);
    else if (this.#single.size < this.#shardAfter) this.#single.set(key, slot);
    else this.#setAtLimit(key, slot);
  }

  /** True when the key was present. */
  delete(key: string): boolean {
    const shards = this.#shards;
    if (shards === undefined) return this.#single.delete(key);
    const isPresent = shards.delete(key);
    // An empty store is a small one again.
    if (isPresent && shards.size === 0) this.clear();
    return isPresent;
  }

  clear(): void {
    this.#single = new Map();
    this.#shards = undefined;
  }

  #setAtLimit(key: string, slot: number): void {
    if (this.#single.has(key)) {
      this.#single.set(key, slot);
      return;
    }
    const shards = new KeyShards(this.#single, this.#options);
    shards.set(key, slot);
    this.#shards = shards;
    this.#single = new Map();
  }
}

class KeyShards {
  size: number;
  readonly #shards: Map<string, number>[] = [];
  readonly #cells: Uint8Array;
  readonly #shardMax: number;
  readonly #multipliers: Int32Array;
  /** The Map before the split, until all of it has been moved. Moved keys stay in it: deleting would rehash it. */
  #source: Map<string, number> | undefined;
  readonly #moves: Iterator<[string, number]>;

  constructor(source: Map<string, number>, options: KeyIndexOptions) {
    const count = options.shards ?? SHARDS;
    for (let index = 0; index < count; index++) this.#shards.push(new Map());
    this.#cells = unevenCells(count);
    this.#shardMax = options.shardMax ?? SHARD_MAX;
    this.#multipliers = multipliers(options.seed);
    this.#source = source;
    this.#moves = source.entries();
    this.size = source.size;
  }

  get(key: string): number | undefined {
    const slot = this.#shardOf(key).get(key);
    return slot === undefined && this.#source !== undefined ? this.#source.get(key) : slot;
  }

  set(key: string, slot: number): void {
    const shard = this.#shardOf(key);
    const before = shard.size;
    // A key that is still in the source adds none to the store, and at most shardAfter of them do to a shard.
    if (before >= this.#shardMax && !shard.has(key) && !this.#source?.has(key)) throw tableFull();
    shard.set(key, slot);
    if (shard.size > before && !this.#source?.has(key)) this.size++;
    if (this.#source !== undefined) this.#move();
  }

  delete(key: string): boolean {
    const inShard = this.#shardOf(key).delete(key);
    const inSource = this.#source?.delete(key) === true;
    const isPresent = inShard || inSource;
    if (isPresent) this.size--;
    if (this.#source !== undefined) this.#move();
    return isPresent;
  }

  #move(): void {
    for (let moved = 0; moved < MOVES_PER_MUTATION; moved++) {
      const { done, value } = this.#moves.next();
      if (done) {
        this.#source = undefined;
        return;
      }
      const shard = this.#shardOf(value[0]);
      // What the shard holds is newer.
      if (!shard.has(value[0])) shard.set(value[0], value[1]);
    }
  }

  #shardOf(key: string): Map<string, number> {
    return this.#shards[this.#cells[hashOf(key, this.#multipliers) >>> CELL_SHIFT] as number] as Map<
      string,
      number
    >;
  }
}

/**
 * Multilinear hashing: the sum of each UTF-16 unit times a random number of its own. Its high bits are strongly
 * universal, so that keys chosen without knowing the numbers meet no more often than random ones (D. Lemire and
 * O. Kaser, "Strongly universal string hashing is fast", 2014). The length stands for trailing NULs, which add 0.
 */
function hashOf(key: string, multipliers: Int32Array): number {
  const { length } = key;
  let sum = Math.imul(multipliers[KEY_UNITS_MAX] as number, length);
  for (let index = 0; index < length; index++) {
    sum = (sum + Math.imul(multipliers[index & (KEY_UNITS_MAX - 1)] as number, key.charCodeAt(index))) | 0;
  }
  return sum;
}

/**
 * Shard i gets 2^(i/count) times the cells of shard 0. A Map doubles whenever its size reaches a power of two; even
 * shards would all do so within the same few thousand keys, and leave their old tables to the garbage collector at
 * once. So they take turns, from one doubling of the store to the next.
 */
function unevenCells(count: number): Uint8Array {
  const cells = new Uint8Array(CELLS);
  for (let cell = 0, shard = 0; cell < CELLS; cell++) {
    // The geometric series: shards 0 to i have 2^((i + 1)/count) - 1 of all cells.
    while (cell >= CELLS * (2 ** ((shard + 1) / count) - 1)) shard++;
    cells[cell] = shard;
  }
  return cells;
}

function multipliers(seed: number | undefined): Int32Array {
  const numbers = new Int32Array(KEY_UNITS_MAX + 1);
  if (seed === undefined) return randomFillSync(numbers);
  // A linear congruential generator (Numerical Recipes): repeatable is all that a test needs.
  let state = seed | 0;
  return numbers.map(() => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return state ^ (state >>> 16);
  });
}

function tableFull(): LeakDBError {
  return new LeakDBError(
    "LEAKDB_TABLE_FULL",
    "the memory table is full: delete keys, or split the store in two",
  );
}
