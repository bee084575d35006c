/**
 * The main side of an adapter that runs on a thread of its own: an {@link Adapter} like any other, which packs what
 * it is given, sends it, and starts the thread again when it has died.
 *
 * Keeps:
 * - The death of the thread is an error of the calls it takes down, and a report; never the process's. The error is
 *   ambiguous for a write, whose answer alone may be what died, and transient for all others.
 * - A restarted thread is opened as the first was, and serves only if it finds the same backend, as the last one left
 *   it as far as versions tell: while no thread ran, nobody held its lock.
 * - No slice of packing holds the event loop much longer than a millisecond.
 */

import {
  type Adapter,
  type AdapterContext,
  AdapterError,
  type AdapterState,
  type Capabilities,
  type Mutation,
  type StoredRecord,
  type WriteResult,
} from "../adapter.js";
import { BackendMark } from "../backend-mark.js";
import { BufferPool } from "./buffer-pool.js";
import type { WireWriteResult } from "./messages.js";
import { packedBytesMax, RowPacker, unpackRecords } from "./packed-rows.js";
import { ThreadLink, type ThreadOptions } from "./thread-link.js";
import { fromWire } from "./wire-error.js";

const PACK_SLICE_MS = 1;
/** Rows between two looks at the time; at some hundred nanoseconds a row far below a slice. */
const PACK_ROWS_PER_LOOK = 256;

/** For tests: ends the thread as a crash between two calls would; resolves when it has ended. */
export const killThread = Symbol.for("leakdb.adapter-thread.kill");

export interface ThreadAdapterOptions {
  /** {@link Adapter.name} */
  readonly name: string;
  readonly capabilities: Capabilities;
  /** The file the thread runs, which calls `serveAdapter`. */
  readonly worker: URL;
  /** What `serveAdapter` hands to the factory of the adapter; structured-cloneable. */
  readonly workerData: unknown;
}

export interface ThreadAdapter extends Adapter {
  [killThread](): Promise<void>;
}

