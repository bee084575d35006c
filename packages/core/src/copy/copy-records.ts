/**
 * The copying itself: pages of `from`, cut into batches for `to`. The next batch is read while one is being written,
 * so that the two backends work at once; of each there is one, and a page (I5).
 */

import { randomBytes } from "node:crypto";
import type { Mutation } from "../adapter.js";
import { LeakDBError } from "../errors.js";
import { RECORD_OVERHEAD_BYTES } from "../worker/adapter-sink.js";
import type { ResolvedCopyOptions } from "./copy-options.js";
import { AGAIN, type CopySide } from "./copy-side.js";
import { type Pairs, pairsOfSource } from "./pairs.js";
import { difference, isLive } from "./stored-record.js";

type Put = Extract<Mutation, { type: "put" }>;

export interface Tally {
  readonly records: number;
  readonly bytes: number;
  readonly alreadyThere: number;
  readonly skippedExpired: number;
}

interface Batch {
  readonly puts: readonly Put[];
  /** What has been gone through, this batch included. */
  readonly tally: Tally;
}

const NOTHING: Tally = { records: 0, bytes: 0, alreadyThere: 0, skippedExpired: 0 };

/** Keys that are tried for one that `from` does not hold. */
const CANDIDATES = 64;
const CANDIDATE_BYTES = 16;

/**
 * Writes what `to` does not hold yet. A new one gets the high version of `from` first: a mark of whose copy it is, and
 * the last word where the newest mutation of `from` has left no record.
 */
export async function copyRecords(
  from: CopySide,
  to: CopySide,
  options: ResolvedCopyOptions & { readonly isNew: boolean; readonly highVersion: number },
): Promise<Tally> {
  if (options.isNew && options.highVersion > 0) {
    await to.write([{ type: "delete", key: await absentKey(from, to), version: options.highVersion }]);
  }
  const batches = cut(options.isNew ? ownPairs(from) : pairsOfSource(from, to), options);
  let tally = NOTHING;
  let next = batches.next();
  for (;;) {
    const { value: batch, done } = await next;
    if (done === true) return tally;
    // Where `to` is read as well, it has one call at a time.
    if (options.isNew) next = readAhead(batches);
    if (batch.puts.length > 0) await to.write(batch.puts);
    if (!options.isNew) next = batches.next();
    tally = batch.tally;
    const { records, bytes } = tally;
    options.onProgress?.({ phase: "copying", records, bytes });
  }
}

function readAhead(batches: AsyncGenerator<Batch, undefined>): Promise<IteratorResult<Batch, undefined>> {
  const next = batches.next();
  // Whoever awaits it meets the failure; where the write fails first, nobody does.
  next.catch(() => undefined);
  return next;
}

/** Deleting it changes nothing but the high version. */
async function absentKey(from: CopySide, to: CopySide): Promise<string> {
  const digits = Math.min(2 * CANDIDATE_BYTES, to.adapter.capabilities.maxKeyBytes);
  const candidates = Array.from({ length: CANDIDATES }, () =>
    randomBytes(CANDIDATE_BYTES).toString("hex").slice(0, digits),
  );
  const found = await from.load(candidates);
  const key = candidates.find((_, index) => found[index] === undefined);
  if (key !== undefined) return key;
  throw new LeakDBError("LEAKDB_NOT_SUPPORTED", `${to.name} takes too short keys: copy to another adapter`);
}

async function* ownPairs(from: CopySide): Pairs {
  for await (const page of from.pages())
    yield page === AGAIN ? AGAIN : page.map((record) => ({ from: record }));
}

/** Batches within both limits; an empty one where a page has brought nothing to write. */
async function* cut(pairs: Pairs, options: ResolvedCopyOptions): AsyncGenerator<Batch, undefined> {
  const { batchMax, batchBytesMax, clock } = options;
  let puts: Put[] = [];
  let batchBytes = 0;
  let { records, bytes, alreadyThere, skippedExpired } = NOTHING;
  const take = (): Batch => {
    const batch = { puts, tally: { records, bytes, alreadyThere, skippedExpired } };
    puts = [];
    batchBytes = 0;
    return batch;
  };
  for await (const page of pairs) {
    if (page === AGAIN) {
      ({ records, bytes, alreadyThere, skippedExpired } = NOTHING);
      take();
      continue;
    }
    const nowMs = clock.now();
    for (const { from: record, to: there } of page) {
      if (record === undefined) continue;
      if (!isLive(record, nowMs)) {
        skippedExpired += 1;
        continue;
      }
      if (there === undefined || difference(record, there) !== undefined) {
        const { key, value, version, expiresAt } = record;
        const recordBytes = key.length + value.byteLength + RECORD_OVERHEAD_BYTES;
        const isFull = puts.length === batchMax || batchBytes + recordBytes > batchBytesMax;
        if (isFull && puts.length > 0) yield take();
        puts.push({ type: "put", key, value, version, expiresAt });
        batchBytes += recordBytes;
      } else {
        alreadyThere += 1;
      }
      records += 1;
      bytes += record.value.byteLength;
    }
    if (puts.length === 0) yield take();
  }
  if (puts.length > 0) yield take();
  return undefined;
}
