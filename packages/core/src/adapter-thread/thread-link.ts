/**
 * One life of an adapter's thread, seen from the main side: starts it, numbers the calls that cross, settles them,
 * serves the clock and the reports of the context, and notices the thread's end.
 *
 * Keeps:
 * - Every call settles: by its answer, or by an error once the thread has provably ended (I10). Until it
 *   has ended, a lost call might still take effect; after it, nothing can.
 * - The process stays alive while someone waits for the thread, and never because of an idle one.
 * - It never ends a thread that may be inside a native call: a thread ends by itself, or by `close`.
 */

import { Worker } from "node:worker_threads";
import { type AdapterContext, AdapterError, type FailureKind } from "../adapter.js";
import type { BufferPool } from "./buffer-pool.js";
import type { Call, FromThread, Notice, Settled, ToThread } from "./messages.js";
import { ScanPages } from "./scan-pages.js";
import { fromWire } from "./wire-error.js";

export interface ThreadOptions {
  readonly name: string;
  readonly worker: URL;
  readonly workerData: unknown;
}

interface PendingCall {
  readonly call: Call["type"];
  resolve(settled: Settled): void;
  reject(error: Error): void;
}

const NOTHING = { result: undefined, error: undefined, buffer: undefined };

export class ThreadLink {
  /** False from the thread's end on. */
  alive = true;
  /** Resolves at the thread's end. */
  readonly ended: Promise<void>;
  readonly #name: string;
  readonly #worker: Worker;
  readonly #context: AdapterContext;
  readonly #pool: BufferPool;
  readonly #pending = new Map<number, PendingCall>();
  readonly #scans = new Map<number, ScanPages>();
  readonly #timers = new Map<number, unknown>();
  #lastCall = 0;
  #waiters = 0;
  #closing = false;
  #failure: unknown;

  constructor(options: ThreadOptions, context: AdapterContext, pool: BufferPool) {
    this.#name = options.name;
    this.#context = context;
    this.#pool = pool;
    // Flags of the main thread, such as --input-type, may not hold for the file of a thread.
    this.#worker = new Worker(options.worker, {
      workerData: options.workerData,
      execArgv: [],
      name: "leakdb",
    });
    this.#worker.unref();
    this.#worker.on("message", (message: FromThread) => this.#receive(message));
    this.#worker.on("messageerror", (error) => context.report(error));
    this.#worker.on("error", (error) => {
      this.#failure = error;
    });
    this.ended = new Promise((resolve) => {
      this.#worker.once("exit", (exitCode) => {
        this.#end(exitCode);
        resolve();
      });
    });
  }

  /**
   * Sends a call and waits for its answer. When `signal` is aborted it rejects at once, as ambiguous: the thread may
   * be in the middle of the call, and `close` waits until it no longer is.
   */
  async call(call: Call, signal?: AbortSignal): Promise<Settled> {
    this.#requireOpen();
    if (call.type === "close") this.#closing = true;
    const id = this.#nextId();
    let onAbort: (() => void) | undefined;
    const answer = new Promise<Settled>((resolve, reject) => {
      this.#pending.set(id, { call: call.type, resolve, reject });
      onAbort = () => {
        this.notify({ type: "abort", call: id });
        reject(
          new AdapterError(`the ${call.type} of ${this.#name} was given up; it may still be applied`, {
            kind: "ambiguous",
            cause: signal?.reason,
          }),
        );
      };
    });
    this.#post({ ...call, id, now: this.#context.clock.now() }, call.type === "write" ? [call.batch] : []);
    if (signal?.aborted === true) onAbort?.();
    else if (onAbort !== undefined) signal?.addEventListener("abort", onAbort, { once: true });
    try {
      return await this.wait(answer);
    } finally {
      if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
    }
  }

  /** The pages of a scan, in order; ends when the scan does. */
  scan(range: { readonly prefix?: string; readonly after?: string }): ScanPages {
    this.#requireOpen();
    const id = this.#nextId();
    const pages = new ScanPages(this, id);
    this.#scans.set(id, pages);
    this.#pending.set(id, {
      call: "scan",
      resolve: () => pages.finish(undefined),
      reject: (error) => pages.finish(error),
    });
    const { prefix, after } = range;
    this.#post({ type: "scan", id, prefix, after, now: this.#context.clock.now() }, []);
    return pages;
  }

  notify(notice: Notice): void {
    if (this.alive) this.#post({ ...notice, now: this.#context.clock.now() }, []);
  }

  /** Keeps the process alive until `promise` settles. */
  async wait<T>(promise: Promise<T>): Promise<T> {
    this.#waiters += 1;
    if (this.#waiters === 1) this.#worker.ref();
    try {
      return await promise;
    } finally {
      this.#waiters -= 1;
      if (this.#waiters === 0) this.#worker.unref();
    }
  }

  #requireOpen(): void {
    if (!this.alive) throw this.#endError("has ended", "transient");
    if (!this.#closing) return;
    throw new AdapterError(`${this.#name} was closed before the call was sent`, {
      kind: "transient",
      code: "LEAKDB_CLOSED",
    });
  }

  #nextId(): number {
    this.#lastCall += 1;
    return this.#lastCall;
  }

  #post(message: ToThread, transfer: ArrayBuffer[]): void {
    this.#worker.postMessage(message, transfer);
  }

  #receive(message: FromThread): void {
    switch (message.type) {
      case "settled":
        return this.#settle(message);
      case "page":
        return this.#scans.get(message.id)?.add(message.buffer);
      case "report":
        return this.#context.report(fromWire(message.error));
      case "setTimeout": {
        const { timer, delayMs, idle } = message;
        const onTime = (): void => {
          this.#timers.delete(timer);
          this.notify({ type: "timer", timer });
        };
        const handle = this.#context.clock.setTimeout(onTime, delayMs, idle);
        this.#timers.set(timer, handle);
        return;
      }
      case "clearTimeout":
        this.#context.clock.clearTimeout(this.#timers.get(message.timer));
        this.#timers.delete(message.timer);
        return;
    }
  }

  #settle(settled: Settled): void {
    const pending = this.#pending.get(settled.id);
    this.#pending.delete(settled.id);
    this.#scans.delete(settled.id);
    if (pending === undefined) return;
    if (pending.call === "write" && settled.buffer !== undefined) this.#pool.give(settled.buffer);
    if (settled.error === undefined) pending.resolve(settled);
    else pending.reject(fromWire(settled.error));
  }

  #end(exitCode: number): void {
    this.alive = false;
    for (const handle of this.#timers.values()) this.#context.clock.clearTimeout(handle);
    this.#timers.clear();
    const unexpected = !this.#closing || this.#failure !== undefined || exitCode !== 0;
    const error = this.#endError(`ended with code ${exitCode}`, "transient");
    const writeError = this.#endError(`ended with code ${exitCode} during a write`, "ambiguous");
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    this.#scans.clear();
    for (const call of pending) {
      // All that `close` promises is true of a thread that has ended.
      if (call.call === "close") call.resolve({ type: "settled", id: 0, ...NOTHING });
      // The thread may have died between the commit and its answer.
      else call.reject(call.call === "write" ? writeError : error);
    }
    const told = pending.some(({ call }) => call === "open");
    if (unexpected && !told) this.#context.report(error);
  }

  #endError(what: string, kind: FailureKind): AdapterError {
    return new AdapterError(`the thread of ${this.#name} ${what}; it is started again by the next call`, {
      kind,
      ...(this.#failure === undefined ? {} : { cause: this.#failure }),
    });
  }
}
