/**
 * The write-through writer: each operation waits for its turn on its keys, decides on the last committed entry, has
 * the backend store the outcome, and only then changes memory. Every failure is a rejection that has changed nothing
 * (I8), or says that it may have.
 */

import { isLeakDBError, LeakDBError } from "../errors.js";
import { type Item, newItem } from "../queue/item.js";
import { asError } from "../thrown.js";
import { startWait } from "../wait.js";
import type { AdapterSession } from "../worker/adapter-session.js";
import { type Current, type Decision, expiryOf } from "./decisions.js";
import type { Place } from "./key-chains.js";
import type { ClearOptions, EntriesInput, KeyOptions, SetOptions } from "./operations.js";
import type { Scope } from "./scope.js";
import type { Store } from "./store.js";
import { clearedPrefix, currentOf } from "./sync-writer.js";
import { timedOut, type WriteThrough } from "./write-through.js";
import { pairsOf, UpdateGuard, type Writer } from "./writer.js";

/** No key is malformed, so this names the mutations of a `setMulti` together without meaning any key. */
const NO_KEY = "\ud800";

interface Change {
  readonly type: "put" | "delete";
  readonly key: string;
  readonly stored: unknown;
  readonly expiresAt: number;
}

export class ThroughWriter implements Writer<"promise"> {
  readonly #store: Store;
  readonly #through: WriteThrough;
  readonly #session: AdapterSession;
  readonly #writeTimeoutMs: number;
  readonly #batchMax: number;
  readonly #guard = new UpdateGuard();
  /** Keys of which the backend may hold something else than memory, after a `LEAKDB_PERHAPS_APPLIED`. */
  readonly #uncertain = new Set<string>();

  constructor(
    store: Store,
    through: WriteThrough,
    session: AdapterSession,
    options: { writeTimeoutMs: number; batchMax: number },
  ) {
    this.#store = store;
    this.#through = through;
    this.#session = session;
    this.#writeTimeoutMs = options.writeTimeoutMs;
    this.#batchMax = options.batchMax;
  }

  refuse(mistake: TypeError): Promise<never> {
    return Promise.reject(mistake);
  }

  async set(scope: Scope, key: string, value: unknown, options: SetOptions | undefined): Promise<number> {
    this.#store.checkWritable();
    const expiresAt = expiryOf(options, this.#store.clock.now()) ?? 0;
    const fullKey = scope.keyOf(key, options);
    const stored = this.#store.toStored(value, scope.values);
    this.#checkKey(fullKey);
    return this.#inTurn(this.#through.chains.enter([fullKey]), () =>
      this.#write([{ type: "put", key: fullKey, stored, expiresAt }]),
    );
  }

  async setMulti(
    scope: Scope,
    entries: EntriesInput<unknown>,
    options: SetOptions | undefined,
  ): Promise<number> {
    const expiresAt = expiryOf(options, this.#store.clock.now()) ?? 0;
    const changes = new Map<string, Change>();
    for (const [key, value] of pairsOf(entries)) {
      const fullKey = this.#checkedKey(scope, key, options);
      const stored = this.#store.toStored(value, scope.values);
      changes.set(fullKey, { type: "put", key: fullKey, stored, expiresAt });
    }
    this.#store.checkWritable();
    if (changes.size === 0) return this.#store.versions.last;
    if (changes.size > this.#batchMax) {
      throw new RangeError(
        `setMulti of ${changes.size} entries is more than one batch takes (batchMax ${this.#batchMax}): split it`,
      );
    }
    return this.#inTurn(this.#through.chains.enter(changes.keys()), () => this.#write([...changes.values()]));
  }

  async decide<Result, Prepared>(
    scope: Scope,
    key: string,
    options: KeyOptions | undefined,
    decide: (current: Current | undefined, prepared: Prepared) => Decision<Result>,
    prepare?: () => Prepared,
  ): Promise<Result> {
    const store = this.#store;
    const fullKey = this.#checkedKey(scope, key, options);
    const prepared = prepare?.() as Prepared;
    return this.#inTurn(this.#through.chains.enter([fullKey]), async () => {
      await this.#makeCertain([fullKey]);
      const decision = this.#guard.run(fullKey, () => decide(currentOf(store, scope, fullKey), prepared));
      if (decision.change === "none") return decision.result;
      if (decision.change === "delete") return decision.result(await this.#write([removal(fullKey)]));
      const given =
        decision.change === "put" ? store.toStored(decision.value, scope.values) : decision.stored;
      const stored = given === undefined ? store.table.value(store.table.find(fullKey)) : given;
      const { expiresAt } = decision;
      return decision.result(await this.#write([{ type: "put", key: fullKey, stored, expiresAt }]));
    });
  }

  async deleteMulti(scope: Scope, keys: Iterable<string>, options: KeyOptions | undefined): Promise<number> {
    const fullKeys = new Set<string>();
    for (const key of keys) fullKeys.add(this.#checkedKey(scope, key, options));
    this.#store.checkWritable();
    if (fullKeys.size === 0) return 0;
    return this.#inTurn(this.#through.chains.enter(fullKeys), async () => {
      await this.#makeCertain([...fullKeys]);
      const present = [...fullKeys].filter((key) => currentOf(this.#store, scope, key) !== undefined);
      for (let start = 0; start < present.length; start += this.#batchMax) {
        await this.#write(present.slice(start, start + this.#batchMax).map(removal));
      }
      return present.length;
    });
  }

  async clear(scope: Scope, options: ClearOptions | undefined): Promise<number> {
    this.#store.checkWritable();
    const { table, versions } = this.#store;
    const prefix = clearedPrefix(scope, options);
    this.#guard.checkPrefix(prefix);
    return this.#inTurn(this.#through.chains.enterPrefix(prefix), async () => {
      const date = this.#store.clock.now();
      const item = newItem({
        type: "clear",
        key: prefix,
        value: undefined,
        version: versions.next(),
        expiresAt: 0,
        date,
      });
      try {
        await this.#through.write(item);
      } catch (error) {
        if (mayBeApplied(error))
          for (const slot of table.orderedSlots({ prefix })) this.#uncertain.add(table.key(slot));
        throw error;
      }
      for (const key of this.#uncertain) if (key.startsWith(prefix)) this.#uncertain.delete(key);
      return table.clear(prefix);
    });
  }

  #checkedKey(scope: Scope, key: string, options: KeyOptions | undefined): string {
    this.#store.checkWritable();
    const fullKey = scope.keyOf(key, options);
    this.#checkKey(fullKey);
    return fullKey;
  }

