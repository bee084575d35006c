/**
 * What every storage has beside its data: versions, statistics, barriers, dead letters, backpressure, events and the
 * close. A storage is a view of all its keys with a lifecycle.
 */

import { LeakDBError } from "../errors.js";
import type { Item } from "../queue/item.js";
import type { DeadLetter, Unwritten } from "../reports.js";
import { startWait, type WaitOptions } from "../wait.js";
import {
  CLOSE_OPTIONS,
  checkOptions,
  FLUSH_OPTIONS,
  PERSISTED_OPTIONS,
  WAIT_OPTIONS,
} from "./call-options.js";
import type { Engine } from "./engine.js";
import type { StorageEvents, StorageListener } from "./events.js";
import type { KeyOptions } from "./operations.js";
import { type DurabilityLevel, duration } from "./options.js";
import { Scope } from "./scope.js";
import { type StorageStats, statsOf } from "./stats.js";
import { closedError } from "./store.js";
import { unwrittenOf } from "./unwritten.js";
import { View } from "./view.js";
import type { Mode } from "./writer.js";

export interface WaitingOptions {
  /** Milliseconds until `LEAKDB_TIMEOUT`; `Infinity` waits for ever. Default: the storage's `flushTimeout`. */
  timeout?: number | undefined;
  /** Ends the waiting, not the write: the promise rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

export interface PersistedOptions extends WaitingOptions, KeyOptions {
  /** Wait for this key's writes alone. */
  key?: string | undefined;
}

export interface FlushOptions extends WaitingOptions {
  /** Wait for what was written up to this version. Default: everything. */
  upTo?: number | undefined;
  /** Default `"stored"`; `"memory"` where there is nothing else. */
  level?: DurabilityLevel | undefined;
}

export interface CloseOptions {
  /** Milliseconds for draining. Default: the storage's `flushTimeout`. */
  timeout?: number | undefined;
}

export abstract class Lifecycle<V, M extends Mode> extends View<V, M> {
  readonly #engine: Engine<M>;
  #closing: Promise<void> | undefined;
  /** How `persisted` waits when not told otherwise. */
  #persistedWait: WaitOptions | undefined;

  constructor(engine: Engine<M>) {
    // From JavaScript alone: the constructor of a storage with a backend is private.
    if (engine === undefined)
      throw new TypeError("this storage has a backend to open: use await open(options)");
    super(engine.store, engine.writer, new Scope("", engine.store.values));
    this.#engine = engine;
  }

  /** Live entries. */
  get size(): number {
    return this.#engine.store.table.size;
  }

  /** The last version issued, or read at the opening. */
  get version(): number {
    return this.#engine.store.versions.last;
  }

  /** True while more keys wait than the high-water mark: `await drained()` before writing more. */
  get needDrain(): boolean {
    return this.#engine.pipeline?.backpressure.needDrain ?? false;
  }