/** An {@link Adapter} whose work is done by the one that `worker` serves, on a thread started at each `open`. */
export function threadAdapter(options: ThreadAdapterOptions): ThreadAdapter {
  return new AdapterOnThread(options);
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class AdapterOnThread implements ThreadAdapter {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly #options: ThreadOptions;
  readonly #pool = new BufferPool();
  #context: AdapterContext | undefined;
  #link: ThreadLink | undefined;
  /** What is known of the backend since the last `open`. */
  #mark: BackendMark | undefined;
  /** A restarted thread found that another owner had written: for good, until the next `open`. */
  #fenced: AdapterError | undefined;
  #restart: Promise<ThreadLink> | undefined;
  #opening: Promise<unknown> | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: ThreadAdapterOptions) {
    this.name = options.name;
    this.capabilities = options.capabilities;
    this.#options = options;
  }

  async open(context: AdapterContext): Promise<AdapterState> {
    if (this.#context !== undefined) throw new Error(`${this.name} is open already; close it first`);
    context.signal.throwIfAborted();
    this.#context = context;
    // What it rejected with was told to its caller; the thread has ended either way.
    await this.#closed?.catch(() => undefined);
    this.#closed = undefined;
    try {
      const opening = this.#start(context, context.signal);
      this.#opening = opening;
      const { link, state } = await opening;
      this.#link = link;
      this.#mark = new BackendMark(state);
      this.#fenced = undefined;
      return state;
    } catch (error) {
      this.#context = undefined;
      throw error;
    }
  }

  async write(batch: readonly Mutation[], options: { readonly signal: AbortSignal }): Promise<WriteResult> {
    const { signal } = options;
    const link = await this.#running();
    const buffer = await this.#pack(batch, signal);
    this.#mark?.sending(batch);
    const { result } = await link.call({ type: "write", batch: buffer }, signal);
    const { bytes, rejected } = result as WireWriteResult;
    this.#mark?.hasStored(batch, rejected);
    if (rejected.length === 0) return { bytes };
    return { bytes, rejected: rejected.map(({ index, error }) => ({ index, error: fromWire(error) })) };
  }

  async load(keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
    const link = await this.#running();
    const { result, buffer } = await link.call({ type: "load", keys });
    const records = new Array<StoredRecord | undefined>(keys.length).fill(undefined);
    const found = buffer === undefined ? [] : unpackRecords(buffer);
    for (const [at, index] of (result as readonly number[]).entries()) records[index] = found[at];
    return records;
  }

  async *scan(range: { readonly prefix?: string; readonly after?: string }): AsyncGenerator<StoredRecord[]> {
    const link = await this.#running();
    const pages = link.scan(range);
    try {
      for (let page = await pages.next(); page !== undefined; page = await pages.next()) {
        yield unpackRecords(page);
      }
    } finally {
      pages.stop();
    }
  }

  async sync(): Promise<void> {
    const link = await this.#running();
    await link.call({ type: "sync" });
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [killThread](): Promise<void> {
    const link = this.#link;
    link?.notify({ type: "kill" });
    await link?.wait(link.ended);
  }

  async #close(): Promise<void> {
    this.#context = undefined;
    // An opening that was given up, or a restart under way, would bring up a thread after this close.
    await this.#opening?.catch(() => undefined);
    await this.#restart?.catch(() => undefined);
    const link = this.#link;
    this.#link = undefined;
    if (link !== undefined) await closeLink(link);
  }

  async #start(
    context: AdapterContext,
    signal: AbortSignal | undefined,
  ): Promise<{ link: ThreadLink; state: AdapterState }> {
    const link = new ThreadLink(this.#options, context, this.#pool);
    try {
      const { result } = await link.call({ type: "open", limits: context.limits }, signal);
      return { link, state: result as AdapterState };
    } catch (error) {
      await closeLink(link);
      throw signal?.aborted === true ? signal.reason : error;
    }
  }

  /** The thread, started again if it has died. */
  async #running(): Promise<ThreadLink> {
    const context = this.#context;
    if (context === undefined) {
      throw new AdapterError(`${this.name} is not open`, { kind: "permanent", code: "LEAKDB_CLOSED" });
    }
    if (this.#fenced !== undefined) throw this.#fenced;
    if (this.#link?.alive === true) return this.#link;
    this.#restart ??= this.#startAgain(context).finally(() => {
      this.#restart = undefined;
    });
    return this.#restart;
  }

  async #startAgain(context: AdapterContext): Promise<ThreadLink> {
    const { link, state } = await this.#start(context, undefined);
    try {
      this.#mark?.check(state, this.name);
    } catch (error) {
      await closeLink(link);
      const failure = error as AdapterError;
      if (failure.code === "LEAKDB_FENCED") this.#fenced = failure;
      throw error;
    }
    this.#link = link;
    return link;
  }

  /** The batch in a buffer. @throws AdapterError, transient, when given up before anything was sent. */
  async #pack(batch: readonly Mutation[], signal: AbortSignal): Promise<ArrayBuffer> {
    const buffer = this.#pool.take(packedBytesMax(batch));
    const packer = new RowPacker(batch, buffer);
    let sliceEnd = performance.now() + PACK_SLICE_MS;
    while (!signal.aborted && !packer.pack(PACK_ROWS_PER_LOOK)) {
      if (performance.now() < sliceEnd) continue;
      await nextTurn();
      sliceEnd = performance.now() + PACK_SLICE_MS;
    }
    if (!signal.aborted) return buffer;
    this.#pool.give(buffer);
    throw new AdapterError(`the write of ${this.name} was given up before it was sent`, {
      kind: "transient",
      cause: signal.reason,
    });
  }
}

/** Lets the thread end its calls, close its adapter and end. What was on its way to it has no effect after this. */
async function closeLink(link: ThreadLink): Promise<void> {
  if (!link.alive) return;
  try {
    await link.call({ type: "close" });
  } finally {
    await link.wait(link.ended);
  }
}