  #checkKey(fullKey: string): void {
    this.#store.checkKey(fullKey);
    this.#guard.check(fullKey);
  }

  /** Runs an operation once it is at the head of its chains. @throws LEAKDB_QUEUE_FULL, LEAKDB_TIMEOUT */
  #inTurn<Result>(place: Place, operation: () => Promise<Result>): Promise<Result> {
    const answer = this.#awaitTurn(place, operation);
    this.#through.track(answer);
    return answer;
  }

  async #awaitTurn<Result>(place: Place, operation: () => Promise<Result>): Promise<Result> {
    const { backpressure } = this.#through;
    const leave = (): void => {
      place.leave();
      backpressure.remove();
    };
    try {
      backpressure.admit(1);
    } catch (error) {
      // Whoever joined the chain behind waits for those before this one too.
      void Promise.resolve(place.ready).then(place.leave);
      throw error;
    }
    backpressure.add();
    if (place.ready !== undefined) {
      const timeoutMs = this.#writeTimeoutMs;
      const wait = startWait({
        clock: this.#store.clock,
        timeoutMs,
        timeoutError: () => timedOut(timeoutMs),
      });
      void place.ready.then(wait.resolve);
      try {
        await wait.promise;
      } catch (error) {
        void place.ready.then(leave);
        throw error;
      }
    }
    try {
      return await operation();
    } finally {
      leave();
    }
  }

  /** Has the changes stored, as one mutation each in one batch, then makes them in memory; the last version. */
  async #write(changes: readonly Change[]): Promise<number> {
    const { versions, clock } = this.#store;
    const date = clock.now();
    const items = changes.map(({ type, key, stored, expiresAt }) =>
      newItem({ type, key, value: stored, version: versions.next(), expiresAt, date }),
    );
    const item = items.length === 1 ? (items[0] as Item) : together(items);
    try {
      await this.#through.write(item);
    } catch (error) {
      if (mayBeApplied(error)) for (const { key } of changes) this.#uncertain.add(key);
      const applied = new Set(isLeakDBError(error) ? error.applied : []);
      for (const [index, change] of changes.entries()) {
        if (applied.has(change.key)) this.#commit(change, (items[index] as Item).version);
      }
      throw error;
    }
    for (const [index, change] of changes.entries()) this.#commit(change, (items[index] as Item).version);
    return item.version;
  }

  #commit({ type, key, stored, expiresAt }: Change, version: number): void {
    const { table } = this.#store;
    this.#uncertain.delete(key);
    const known = table.find(key);
    if (type === "put") table.put(known >= 0 ? known : table.insert(key), stored, version, expiresAt);
    else if (known >= 0) table.remove(known, version);
  }

  /**
   * After an ambiguous failure the backend says what it holds, and is made to hold it with a new version, before
   * anybody decides on it.
   */
  async #makeCertain(keys: readonly string[]): Promise<void> {
    const uncertain = this.#uncertain.size === 0 ? [] : keys.filter((key) => this.#uncertain.has(key));
    if (uncertain.length === 0) return;
    let records: Awaited<ReturnType<AdapterSession["load"]>>;
    try {
      await this.#session.ready();
      records = await this.#session.load(uncertain);
    } catch (cause) {
      const message = `what the backend holds for the key is not known, and it does not say: ${asError(cause).message}`;
      throw new LeakDBError("LEAKDB_ADAPTER_UNAVAILABLE", message, { cause });
    }
    const changes = uncertain.map((key, index): Change => {
      const record = records[index];
      if (record === undefined) return removal(key);
      const stored = this.#store.fromBackend(record.value, key);
      return { type: "put", key, stored, expiresAt: record.expiresAt };
    });
    for (let start = 0; start < changes.length; start += this.#batchMax) {
      await this.#write(changes.slice(start, start + this.#batchMax));
    }
  }
}

function removal(key: string): Change {
  return { type: "delete", key, stored: undefined, expiresAt: 0 };
}

/** One item for several mutations, so that they share a batch. */
function together(items: readonly Item[]): Item {
  const [first, last] = [items[0] as Item, items[items.length - 1] as Item];
  const { version, date } = last;
  const firstVersion = first.version;
  return newItem({
    type: "put",
    key: NO_KEY,
    value: undefined,
    version,
    expiresAt: 0,
    date,
    firstVersion,
    parts: items,
  });
}

function mayBeApplied(error: unknown): boolean {
  return isLeakDBError(error) && error.code === "LEAKDB_PERHAPS_APPLIED";
}
