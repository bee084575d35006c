/**
 * The sink of `QueueStorage`: hands items to the user's worker, one after the other or a batch at a time. True takes
 * the item away; false, a throw or silence is a failed attempt of that item, and never of another.
 */

import { AdapterError } from "../adapter.js";
import type { Clock } from "../clock.js";
import { LeakDBError } from "../errors.js";
import type { Item } from "../queue/item.js";
import { asError } from "../thrown.js";
import { startWait } from "../wait.js";
import type { Failed, Sink, SinkResult } from "./sink.js";

/** One mutation as the user's worker sees it. */
export interface QueueItem<V = unknown> {
  readonly operation: "put" | "delete" | "clear";
  /** The key; of a clear, its prefix. */
  readonly key: string;
  /** The value that was set; `undefined` for deletes and clears. */
  readonly value: V | undefined;
  readonly version: number;
  /** When the mutation was made. */
  readonly date: Date;
}

export interface WorkerContext {
  /** 1 the first time an item is delivered; of a batch, the highest of its items. */
  readonly attempt: number;
  /** Aborted when `writeTimeout` is over: the item counts as failed then and is delivered again. */
  readonly signal: AbortSignal;
}

/** True takes the item away. */
export type WorkerProcess<V = unknown> = (
  item: QueueItem<V>,
  context: WorkerContext,
) => boolean | Promise<boolean>;

/** True takes all items away; an array says so for each. */
export type WorkerProcessBatch<V = unknown> = (
  items: readonly QueueItem<V>[],
  context: WorkerContext,
) => boolean | readonly boolean[] | Promise<boolean | readonly boolean[]>;

export interface ProcessSinkOptions {
  readonly clock: Clock;
  readonly writeTimeoutMs: number;
  /** The value as the worker is to see it. */
  readonly read: (stored: unknown, key: string) => unknown;
  readonly worker: { process?: WorkerProcess | undefined; processBatch?: WorkerProcessBatch | undefined };
  /** A batch has been handed over and answered. */
  readonly onWritten: () => void;
}

export class ProcessSink implements Sink {
  readonly #options: ProcessSinkOptions;

  constructor(options: ProcessSinkOptions) {
    this.#options = options;
  }

  prepare(): number {
    return 0;
  }

  ready(): undefined {
    return undefined;
  }

  recover(): Promise<void> {
    return Promise.resolve();
  }

  isUp(): Promise<boolean> {
    return Promise.resolve(false);
  }

  async write(batch: readonly Item[]): Promise<SinkResult> {
    const { processBatch } = this.#options.worker;
    const result =
      processBatch === undefined ? await this.#each(batch) : await this.#together(batch, processBatch);
    this.#options.onWritten();
    return result;
  }

  /** The lane hands over one item at a time then, so that each is settled when it is done. */
  async #each(batch: readonly Item[]): Promise<SinkResult> {
    const failed: Failed[] = [];
    for (const [index, item] of batch.entries()) {
      const error = await this.#one(item);
      if (error !== undefined) failed.push({ index, error });
    }
    return { failed };
  }

  /** Why the item is not done, if it is not. */
  async #one(item: Item): Promise<Error | undefined> {
    const { process } = this.#options.worker;
    try {
      if (process === undefined)
        throw new TypeError("give QueueStorage a workerProcess, as an option or an override");
      const answer = await this.#call(item.attempts + 1, (context) =>
        process(this.#queueItem(item), context),
      );
      return answer === true ? undefined : refusal("workerProcess", answer);
    } catch (error) {
      return asError(error);
    }
  }

  async #together(batch: readonly Item[], processBatch: WorkerProcessBatch): Promise<SinkResult> {
    const attempt = Math.max(...batch.map((item) => item.attempts)) + 1;
    const items = batch.map((item) => this.#queueItem(item));
    try {
      const answer = await this.#call(attempt, (context) => processBatch(items, context));
      if (answer === true) return {};
      if (!Array.isArray(answer)) throw refusal("workerProcessBatch", answer);
      if (answer.length !== batch.length) {
        throw new TypeError(`workerProcessBatch answered ${answer.length} of ${batch.length} items`);
      }
      const indexes = [...answer.keys()].filter((index) => answer[index] !== true);
      return {
        failed: indexes.map((index) => ({ index, error: refusal("workerProcessBatch", answer[index]) })),
      };
    } catch (error) {
      const reason = asError(error);
      if (batch.length === 1) return { failed: [{ index: 0, error: reason }] };
      // Which item is at fault is found by halving.
      throw new AdapterError(reason.message, { kind: "transient", cause: reason });
    }
  }

  /** Calls the worker with a deadline, which costs nothing when it answers at once. */
  async #call<Answer>(
    attempt: number,
    start: (context: WorkerContext) => Answer | Promise<Answer>,
  ): Promise<Answer> {
    let controller: AbortController | undefined;
    let timeout: unknown;
    const context: WorkerContext = {
      attempt,
      get signal() {
        controller ??= new AbortController();
        if (timeout !== undefined) controller.abort(timeout);
        return controller.signal;
      },
    };
    const answer = start(context);
    if (typeof (answer as { then?: unknown } | undefined)?.then !== "function") return answer as Answer;
    const { clock, writeTimeoutMs } = this.#options;
    const timeoutError = (): Error =>
      new LeakDBError(
        "LEAKDB_TIMEOUT",
        `the worker did not answer within writeTimeout, ${writeTimeoutMs} ms`,
      );
    const wait = startWait({ clock, timeoutMs: writeTimeoutMs, timeoutError });
    wait.promise.catch((error: unknown) => {
      timeout = error;
      controller?.abort(error);
    });
    try {
      return (await Promise.race([answer, wait.promise])) as Answer;
    } finally {
      wait.resolve();
    }
  }

  #queueItem(item: Item): QueueItem {
    const { type, key, version } = item;
    const value = type === "put" ? this.#options.read(item.value, key) : undefined;
    return { operation: type, key, value, version, date: new Date(item.date) };
  }
}

function refusal(name: string, answer: unknown): Error {
  if (answer === false) return new Error(`${name} returned false`);
  if (answer === undefined)
    return new TypeError(`${name} returned nothing: return true once the item is done`);
  return new TypeError(`${name} must return true or false, not ${answer === null ? "null" : typeof answer}`);
}
