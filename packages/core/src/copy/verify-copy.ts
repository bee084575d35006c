/** Reads back what was copied: `to` holds the live records of `from`, to the byte, and nothing else. */

import { LeakDBError } from "../errors.js";
import type { ResolvedCopyOptions } from "./copy-options.js";
import { AGAIN, type CopySide } from "./copy-side.js";
import { allPairs, type Pair } from "./pairs.js";
import { difference, isLive, isSurelyLive } from "./stored-record.js";

/** @throws LEAKDB_CORRUPTION naming the first key that is wrong */
export async function verifyCopy(from: CopySide, to: CopySide, options: ResolvedCopyOptions): Promise<void> {
  let records = 0;
  let bytes = 0;
  for await (const pairs of allPairs(from, to)) {
    if (pairs === AGAIN) {
      records = bytes = 0;
      continue;
    }
    const nowMs = options.clock.now();
    for (const pair of pairs) {
      const wrong = whatIsWrong(pair, nowMs);
      if (wrong !== undefined) throw mismatch(from, to, pair, wrong);
      bytes += pair.from?.value.byteLength ?? 0;
    }
    records += pairs.length;
    options.onProgress?.({ phase: "verifying", records, bytes });
  }
}

function whatIsWrong(pair: Pair, nowMs: number): string | undefined {
  const from = pair.from !== undefined && isLive(pair.from, nowMs) ? pair.from : undefined;
  const to = pair.to !== undefined && isLive(pair.to, nowMs) ? pair.to : undefined;
  if (from !== undefined && to !== undefined) {
    const what = difference(from, to);
    return what === undefined ? undefined : `has another ${what}`;
  }
  if (from !== undefined && isSurelyLive(from, nowMs)) return "is missing";
  if (to !== undefined && isSurelyLive(to, nowMs)) return "is one too many";
  return undefined;
}

function mismatch(from: CopySide, to: CopySide, pair: Pair, wrong: string): LeakDBError {
  const key = JSON.stringify((pair.from ?? pair.to)?.key);
  return new LeakDBError(
    "LEAKDB_CORRUPTION",
    `${key} ${wrong} in ${to.name}, the copy of ${from.name}; do not use the copy: see what its adapter did, and copy ` +
      "to a new store",
  );
}
