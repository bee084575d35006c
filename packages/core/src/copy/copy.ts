/**
 * Moving a store from one adapter to another, below the storages: bytes, versions and expiries go as they are.
 *
 *     open both ─▶ check ─▶ high version ─▶ copy in batches ─▶ sync ─▶ open `to` anew, verify ─▶ close both
 *                  refuses before anything changes
 *
 * Keeps:
 * - `from` is only read.
 * - `to` is changed only where it is new, or the interrupted copy of this very `from`; so calling again resumes.
 * - Both are closed at the end, whatever it is.
 */

import type { Adapter } from "../adapter.js";
import { LeakDBError } from "../errors.js";
import { resolveAdapter } from "../storage/options.js";
import { asError } from "../thrown.js";
import { checkFit, isNew } from "./check-copy.js";
import {
  type CopyOptions,
  type CopyReport,
  type ResolvedCopyOptions,
  resolveCopyOptions,
} from "./copy-options.js";
import { copyRecords } from "./copy-records.js";
import { CopySide } from "./copy-side.js";
import { verifyCopy } from "./verify-copy.js";

/**
 * Copies every live record of `from` to `to`, with its version and expiry, and the high version, so that a storage
 * over `to` goes on where one over `from` has ended. No storage may have either adapter open.
 *
 * `to` must be new. One that an earlier `copy` of the same, unchanged `from` has begun is completed: what is there is
 * not written again. Memory holds two batches and a few pages, however large the store is.
 *
 * Not errors: an empty `from`; expired records, which are left out.
 *
 * @throws TypeError or RangeError for arguments that make no sense, or an adapter that a storage has open
 * @throws LEAKDB_OPEN_FAILED, LEAKDB_LOCKED: one of them could not be opened
 * @throws LEAKDB_NOT_SUPPORTED: `to` holds something else, or is the same store. Nothing was changed
 * @throws LEAKDB_ADAPTER_REJECTED: `to` will not take a record, which the message names. Where its capabilities tell,
 *   nothing was changed
 * @throws LEAKDB_ADAPTER_UNAVAILABLE: a call has failed `retry.maxAttempts` times in a row. Call again to go on
 * @throws LEAKDB_CORRUPTION: what was read back is not what was copied; the message names the first key
 * @throws `signal.reason` when aborted. Call again to go on
 */
export async function copy(from: Adapter, to: Adapter, options: CopyOptions = {}): Promise<CopyReport> {
  const source = resolveAdapter(from, "from");
  const target = resolveAdapter(to, "to");
  if (source === target) throw new TypeError("from and to are the same adapter: make one for each");
  const resolved = resolveCopyOptions(options);
  resolved.signal?.throwIfAborted();
  const sides = [new CopySide(source, resolved), new CopySide(target, resolved)] as const;
  const claimed: CopySide[] = [];
  let report: CopyReport;
  try {
    for (const side of sides) {
      side.claim();
      claimed.push(side);
    }
    report = await copyBetween(...sides, resolved);
  } catch (error) {
    // The error at hand comes first; what hinders the closing as well is a fault beside it.
    for (const { side, error: fault } of await closeAll(claimed)) side.report(fault);
    throw error;
  }
  const [failure] = await closeAll(claimed);
  if (failure === undefined) return report;
  throw new LeakDBError(
    "LEAKDB_ADAPTER_UNAVAILABLE",
    `everything was copied, but ${failure.side.name} could not be closed: ${failure.error.message}`,
    { cause: failure.error },
  );
}

async function copyBetween(from: CopySide, to: CopySide, options: ResolvedCopyOptions): Promise<CopyReport> {
  const startMs = performance.now();
  const source = { side: from, state: await from.open() };
  const target = { side: to, state: await to.open() };
  const { highVersion } = source.state;
  const begins = await isNew(source, target, options);
  if (begins) await checkFit(source, target, options);
  const tally = await copyRecords(from, to, { ...options, isNew: begins, highVersion });
  if (to.adapter.capabilities.levels.includes("synced")) await to.sync();
  if (options.verify) {
    const reopened = await to.reopen();
    if (reopened.highVersion < highVersion) {
      const message = `${to.name} has forgotten the high version that was written to it; do not use the copy`;
      throw new LeakDBError("LEAKDB_CORRUPTION", message);
    }
    await verifyCopy(from, to, options);
  }
  return { ...tally, verified: options.verify, durationMs: Math.round(performance.now() - startMs) };
}

interface Unclosed {
  readonly side: CopySide;
  readonly error: Error;
}

/** Closes each, whatever becomes of the other, and answers with what failed. */
async function closeAll(sides: readonly CopySide[]): Promise<Unclosed[]> {
  const unclosed: Unclosed[] = [];
  const close = async (side: CopySide): Promise<void> => {
    try {
      await side.close();
    } catch (error) {
      unclosed.push({ side, error: asError(error) });
    }
  };
  await Promise.all(sides.map(close));
  return unclosed;
}
