/**
 * The operations every storage offers, written once: {@link Reads} and {@link Writes}. Three storages change memory
 * synchronously and are `Reads<V> & Writes<V>`; `PersistentStorage` is `Reads<V> & Promised<Writes<V>>`.
 *
 * Keys are non-empty well-formed strings of at most 1,024 UTF-8 bytes with their prefix; any other is a `TypeError`
 * or `RangeError` before anything changes. `undefined`, functions and symbols are not values (`TypeError`);
 * `null`, `0`, `""` and `false` are. A miss is `undefined`, never an error.
 *
 * After `close` every mutator throws `LEAKDB_CLOSED`; reads do so once the closing has ended.
 */

/** Put before the key, as LeakDB's `key_prefix`: `{ keyPrefix: "test_" }` makes `"foo"` the key `"test_foo"`. */
export interface KeyOptions {
  keyPrefix?: string | undefined;
}

/** At most one of the two. Without either an entry never expires, and a plain `set` clears an older TTL. */
export interface ExpiryOptions {
  /** Milliseconds from now, greater than 0. */
  ttl?: number | undefined;
  /** Milliseconds since 1970; a moment that has passed makes the entry absent at once. */
  expiresAt?: number | undefined;
}

export interface SetOptions extends KeyOptions, ExpiryOptions {}

export interface IncrOptions extends KeyOptions, ExpiryOptions {
  /** What is added, or by `decr` taken away; a finite number or a bigint. Default 1. */
  delta?: number | bigint | undefined;
  /** What a missing key is set to, without `delta`. Default: a missing key counts as 0. */
  initialValue?: number | bigint | undefined;
}

export interface ClearOptions extends KeyOptions {
  /** Only keys that start with this. Default: all keys. */
  prefix?: string | undefined;
}

/** A range of keys in the order of their UTF-8 bytes. Without any of these, the order is unspecified. */
export interface RangeOptions extends KeyOptions {
  prefix?: string | undefined;
  gt?: string | undefined;
  gte?: string | undefined;
  lt?: string | undefined;
  lte?: string | undefined;
  /** From the last key to the first. Default false. */
  reverse?: boolean | undefined;
  /** The most keys visited, a non-negative integer. Default: no limit. */
  limit?: number | undefined;
}

export interface Entry<V> {
  value: V;
  /** Microseconds since 1970, made strictly increasing: see `storage.version`. */
  version: number;
  /** Milliseconds since 1970, or `undefined` when the entry never expires. */
  expiresAt: number | undefined;
}

/** What `setMulti` takes: a `Map`, an iterable of pairs, or an object's own enumerable string keys. */
export type EntriesInput<V> = Iterable<readonly [string, V]> | Readonly<Record<string, V>>;

/** What `incr` returns for values of type `V`: `number` for a store of numbers, both kinds where `V` says neither. */
export type CounterOf<V> = [Extract<V, number | bigint>] extends [never]
  ? number | bigint
  :
      | ([Extract<V, number>] extends [never] ? never : number)
      | ([Extract<V, bigint>] extends [never] ? never : bigint);

export interface Reads<V> {
  get(key: string, options?: KeyOptions): V | undefined;
  has(key: string, options?: KeyOptions): boolean;
  getEntry(key: string, options?: KeyOptions): Entry<V> | undefined;
  /** The present keys alone, without their prefix. */
  getMulti(keys: Iterable<string>, options?: KeyOptions): Map<string, V>;
  /**
   * Iterators over live entries, without `keyPrefix` on the keys. Weakly consistent: a key added after the call is
   * never visited, one deleted meanwhile is not either, and a changed value is seen as it is when visited.
   */
  keys(options?: RangeOptions): IterableIterator<string>;
  values(options?: RangeOptions): IterableIterator<V>;
  entries(options?: RangeOptions): IterableIterator<[string, V]>;
}

export interface Writes<V> {
  /** Sets the value and returns its version. */
  set(key: string, value: V, options?: SetOptions): number;
  /** All or none: everything is validated first. Returns the last version; the current one for no entries. */
  setMulti(entries: EntriesInput<V>, options?: SetOptions): number;
  /** Sets the value if the key is absent; the version, or `undefined` when it is present. */
  add(key: string, value: V, options?: SetOptions): number | undefined;
  /** Sets the value if the key is present; the version, or `undefined` when it is absent. */
  replace(key: string, value: V, options?: SetOptions): number | undefined;
  /** Sets the value if the entry's version is still `version`; the new version, or `undefined`. */
  cas(key: string, value: V, version: number, options?: SetOptions): number | undefined;
  /**
   * Sets what `fn` makes of the current value (`undefined` for a miss) and returns it; when `fn` returns
   * `undefined` nothing changes and the result is `undefined`. The TTL is kept unless a new one is given.
   * @throws TypeError when `fn` returns a promise or changes the same key.
   */
  update(key: string, fn: (value: V | undefined) => V | undefined, options?: SetOptions): V | undefined;
  /**
   * Adds `delta` and returns the new number (or bigint). A missing key is set to `initialValue` without `delta`,
   * else counts as 0. The TTL is given when the key is made and kept by later calls.
   * @throws TypeError when the value, or a mix of number and bigint, can't be added.
   * @throws RangeError when a result leaves the safe integers.
   */
  incr(key: string, options?: IncrOptions): CounterOf<V>;
  /** `incr` with `delta` taken away. */
  decr(key: string, options?: IncrOptions): CounterOf<V>;
  /** True when the key was present. */
  delete(key: string, options?: KeyOptions): boolean;
  /** How many of the keys were present. */
  deleteMulti(keys: Iterable<string>, options?: KeyOptions): number;
  /** Deletes every key, or every key with the prefix, as one mutation; the count of them. */
  clear(options?: ClearOptions): number;
  /** Gives the entry a new expiry, or none when no option says one; false when the key is absent. */
  touch(key: string, options?: SetOptions): boolean;
}

/** The same methods, each answering with a promise. */
export type Promised<T> = {
  [Name in keyof T]: T[Name] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Promise<Result>
    : never;
};
