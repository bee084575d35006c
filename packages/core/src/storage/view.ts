/**
 * A typed view of a store: the data operations over all its keys, or those of a namespace. Reads go to the table;
 * mutators go to the writer, whose mode says whether they answer at once or with a promise.
 */

import type { OptionNames } from "../option-names.js";
import {
  CLEAR_OPTIONS,
  callMistake,
  checkOptions,
  INCR_OPTIONS,
  KEY_OPTIONS,
  NAMESPACE_OPTIONS,
  RANGE_OPTIONS,
  SET_OPTIONS,
} from "./call-options.js";
import {
  type Current,
  type Decision,
  decideAdd,
  decideCas,
  decideDelete,
  decideIncr,
  decideReplace,
  decideTouch,
  decideUpdate,
  expiryOf,
} from "./decisions.js";
import type {
  ClearOptions,
  CounterOf,
  EntriesInput,
  Entry,
  IncrOptions,
  KeyOptions,
  Promised,
  RangeOptions,
  Reads,
  SetOptions,
  Writes,
} from "./operations.js";
import { checkLimit, Scope, tableRange } from "./scope.js";
import type { Store } from "./store.js";
import type { Mode, Outcome, Writer } from "./writer.js";

export interface NamespaceOptions {
  /** Default: the storage's. */
  values?: "reference" | "copied" | undefined;
}

/** The data operations of a storage on the keys with a prefix; namespaces of a namespace add up. */
export interface Namespace<V> extends Reads<V>, Writes<V> {
  namespace<T = V>(prefix: string, options?: NamespaceOptions): Namespace<T>;
}

/** The same of a `PersistentStorage`. */
export interface PromisedNamespace<V> extends Reads<V>, Promised<Writes<V>> {
  namespace<T = V>(prefix: string, options?: NamespaceOptions): PromisedNamespace<T>;
}

export type NamespaceOf<V, M extends Mode> = M extends "sync" ? Namespace<V> : PromisedNamespace<V>;

export class View<V, M extends Mode> {
  readonly #store: Store;
  readonly #writer: Writer<M>;
  readonly #scope: Scope;
  /** A key is the table's key, and a value what the table holds. */
  readonly #isPlain: boolean;

  constructor(store: Store, writer: Writer<M>, scope: Scope) {
    this.#store = store;
    this.#writer = writer;
    this.#scope = scope;
    this.#isPlain = scope.prefix === "" && scope.values === "reference";
  }

