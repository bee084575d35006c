/**
 * How a view's operations are carried out. The view says what is asked; a writer does it, at once
 * (`SyncWriter`: memory first, then perhaps the queue) or by way of the backend (`ThroughWriter`), and answers with the
 * result or a promise of it.
 */

import type { Current, Decision } from "./decisions.js";
import type { ClearOptions, EntriesInput, KeyOptions, SetOptions } from "./operations.js";
import type { Scope } from "./scope.js";

/** How a storage answers its mutators. */
export type Mode = "sync" | "promise";

export type Outcome<M extends Mode, Result> = M extends "sync" ? Result : Promise<Result>;

export interface Writer<M extends Mode> {
  /** Answers a call that makes no sense: throws, or rejects. */
  refuse(mistake: TypeError): Outcome<M, never>;
  set(scope: Scope, key: string, value: unknown, options: SetOptions | undefined): Outcome<M, number>;
  setMulti(scope: Scope, entries: EntriesInput<unknown>, options: SetOptions | undefined): Outcome<M, number>;
  /** Carries out what `decide` makes of the entry as it is then, and of what `prepare` made at the call. */
  decide<Result, Prepared = undefined>(
    scope: Scope,
    key: string,
    options: KeyOptions | undefined,
    decide: (current: Current | undefined, prepared: Prepared) => Decision<Result>,
    prepare?: () => Prepared,
  ): Outcome<M, Result>;
  deleteMulti(scope: Scope, keys: Iterable<string>, options: KeyOptions | undefined): Outcome<M, number>;
  clear(scope: Scope, options: ClearOptions | undefined): Outcome<M, number>;
}

/** The pairs of `setMulti`'s argument, whichever form it has. @throws TypeError */
export function* pairsOf(
  entries: EntriesInput<unknown>,
): Generator<readonly [string, unknown], void, undefined> {
  if (typeof entries !== "object" || entries === null) {
    throw new TypeError("setMulti takes a Map, an iterable of pairs, or an object");
  }
  if (!(Symbol.iterator in entries)) {
    yield* Object.entries(entries);
    return;
  }
  for (const pair of entries as Iterable<unknown>) {
    if (!Array.isArray(pair) || pair.length !== 2)
      throw new TypeError("each entry of setMulti must be [key, value]");
    yield pair as unknown as readonly [string, unknown];
  }
}

/**
 * Keeps the function given to `update` from changing the key it is asked about: its result would be lost, or written
 * over what it wrote.
 */
export class UpdateGuard {
  readonly #keys = new Set<string>();
  #isUpdating = false;

  /** @throws TypeError when the key is being updated */
  check(key: string): void {
    if (this.#isUpdating) this.#check(key);
  }

  checkPrefix(prefix: string): void {
    for (const key of this.#keys) if (key.startsWith(prefix)) throw this.#error();
  }

  run<Result>(key: string, decide: () => Result): Result {
    this.check(key);
    this.#keys.add(key);
    this.#isUpdating = true;
    try {
      return decide();
    } finally {
      this.#keys.delete(key);
      this.#isUpdating = this.#keys.size > 0;
    }
  }

  #check(key: string): void {
    if (this.#keys.has(key)) throw this.#error();
  }

  #error(): TypeError {
    return new TypeError(
      "the function of update must not change the key it updates: return the new value instead",
    );
  }
}
