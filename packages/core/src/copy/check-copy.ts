/**
 * Whether a copy can be made, found out before anything is written: `to` is new, or the interrupted copy of what
 * `from` still is; and it can take every record.
 *
 * The first thing a copy writes is the high version of `from`. So an interrupted copy has that high version, and each
 * of its records is in `from`, the same to the byte. A store that was written to by anybody else has a high version of
 * its own: versions are microseconds, and no two stores issue the same one but by chance. An emptied store is refused
 * as well: the contract promises adapters that no put comes after a newer delete of its key.
 */

import type { AdapterState, StoredRecord } from "../adapter.js";
import { LeakDBError } from "../errors.js";
import { KEY_BYTES_MAX } from "../key.js";
import type { ResolvedCopyOptions } from "./copy-options.js";
import { AGAIN, type CopySide } from "./copy-side.js";
import { allPairs, type Pair } from "./pairs.js";
import { difference, isLive } from "./stored-record.js";

/** A side and what its adapter answered. */
export interface OpenedSide {
  readonly side: CopySide;
  readonly state: AdapterState;
}

/**
 * True for a new `to`, false for one that an interrupted copy has begun.
 * @throws LEAKDB_NOT_SUPPORTED for any other
 */
export async function isNew(
  from: OpenedSide,
  to: OpenedSide,
  options: ResolvedCopyOptions,
): Promise<boolean> {
  if (from.state.storeId === to.state.storeId) {
    throw refusal(to, "is the same store, or a copy of its files; name another target");
  }
  if (to.state.highVersion === 0 && (await isEmpty(to.side))) return true;
  if (to.state.highVersion !== from.state.highVersion) {
    throw refusal(to, `has been written to, and not by a copy of ${from.side.name} as it is now`);
  }
  let records = 0;
  let bytes = 0;
  for await (const pairs of allPairs(from.side, to.side)) {
    if (pairs === AGAIN) continue;
    const nowMs = options.clock.now();
    for (const pair of pairs) {
      const key = pair.to?.key;
      if (key !== undefined && isForeign(pair, nowMs)) {
        throw refusal(to, `holds ${JSON.stringify(key)}, which ${from.side.name} does not hold like that`);
      }
      bytes += pair.to?.value.byteLength ?? 0;
    }
    records += pairs.length;
    options.onProgress?.({ phase: "checking", records, bytes });
  }
  return false;
}

/** Only where `to` takes less than `from` does, at the price of a scan. @throws LEAKDB_ADAPTER_REJECTED */
export async function checkFit(
  { side: from }: OpenedSide,
  { side: to }: OpenedSide,
  options: ResolvedCopyOptions,
) {
  const { maxKeyBytes, maxValueBytes } = to.adapter.capabilities;
  const source = from.adapter.capabilities;
  if (maxKeyBytes >= Math.min(source.maxKeyBytes, KEY_BYTES_MAX) && maxValueBytes >= source.maxValueBytes) {
    return;
  }
  let records = 0;
  let bytes = 0;
  let misfits = 0;
  let first: StoredRecord | undefined;
  for await (const page of from.pages()) {
    if (page === AGAIN) {
      records = bytes = misfits = 0;
      continue;
    }
    const nowMs = options.clock.now();
    for (const record of page) {
      bytes += record.value.byteLength;
      const fits = record.value.byteLength <= maxValueBytes && Buffer.byteLength(record.key) <= maxKeyBytes;
      if (fits || !isLive(record, nowMs)) continue;
      misfits += 1;
      first ??= record;
    }
    records += page.length;
    options.onProgress?.({ phase: "checking", records, bytes });
  }
  if (first === undefined) return;
  throw new LeakDBError(
    "LEAKDB_ADAPTER_REJECTED",
    `${to.name} takes keys of ${maxKeyBytes} and values of ${maxValueBytes} bytes at most: too little for ${misfits} ` +
      `of the records, the first ${JSON.stringify(first.key)} with ${Buffer.byteLength(first.key)} and ` +
      `${first.value.byteLength} bytes; delete or shorten them, or copy to another adapter. Nothing was copied`,
  );
}

/** An expired record is as good as none, unless it would keep a live one out. */
function isForeign({ from, to }: Pair, nowMs: number): boolean {
  if (to === undefined) return false;
  return from === undefined ? isLive(to, nowMs) : difference(from, to) !== undefined;
}

async function isEmpty(side: CopySide): Promise<boolean> {
  for await (const page of side.pages()) if (page !== AGAIN) return false;
  return true;
}

function refusal(to: OpenedSide, what: string): LeakDBError {
  const message = `${to.side.name} ${what}; nothing was changed: copy to a new store`;
  return new LeakDBError("LEAKDB_NOT_SUPPORTED", message);
}
