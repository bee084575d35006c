/**
 * Memory, and a queue that your own worker consumes: every mutation is an item that `workerProcess` is given, at
 * least once, in the order of its key. Items wait in memory alone; they do not survive the process.
 */

import type {
  ProcessSinkOptions,
  QueueItem,
  WorkerContext,
  WorkerProcess,
  WorkerProcessBatch,
} from "../worker/process-sink.js";
import { queueEngine } from "./engine.js";
import { Lifecycle } from "./lifecycle.js";
import type { Reads, Writes } from "./operations.js";
import type { MemoryOptions, QueueOptions } from "./options.js";

export interface QueueStorageOptions<V = unknown> extends MemoryOptions, QueueOptions {
  /** Or override the method of the same name. */
  workerProcess?: WorkerProcess<V> | undefined;
  /** Or override the method of the same name; used instead of `workerProcess`. */
  workerProcessBatch?: WorkerProcessBatch<V> | undefined;
}

export class QueueStorage<V = unknown> extends Lifecycle<V, "sync"> implements Reads<V>, Writes<V> {
  readonly #options: QueueStorageOptions<V>;

  /** @throws TypeError or RangeError for options that make no sense, or without any worker */
  constructor(options: QueueStorageOptions<V> = {}) {
    const worker: ProcessSinkOptions["worker"] = {};
    const { prototype } = new.target;
    const isBatch =
      options.workerProcessBatch !== undefined ||
      prototype.workerProcessBatch !== QueueStorage.prototype.workerProcessBatch;
    const isSingle =
      options.workerProcess !== undefined || prototype.workerProcess !== QueueStorage.prototype.workerProcess;
    for (const name of ["workerProcess", "workerProcessBatch"] as const) {
      if (options[name] !== undefined && typeof options[name] !== "function")
        throw new TypeError(`${name} must be a function`);
    }
    if (!isBatch && !isSingle) {
      throw new TypeError(
        "QueueStorage needs workerProcess or workerProcessBatch, as an option or an override",
      );
    }
    super(queueEngine(options, worker, isBatch));
    this.#options = options;
    worker.process = (item, context) => this.workerProcess(item as QueueItem<V>, context);
    if (isBatch) {
      worker.processBatch = (items, context) =>
        this.workerProcessBatch(items as readonly QueueItem<V>[], context);
    }
  }

  /** As `new`, for code that treats all storages alike. */
  static async open<V = unknown>(options: QueueStorageOptions<V>): Promise<QueueStorage<V>> {
    return new QueueStorage<V>(options);
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
