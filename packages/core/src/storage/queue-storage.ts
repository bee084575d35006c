/**
 * Memory, and a queue that your own worker consumes: every mutation is an item that `workerProcess` is given, at
 * least once, in the order of its key. Items wait in memory alone, unless it is opened with a journal: then what a crash
 * or a close left undone reaches the worker after the next opening.
 */

import type {
  ProcessSinkOptions,
  QueueItem,
  WorkerContext,
  WorkerProcess,
  WorkerProcessBatch,
} from "../worker/process-sink.js";
import { type Engine, openQueue, queueEngine } from "./engine.js";
import { Lifecycle } from "./lifecycle.js";
import type { Reads, Writes } from "./operations.js";
import type { JournaledOptions, MemoryOptions, QueueOptions } from "./options.js";

export interface QueueStorageOptions<V = unknown> extends MemoryOptions, QueueOptions, JournaledOptions {
  /** Or override the method of the same name. */
  workerProcess?: WorkerProcess<V> | undefined;
  /** Or override the method of the same name; used instead of `workerProcess`. */
  workerProcessBatch?: WorkerProcessBatch<V> | undefined;
}

/** What `open` hands to the constructor, by way of the options: a subclass has a constructor of its own. */
const OPENED = Symbol("opened");

interface Opened {
  readonly engine: Engine<"sync">;
  readonly worker: ProcessSinkOptions["worker"];
  isTaken: boolean;
}

export class QueueStorage<V = unknown> extends Lifecycle<V, "sync"> implements Reads<V>, Writes<V> {
  readonly #options: QueueStorageOptions<V>;

  /** @throws TypeError or RangeError for options that make no sense, without any worker, and for a journal, which `open` takes */
  constructor(options: QueueStorageOptions<V> = {}) {
    const isBatch = takesBatches(options, new.target.prototype);
    const opened = (options as { [OPENED]?: Opened })[OPENED];
    const worker = opened?.worker ?? {};
    super(opened?.engine ?? queueEngine(options, worker, isBatch));
    if (opened !== undefined) opened.isTaken = true;
    this.#options = options;
    worker.process = (item, context) => this.workerProcess(item as QueueItem<V>, context);
    if (isBatch) {
      worker.processBatch = (items, context) =>
        this.workerProcessBatch(items as readonly QueueItem<V>[], context);
    }
  }

  /**
   * As `new`; with a journal, reads that first, and the worker is given what was left undone. Called on a subclass it opens
   * one of that, whose constructor must hand its options on.
   * @throws as the constructor; LEAKDB_OPEN_FAILED, LEAKDB_LOCKED, LEAKDB_CORRUPTION, LEAKDB_DECODE_FAILED, and
   *   nothing stays open
   */
  static async open<V = unknown>(options: QueueStorageOptions<V>): Promise<QueueStorage<V>> {
    // biome-ignore lint/complexity/noThisInStatic: called on a subclass, it opens one of that.
    return openOne<V>(this, options ?? {});
  }

  /**
   * Called with each item. True takes it away; false or a throw delivers it again, after a backoff and before newer
   * items of its key, until it has failed `retry.maxAttempts` times and is a dead letter.
   */
  workerProcess(item: QueueItem<V>, context: WorkerContext): boolean | Promise<boolean> {
    const { workerProcess } = this.#options;
    if (workerProcess === undefined) throw new TypeError("this QueueStorage has no workerProcess");
    return workerProcess(item, context);
  }

  /** Called with a batch, each key in it once. True takes all away; an array of booleans says so for each. */
  workerProcessBatch(
    items: readonly QueueItem<V>[],
    context: WorkerContext,
  ): boolean | readonly boolean[] | Promise<boolean | readonly boolean[]> {
    const { workerProcessBatch } = this.#options;
    if (workerProcessBatch === undefined) throw new TypeError("this QueueStorage has no workerProcessBatch");
    return workerProcessBatch(items, context);
  }
}

/** Whether the worker takes batches, as an option or an override. @throws TypeError without any worker */
function takesBatches<V>(options: QueueStorageOptions<V>, prototype: QueueStorage<V>): boolean {
  for (const name of ["workerProcess", "workerProcessBatch"] as const) {
    if (options[name] !== undefined && typeof options[name] !== "function")
      throw new TypeError(`${name} must be a function`);
  }
  const isGiven = (name: "workerProcess" | "workerProcessBatch"): boolean =>
    options[name] !== undefined || prototype[name] !== QueueStorage.prototype[name];
  const isBatch = isGiven("workerProcessBatch");
  if (isBatch || isGiven("workerProcess")) return isBatch;
  throw new TypeError("QueueStorage needs workerProcess or workerProcessBatch, as an option or an override");
}

/** Opens the journal, if any, then makes the storage, by whatever constructor it has. */
async function openOne<V>(
  Storage: typeof QueueStorage,
  options: QueueStorageOptions<V>,
): Promise<QueueStorage<V>> {
  if (options.journal === undefined) return new Storage<V>(options);
  const worker: ProcessSinkOptions["worker"] = {};
  const engine = await openQueue(options, worker, takesBatches(options, Storage.prototype));
  const opened: Opened = { engine, worker, isTaken: false };
  try {
    const storage = new Storage<V>({ ...options, [OPENED]: opened } as QueueStorageOptions<V>);
    if (opened.isTaken) return storage;
    throw new TypeError(
      "the constructor of a subclass of QueueStorage must hand its options on: super(options)",
    );
  } catch (error) {
    await engine.journal?.close(false);
    throw error;
  }
}