  stats(): StorageStats {
    return statsOf(this.#engine);
  }

  /** `foobar.db 12288 bytes :: 3 items in queue :: 3 items in storage memory` */
  override toString(): string {
    const { name, session, pipeline } = this.#engine;
    const parts = [session === undefined ? name : `${name} ${session.bytes} bytes`];
    if (pipeline !== undefined) parts.push(`${pipeline.backpressure.depth} items in queue`);
    parts.push(`${this.size} items in storage memory`);
    return parts.join(" :: ");
  }

  /**
   * Resolves when the write with this version, and all before it, have reached `level` (default `"stored"`, in
   * `DefaultStorage` `"memory"`); with `key`, that key's writes alone. Does not make anything due: see `flush`.
   * @throws LEAKDB_FLUSH_FAILED while a dead letter it covers stands, LEAKDB_TIMEOUT, LEAKDB_NOT_SUPPORTED
   */
  persisted(version: number, level?: DurabilityLevel, options?: PersistedOptions): Promise<void> {
    try {
      return this.#persisted(version, level ?? this.#levelDefault(), options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Makes everything due at once and resolves when what was written up to `upTo` has reached `level`.
   * @throws as `persisted`
   */
  async flush(options: FlushOptions = {}): Promise<void> {
    checkOptions(options, FLUSH_OPTIONS);
    const { upTo = this.version, level = this.#levelDefault() } = options;
    this.#checkVersion(upTo);
    const { pipeline, journal } = this.#engine;
    const wait = this.#waitOptions(options, "flush");
    options.signal?.throwIfAborted();
    this.#checkLevel(level);
    // A journal that promises nothing is at least written, for the crash of the process.
    if (level === "journaled" || (level === "memory" && level === this.#levelDefault()))
      await journal?.flush(upTo, wait);
    else if (level !== "memory") await pipeline?.flush({ version: upTo, synced: level === "synced" }, wait);
  }

  /** The mutations that will not be stored by themselves; each can be retried or discarded. */
  deadLetters(): DeadLetter[] {
    return this.#engine.pipeline?.deadLetters() ?? [];
  }

  /**
   * Resolves once `needDrain` is false. A worker of `QueueStorage` must not await it: it is what makes the room.
   * @throws LEAKDB_TIMEOUT
   */
  async drained(options: WaitingOptions = {}): Promise<void> {
    checkOptions(options, WAIT_OPTIONS);
    const wait = this.#waitOptions(options, "drained");
    options.signal?.throwIfAborted();
    await this.#engine.pipeline?.backpressure.drained(wait);
  }

  /**
   * Resolves once nothing waits any more, what was written meanwhile included: for queues whose workers add to them.
   * Dead letters do not wait. Makes nothing due.
   * @throws LEAKDB_TIMEOUT
   */
  async idle(options: WaitingOptions = {}): Promise<void> {
    checkOptions(options, WAIT_OPTIONS);
    const wait = this.#waitOptions(options, "idle");
    options.signal?.throwIfAborted();
    await this.#engine.pipeline?.backpressure.idle(wait);
  }

  /**
   * Refuses mutators from the call on, drains, syncs, closes the backend, and refuses reads from then on. Idempotent.
   * @throws LEAKDB_CLOSE_INCOMPLETE with `unwritten`, the mutations that were not stored, when the time is over or
   *   dead letters stand
   */
  close(options: CloseOptions = {}): Promise<void> {
    if (this.#closing === undefined) {
      // A bad option must not leave the storage half closed.
      checkOptions(options, CLOSE_OPTIONS);
      const wait = this.#waitOptions(options, "close");
      this.#closing = this.#close(wait);
    }
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  on<Name extends keyof StorageEvents>(name: Name, listener: StorageListener<Name>): this {
    this.#engine.events.on(name, listener);
    return this;
  }

  once<Name extends keyof StorageEvents>(name: Name, listener: StorageListener<Name>): this {
    this.#engine.events.once(name, listener);
    return this;
  }

  off<Name extends keyof StorageEvents>(name: Name, listener: StorageListener<Name>): this {
    this.#engine.events.off(name, listener);
    return this;
  }

  #persisted(version: number, level: DurabilityLevel, options?: PersistedOptions): Promise<void> {
    checkOptions(options, PERSISTED_OPTIONS);
    this.#checkVersion(version);
    this.#checkLevel(level);
    // Whoever awaits thousands a second gives no options: these are made once.
    this.#persistedWait ??= this.#waitOptions({}, "persisted");
    const wait = options === undefined ? this.#persistedWait : this.#waitOptions(options, "persisted");
    const key = options?.key === undefined ? undefined : this.#keyOf(options.key, options);
    options?.signal?.throwIfAborted();
    const { pipeline, journal } = this.#engine;
    const barriers = level === "journaled" ? journal?.barriers : pipeline?.barriers;
    if (level === "memory" || barriers === undefined) return Promise.resolve();
    return barriers.wait({ version, key, synced: level === "synced" }, wait);
  }

  async #close(wait: WaitOptions): Promise<void> {
    const { store, pipeline, journal, session, events } = this.#engine;
    store.isClosing = true;
    let unwritten: Unwritten[] = [];
    let cause: unknown;
    const deadline = startWait(wait);
    const drained = pipeline === undefined ? Promise.resolve() : this.#drain(pipeline);
    const onFault = (error: unknown): void => events.emit("fault", error as Error);
    drained.catch(() => undefined);
    try {
      await Promise.race([drained, deadline.promise]);
    } catch (error) {
      cause = error;
    }
    if (pipeline !== undefined) {
      // Whatever is not stored now is given back; what is in flight may still be stored, and is given back too.
      const stopped = pipeline.stop();
      // A lane may be waiting for a backend that never comes back: it would keep all that is held here for ever.
      session?.giveUp();
      pipeline.barriers.end(closedError());
      journal?.barriers.end(closedError());
      // What is given back would count as settled, and the journal is to keep it.
      journal?.stopTrimming();
      unwritten = pipeline.unwritten().flatMap((item: Item) => unwrittenOf(item, store));
      // What the backend has, the journal need not keep; without a backend it is all there is.
      const isEmptied =
        unwritten.length === 0 && cause === undefined && pipeline.barriers !== journal?.barriers;
      const ended = stopped.then(() => session?.close()).finally(() => journal?.close(isEmptied));
      ended.catch(onFault);
      await Promise.race([ended, deadline.promise]).catch((error: unknown) => {
        cause ??= error;
      });
    }
    deadline.resolve();
    store.close();
    events.emit("close");
    if (unwritten.length === 0 && cause === undefined) return;
    throw closeIncomplete(unwritten, cause, journal?.holdsAll ?? false);
  }

  async #drain(pipeline: NonNullable<Engine<M>["pipeline"]>): Promise<void> {
    const { session, store } = this.#engine;
    const unlimited = {
      clock: store.clock,
      timeoutMs: Infinity,
      timeoutError: () => new Error("no deadline"),
    };
    const synced = session?.adapter.capabilities.levels.includes("synced") ?? false;
    await pipeline.flush({ version: this.version, synced }, unlimited);
  }

  /** Where there is no backend, memory is as far as anything goes. */
  #levelDefault(): DurabilityLevel {
    return this.#engine.levels[0] ?? "memory";
  }

  /** @throws LEAKDB_NOT_SUPPORTED, TypeError */
  #checkLevel(level: DurabilityLevel): void {
    const { levels } = this.#engine;
    if (level === "memory" || levels.includes(level)) return;
    if (level !== "journaled" && level !== "stored" && level !== "synced") {
      throw new TypeError('level must be "memory", "journaled", "stored" or "synced"');
    }
    const known = ["memory", ...levels].join(", ");
    throw new LeakDBError("LEAKDB_NOT_SUPPORTED", `this storage has no level "${level}", only: ${known}`);
  }

  #keyOf(key: string, options: KeyOptions): string {
    const { store } = this.#engine;
    const fullKey = new Scope("", store.values).keyOf(key, options);
    store.checkKey(fullKey);
    return fullKey;
  }

  #checkVersion(version: number): void {
    if (typeof version !== "number") throw new TypeError("version must be a number, as set returns it");
    if (!(version >= 0 && version <= this.version)) {
      throw new RangeError("version must be one that this storage has issued");
    }
  }