  get(key: string, options?: KeyOptions): V | undefined {
    const store = this.#store;
    if (options === undefined && this.#isPlain && store.isPlain) {
      const value = store.table.get(key);
      if (value === undefined) store.checkKey(key);
      return value as V | undefined;
    }
    if (store.isClosed) store.checkReadable();
    checkOptions(options, KEY_OPTIONS);
    const fullKey = this.#scope.keyOf(key, options);
    const stored = store.table.get(fullKey);
    if (stored === undefined) {
      store.checkKey(fullKey);
      return undefined;
    }
    if (store.isPlain && this.#scope.values === "reference") return stored as V;
    return store.fromStored(stored, this.#scope.values, fullKey) as V;
  }

  has(key: string, options?: KeyOptions): boolean {
    this.#store.checkReadable();
    checkOptions(options, KEY_OPTIONS);
    const fullKey = this.#scope.keyOf(key, options);
    const isPresent = this.#store.table.get(fullKey) !== undefined;
    if (!isPresent) this.#store.checkKey(fullKey);
    return isPresent;
  }

  getEntry(key: string, options?: KeyOptions): Entry<V> | undefined {
    const { table } = this.#store;
    const value = this.get(key, options);
    if (value === undefined) return undefined;
    const slot = table.find(this.#scope.keyOf(key, options));
    return { value, version: table.version(slot), expiresAt: table.expiresAt(slot) || undefined };
  }

  getMulti(keys: Iterable<string>, options?: KeyOptions): Map<string, V> {
    checkOptions(options, KEY_OPTIONS);
    const found = new Map<string, V>();
    for (const key of keys) {
      const value = this.get(key, options);
      if (value !== undefined) found.set(key, value);
    }
    return found;
  }

  keys(options?: RangeOptions): IterableIterator<string> {
    return this.#visit(options, (_slot, key) => key);
  }

  values(options?: RangeOptions): IterableIterator<V> {
    return this.#visit(options, (slot, key) => this.#valueAt(slot, key));
  }

  entries(options?: RangeOptions): IterableIterator<[string, V]> {
    return this.#visit(options, (slot, key): [string, V] => [key, this.#valueAt(slot, key)]);
  }

  set(key: string, value: V, options?: SetOptions): Outcome<M, number> {
    const mistake = callMistake(options, SET_OPTIONS);
    if (mistake !== undefined) return this.#writer.refuse(mistake);
    return this.#writer.set(this.#scope, key, value, options);
  }

  setMulti(entries: EntriesInput<V>, options?: SetOptions): Outcome<M, number> {
    const mistake = callMistake(options, SET_OPTIONS);
    if (mistake !== undefined) return this.#writer.refuse(mistake);
    return this.#writer.setMulti(this.#scope, entries, options);
  }

  add(key: string, value: V, options?: SetOptions): Outcome<M, number | undefined> {
    return this.#decideWith(key, value, options, decideAdd);
  }

  replace(key: string, value: V, options?: SetOptions): Outcome<M, number | undefined> {
    return this.#decideWith(key, value, options, decideReplace);
  }

  cas(key: string, value: V, version: number, options?: SetOptions): Outcome<M, number | undefined> {
    return this.#decideWith(key, value, options, (current, stored, expiresAt) => {
      if (typeof version !== "number")
        throw new TypeError("cas takes the version that getEntry gave, a number");
      return decideCas(current, stored, version, expiresAt);
    });
  }

  update(
    key: string,
    fn: (value: V | undefined) => V | undefined,
    options?: SetOptions,
  ): Outcome<M, V | undefined> {
    return this.#decide(key, options, SET_OPTIONS, (current) => {
      if (typeof fn !== "function") throw new TypeError("update takes a function of the current value");
      const expiresAt = this.#expiry(options);
      return decideUpdate(current, fn(current?.value as V | undefined), expiresAt);
    }) as Outcome<M, V | undefined>;
  }

  incr(key: string, options?: IncrOptions): Outcome<M, CounterOf<V>> {
    return this.#count(key, 1, options);
  }

  decr(key: string, options?: IncrOptions): Outcome<M, CounterOf<V>> {
    return this.#count(key, -1, options);
  }

  delete(key: string, options?: KeyOptions): Outcome<M, boolean> {
    return this.#decide(key, options, KEY_OPTIONS, decideDelete);
  }

  deleteMulti(keys: Iterable<string>, options?: KeyOptions): Outcome<M, number> {
    const mistake = callMistake(options, KEY_OPTIONS);
    if (mistake !== undefined) return this.#writer.refuse(mistake);
    return this.#writer.deleteMulti(this.#scope, keys, options);
  }

  clear(options?: ClearOptions): Outcome<M, number> {
    const mistake = callMistake(options, CLEAR_OPTIONS);
    if (mistake !== undefined) return this.#writer.refuse(mistake);
    return this.#writer.clear(this.#scope, options);
  }

  touch(key: string, options?: SetOptions): Outcome<M, boolean> {
    return this.#decide(key, options, SET_OPTIONS, (current) =>
      decideTouch(current, this.#expiry(options) ?? 0),
    );
  }

  /**
   * A view of the keys with `prefix`, typed and with a value policy of its own. Namespaces of a namespace add up.
   * @throws TypeError or RangeError for what can be no part of a key
   */
  namespace<T = V>(prefix: string, options: NamespaceOptions = {}): NamespaceOf<T, M> {
    checkOptions(options, NAMESPACE_OPTIONS);
    const { values = this.#scope.values } = options;
    if (values !== "reference" && values !== "copied")
      throw new TypeError(`values must be "reference" or "copied"`);
    this.#store.checkKey(prefix);
    const scope = new Scope(this.#scope.prefix + prefix, values);
    return new View<T, M>(this.#store, this.#writer, scope) as unknown as NamespaceOf<T, M>;
  }

  /** The value is taken in, and the moment of expiry found, at the call: whatever the condition says later. */
  #decideWith(
    key: string,
    value: V,
    options: SetOptions | undefined,
    decide: (
      current: Current | undefined,
      stored: unknown,
      expiresAt: number,
    ) => Decision<number | undefined>,
  ): Outcome<M, number | undefined> {
    const prepare = (): { stored: unknown; expiresAt: number } => {
      const stored = this.#store.toStored(value, this.#scope.values);
      return { stored, expiresAt: this.#expiry(options) ?? 0 };
    };
    return this.#decide(
      key,
      options,
      SET_OPTIONS,
      (current, { stored, expiresAt }: ReturnType<typeof prepare>) => decide(current, stored, expiresAt),
      prepare,
    );
  }

  #decide<Result, Prepared = undefined>(
    key: string,
    options: KeyOptions | undefined,
    names: OptionNames,
    decide: (current: Current | undefined, prepared: Prepared) => Decision<Result>,
    prepare?: () => Prepared,
  ): Outcome<M, Result> {
    const mistake = callMistake(options, names);
    if (mistake !== undefined) return this.#writer.refuse(mistake);
    return this.#writer.decide(this.#scope, key, options, decide, prepare);
  }

  #count(key: string, sign: 1 | -1, options: IncrOptions | undefined): Outcome<M, CounterOf<V>> {
    return this.#decide(key, options, INCR_OPTIONS, (current) =>
      decideIncr(current, sign, options, this.#expiry(options)),
    ) as Outcome<M, CounterOf<V>>;
  }

  #expiry(options: SetOptions | undefined): number | undefined {
    return options === undefined ? undefined : expiryOf(options, this.#store.clock.now());
  }

  #valueAt(slot: number, key: string): V {
    return this.#store.fromStored(this.#store.table.value(slot), this.#scope.values, key) as V;
  }

  /** Checks at the call, visits as the iterator is asked. */
  #visit<Result>(
    options: RangeOptions | undefined,
    read: (slot: number, key: string) => Result,
  ): Generator<Result, void, undefined> {
    this.#store.checkReadable();
    checkOptions(options, RANGE_OPTIONS);
    const range = tableRange(this.#scope, options);
    const limit = checkLimit(options?.limit);
    const skip = this.#scope.prefixOf(options).length;
    const { table } = this.#store;
    const slots = range === undefined ? table.slots() : table.orderedSlots(range);
    return visit(slots, limit, (slot) => {
      this.#store.checkReadable();
      return read(slot, table.key(slot).slice(skip));
    });
  }
}

function* visit<Result>(
  slots: Iterable<number>,
  limit: number,
  read: (slot: number) => Result,
): Generator<Result, void, undefined> {
  let left = limit;
  if (left <= 0) return;
  for (const slot of slots) {
    yield read(slot);
    left -= 1;
    if (left <= 0) return;
  }
}
