/**
 * Cuts a batch: takes items from a lane's line and readies them, in slices short enough that nobody waiting for the
 * event loop notices. What becomes dirty meanwhile is left for the next batch, so a key is in a batch once (I2).
 */

import { nextTurn } from "../next-turn.js";
import type { Item } from "../queue/item.js";
import { asError } from "../thrown.js";
import type { Sink } from "./sink.js";

export interface BatchLimits {
  readonly batchMax: number;
  readonly batchBytesMax: number;
  readonly coalesce: boolean;
}

/** Where the items come from and where those go that cannot be sent. */
export interface BatchSource {
  /** `taken` counts the items that are in the batch. */
  next(taken: number): Item | undefined;
  refuse(item: Item, error: Error): void;
}

/** Encoding goes on for this long before other work has its turn. */
const SLICE_MS = 1;
/** Reading the time costs as much as encoding a small number: it is read once for so many items. */
const ITEMS_PER_TIME_CHECK = 16;

/**
 * Fills `batch`, which whoever computes W sees grow; returns an item that was taken and did not fit, if any.
 */
export async function cutBatch(
  batch: Item[],
  source: BatchSource,
  sink: Sink,
  limits: BatchLimits,
): Promise<Item | undefined> {
  const keys = limits.coalesce ? undefined : new Set<string>();
  let batchBytes = 0;
  let mutations = 0;
  let sliceStart = performance.now();
  for (let count = 1; mutations < limits.batchMax; count += 1) {
    const item = source.next(batch.length);
    if (item === undefined) return undefined;
    try {
      prepareOnce(item, sink);
    } catch (error) {
      source.refuse(item, asError(error));
      continue;
    }
    mutations += mutationsOf(item);
    const isTooMuch = batchBytes + item.bytes > limits.batchBytesMax || mutations > limits.batchMax;
    const isFull = isTooMuch || keys?.has(item.key) === true;
    if (isFull && batch.length > 0) return item;
    batch.push(item);
    keys?.add(item.key);
    batchBytes += item.bytes;
    if (count % ITEMS_PER_TIME_CHECK === 0 && performance.now() - sliceStart > SLICE_MS) {
      await nextTurn();
      sliceStart = performance.now();
    }
  }
  return undefined;
}

/** The first items of a batch, at most `count` and within the limits; a single larger one still goes, alone. */
export function partWithin(batch: readonly Item[], count: number, limits: BatchLimits): Item[] {
  const most = Math.min(count, batch.length);
  let bytes = 0;
  let mutations = 0;
  for (let index = 0; index < most; index += 1) {
    const item = batch[index] as Item;
    bytes += item.bytes;
    mutations += mutationsOf(item);
    if (index > 0 && (bytes > limits.batchBytesMax || mutations > limits.batchMax))
      return batch.slice(0, index);
  }
  return batch.slice(0, most);
}

/** A `setMulti` is one item of several mutations. */
function mutationsOf(item: Item): number {
  return item.parts?.length ?? 1;
}

/** Readies an item unless it is ready. @throws LEAKDB_ENCODE_FAILED */
export function prepareOnce(item: Item, sink: Sink): void {
  if (item.bytes < 0) item.bytes = sink.prepare(item);
}
