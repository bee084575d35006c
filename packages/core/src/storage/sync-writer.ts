/**
 * The synchronous writer: memory changes at the call, and the write-behind queue, where there is one, is told. All
 * checks come before the first change, so an operation that throws has changed nothing (I8).
 */

import { checkKeyPart } from "../key.js";
import { type Current, type Decision, expiryOf } from "./decisions.js";
import type { Intake } from "./intake.js";
import type { ClearOptions, EntriesInput, KeyOptions, SetOptions } from "./operations.js";
import type { Scope } from "./scope.js";
import type { Store } from "./store.js";
import { pairsOf, UpdateGuard, type Writer } from "./writer.js";

export class SyncWriter implements Writer<"sync"> {
  readonly #store: Store;
  readonly #behind: Intake | undefined;
  readonly #guard = new UpdateGuard();

  constructor(store: Store, behind?: Intake) {
    this.#store = store;
    this.#behind = behind;
  }

  refuse(mistake: TypeError): never {
    throw mistake;
  }

  set(scope: Scope, key: string, value: unknown, options: SetOptions | undefined): number {
    const store = this.#store;
    store.checkWritable();
    if (options === undefined && scope.prefix === "")
      return this.#put(key, store.toStored(value, scope.values), 0);
    const expiresAt = expiryOf(options, store.clock.now()) ?? 0;
    return this.#put(scope.keyOf(key, options), store.toStored(value, scope.values), expiresAt);
  }

  setMulti(scope: Scope, entries: EntriesInput<unknown>, options: SetOptions | undefined): number {
    this.#store.checkWritable();
    const { table } = this.#store;
    const expiresAt = expiryOf(options, this.#store.clock.now()) ?? 0;
    const stored = new Map<string, unknown>();
    for (const [key, value] of pairsOf(entries)) {
      const fullKey = scope.keyOf(key, options);
      this.#store.checkKey(fullKey);
      this.#guard.check(fullKey);
      stored.set(fullKey, this.#store.toStored(value, scope.values));
    }
    // The caller's iterable may have run anything, a close as well.
    this.#store.checkWritable();
    this.#admit([...stored.keys()].map((key) => table.find(key)));
    const inserted: number[] = [];
    try {
      for (const key of stored.keys()) if (table.find(key) < 0) inserted.push(table.insert(key));
    } catch (error) {
      for (const slot of inserted) table.remove(slot, 0);
      throw error;
    }
    for (const [key, value] of stored) this.#apply(table.find(key), key, value, expiresAt);
    return this.#store.versions.last;
  }

  decide<Result, Prepared>(
    scope: Scope,
    key: string,
    options: KeyOptions | undefined,
    decide: (current: Current | undefined, prepared: Prepared) => Decision<Result>,
    prepare?: () => Prepared,
  ): Result {
    const store = this.#store;
    store.checkWritable();
    const fullKey = scope.keyOf(key, options);
    const slot = store.table.find(fullKey);
    if (slot < 0) store.checkKey(fullKey);
    const prepared = prepare?.() as Prepared;
    const decision = this.#guard.run(fullKey, () => decide(currentOf(store, scope, fullKey), prepared));
    switch (decision.change) {
      case "none":
        return decision.result;
      case "put":
        return decision.result(
          this.#put(fullKey, store.toStored(decision.value, scope.values), decision.expiresAt),
        );
      case "store": {
        // What `decide` ran may have taken other slots, never this one: the guard holds its key.
        const stored = decision.stored === undefined ? store.table.value(slot) : decision.stored;
        return decision.result(this.#put(fullKey, stored, decision.expiresAt));
      }
      case "delete":
        return decision.result(this.#remove(slot));
    }
  }

  deleteMulti(scope: Scope, keys: Iterable<string>, options: KeyOptions | undefined): number {
    const store = this.#store;
    store.checkWritable();
    const fullKeys = new Set<string>();
    for (const key of keys) {
      const fullKey = scope.keyOf(key, options);
      store.checkKey(fullKey);
      this.#guard.check(fullKey);
      fullKeys.add(fullKey);
    }
    // Only now, as the caller's iterable may have run anything.
    store.checkWritable();
    const slots: number[] = [];
    for (const key of fullKeys) {
      const slot = store.table.find(key);
      if (slot >= 0 && store.table.liveValue(slot) !== undefined) slots.push(slot);
    }
    this.#admit(slots);
    for (const slot of slots) this.#remove(slot);
    return slots.length;
  }

  clear(scope: Scope, options: ClearOptions | undefined): number {
    const store = this.#store;
    store.checkWritable();
    const prefix = clearedPrefix(scope, options);
    this.#guard.checkPrefix(prefix);
    // Where keys coalesce, a clear of everything makes room for itself.
    if (prefix !== "" || this.#behind?.coalesces === false) this.#behind?.backpressure.admit(1);
    const version = store.versions.next();
    return this.#behind === undefined ? store.table.clear(prefix) : this.#behind.clear(prefix, version);
  }

  /** @throws LEAKDB_QUEUE_FULL unless a mutation of each of the slots fits */
  #admit(slots: Iterable<number>): void {
    const behind = this.#behind;
    if (behind === undefined) return;
    let count = 0;
    for (const slot of slots) if (behind.needsRoom(slot)) count += 1;
    behind.backpressure.admit(count);
  }

  #put(key: string, stored: unknown, expiresAt: number): number {
    this.#guard.check(key);
    const slot = this.#store.table.find(key);
    if (slot < 0) return this.#putNew(key, stored, expiresAt);
    if (this.#behind?.backpressure.isFull) this.#admit([slot]);
    return this.#apply(slot, key, stored, expiresAt);
  }

  #putNew(key: string, stored: unknown, expiresAt: number): number {
    this.#store.checkKey(key);
    if (this.#behind?.backpressure.isFull) this.#admit([-1]);
    return this.#apply(this.#store.table.insert(key), key, stored, expiresAt);
  }

  #apply(slot: number, key: string, stored: unknown, expiresAt: number): number {
    const behind = this.#behind;
    const version = this.#store.versions.next();
    const marks = this.#store.table.put(slot, stored, version, expiresAt, behind?.waitingMark);
    behind?.notePut(slot, marks, key, stored, version, expiresAt);
    return version;
  }

  #remove(slot: number): number {
    if (this.#behind?.backpressure.isFull) this.#admit([slot]);
    const version = this.#store.versions.next();
    this.#behind?.noteDelete(slot, version);
    this.#store.table.remove(slot, version);
    return version;
  }
}

/** The live entry of a key, its value as the scope's policy reads it. */
export function currentOf(store: Store, scope: Scope, key: string): Current | undefined {
  const slot = store.table.find(key);
  const stored = slot < 0 ? undefined : store.table.liveValue(slot);
  if (stored === undefined) return undefined;
  return {
    value: store.fromStored(stored, scope.values, key),
    version: store.table.version(slot),
    expiresAt: store.table.expiresAt(slot),
  };
}

/** The prefix of the table's keys that a clear covers. @throws TypeError */
export function clearedPrefix(scope: Scope, options: ClearOptions | undefined): string {
  const prefix = options?.prefix ?? "";
  checkKeyPart("prefix", prefix);
  return scope.prefixOf(options) + prefix;
}