  #waitOptions(options: WaitingOptions, name: string): WaitOptions {
    const { clock } = this.#engine.store;
    const timeoutMs = duration("timeout", options.timeout, this.#engine.flushTimeoutMs);
    const timeoutError = (): LeakDBError => {
      const waiting = this.#engine.pipeline?.backpressure.depth ?? 0;
      const future = this.#engine.store.isClosing ? "" : ". They are still tried";
      const message = `${name} did not end within ${timeoutMs} ms: ${waiting} mutations wait${future}`;
      return new LeakDBError("LEAKDB_TIMEOUT", message);
    };
    return { clock, timeoutMs, signal: options.signal, timeoutError };
  }
}

function closeIncomplete(unwritten: Unwritten[], cause: unknown, isJournaled: boolean): LeakDBError {
  const wayOut = isJournaled
    ? "the journal keeps them for the next opening"
    : "to be written elsewhere or again";
  const message =
    unwritten.length === 0
      ? "everything was stored, but the backend did not sync or close: see the cause"
      : `${unwritten.length} mutation${unwritten.length === 1 ? " was" : "s were"} not stored before the close ` +
        `ended: "unwritten" of this error has them, ${wayOut}`;
  return new LeakDBError("LEAKDB_CLOSE_INCOMPLETE", message, { cause, unwritten });
}
