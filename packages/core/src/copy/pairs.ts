/**
 * The records of both sides, key by key: what checking, resuming and verifying look at. Two scans are merged where
 * both sides keep the order of keys; else one side is scanned, and the other is asked for the same keys.
 *
 * Invariant: of each side at most a page is held, and what the other answered to it (I5).
 */

import type { StoredRecord } from "../adapter.js";
import { compareKeys } from "../memory/key-order.js";
import { AGAIN, type CopySide, type Page } from "./copy-side.js";

/** One key, as both sides hold it. At least one of them does. */
export interface Pair {
  readonly from?: StoredRecord | undefined;
  readonly to?: StoredRecord | undefined;
}

export type Pairs = AsyncGenerator<readonly Pair[] | typeof AGAIN, void, undefined>;

/** The most keys that are asked for in one call. */
const LOAD_KEYS_MAX = 1_000;

/** Every key that one of the sides holds; where both do, both records, and perhaps twice. */
export async function* allPairs(from: CopySide, to: CopySide): Pairs {
  if (from.adapter.capabilities.ordered && to.adapter.capabilities.ordered) {
    yield* merged(from, to);
  } else {
    yield* pairsOfSource(from, to);
    yield* pairsOfTarget(from, to);
  }
}

/** Every key that `from` holds. */
export async function* pairsOfSource(from: CopySide, to: CopySide): Pairs {
  for await (const found of lookedUp(from, to)) {
    yield found === AGAIN ? AGAIN : found.map(([record, other]) => ({ from: record, to: other }));
  }
}

/** Every key that `to` holds. */
async function* pairsOfTarget(from: CopySide, to: CopySide): Pairs {
  for await (const found of lookedUp(to, from)) {
    yield found === AGAIN ? AGAIN : found.map(([record, other]) => ({ from: other, to: record }));
  }
}

type Found = readonly (readonly [record: StoredRecord, other: StoredRecord | undefined])[];

async function* lookedUp(scanned: CopySide, asked: CopySide): AsyncGenerator<Found | typeof AGAIN> {
  for await (const page of scanned.pages()) {
    if (page === AGAIN) {
      yield AGAIN;
      continue;
    }
    for (let start = 0; start < page.length; start += LOAD_KEYS_MAX) {
      const records = page.slice(start, start + LOAD_KEYS_MAX);
      const others = await asked.load(records.map(({ key }) => key));
      yield records.map((record, index) => [record, others[index]] as const);
    }
  }
}

/** A merge join of two ordered scans; yields whenever one of the two pages is used up. */
async function* merged(from: CopySide, to: CopySide): Pairs {
  const left = new Cursor(from);
  const right = new Cursor(to);
  try {
    for (;;) {
      await left.fill();
      await right.fill();
      const pairs: Pair[] = [];
      for (let pair = nextPair(left, right); pair !== undefined; pair = nextPair(left, right)) {
        pairs.push(pair);
        if (left.isUsedUp || right.isUsedUp) break;
      }
      if (pairs.length === 0) return;
      yield pairs;
    }
  } finally {
    left.stop();
    right.stop();
  }
}

function nextPair(left: Cursor, right: Cursor): Pair | undefined {
  const { record: from } = left;
  const { record: to } = right;
  if (from === undefined && to === undefined) return undefined;
  const order = from === undefined ? 1 : to === undefined ? -1 : compareKeys(from.key, to.key);
  if (order <= 0) left.advance();
  if (order >= 0) right.advance();
  return order === 0 ? { from, to } : order < 0 ? { from } : { to };
}

/** A place in an ordered scan. */
class Cursor {
  readonly #pages: ReturnType<CopySide["pages"]>;
  #page: Page = [];
  #at = 0;
  #hasEnded = false;

  constructor(side: CopySide) {
    this.#pages = side.pages();
  }

  /** `undefined` at the end of the scan, and before `fill`. */
  get record(): StoredRecord | undefined {
    return this.#page[this.#at];
  }

  /** Further records may follow, and only `fill` will show them. */
  get isUsedUp(): boolean {
    return !this.#hasEnded && this.#at >= this.#page.length;
  }

  advance(): void {
    this.#at += 1;
  }

  /** Takes pages until there is a record, or none any more. */
  async fill(): Promise<void> {
    while (this.isUsedUp) {
      const next = await this.#pages.next();
      this.#hasEnded = next.done === true;
      // An ordered scan never begins anew.
      this.#page = next.done === true || next.value === AGAIN ? [] : next.value;
      this.#at = 0;
    }
  }

  stop(): void {
    void this.#pages.return();
  }
}
