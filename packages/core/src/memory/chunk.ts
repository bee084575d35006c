/**
 * The rows of the table, in columns of a fixed length: a table grows by whole chunks, so nothing is ever copied and
 * no growth stalls.
 */

export const ROW_BITS = 12;
export const ROWS = 1 << ROW_BITS;
export const ROW_MASK = ROWS - 1;

export interface Chunk {
  /** `undefined` for a tombstone or a free row. */
  readonly values: unknown[];
  readonly keys: string[];
  /** Version and expiry of each row side by side, for one cache line serves both; an expiry of 0 is never. */
  readonly stamps: Float64Array;
  /** The count of keys born before this one, modulo 2^32: iterators pass over keys younger than themselves. */
  readonly births: Uint32Array;
  readonly marks: Uint8Array;
  /** No row of the chunk expires before this; `Infinity` while none has an expiry. */
  nextExpiry: number;
}

export function newChunk(): Chunk {
  return {
    // Filled, so that every chunk's array has the same kind of elements whatever is stored first.
    values: new Array<unknown>(ROWS).fill(undefined),
    keys: new Array<string>(ROWS).fill(""),
    stamps: new Float64Array(ROWS * 2),
    births: new Uint32Array(ROWS),
    marks: new Uint8Array(ROWS),
    nextExpiry: Infinity,
  };
}
