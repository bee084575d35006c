/**
 * The thread's side: runs an ordinary {@link Adapter} and answers the calls of `threadAdapter` with it.
 *
 * Keeps:
 * - Every call is answered once, by a result or an error.
 * - `close` waits for the calls under way, closes the adapter, answers, and ends the thread: after it nothing that
 *   was sent earlier takes effect.
 * - What the adapter throws outside a call ends the thread; the main side reports it and starts another.
 */

import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { type Adapter, AdapterError, type StoredRecord } from "../adapter.js";
import {
  type Call,
  type FromThread,
  SCAN_READ_AHEAD_PAGES,
  type ToThread,
  type WireWriteResult,
} from "./messages.js";
import { packRows, unpackMutations } from "./packed-rows.js";
import { ServedClock, servedContext } from "./served-context.js";
import { toWire } from "./wire-error.js";

const EXIT_CODE_KILLED = 1;

interface Answer {
  readonly result?: unknown;
  readonly buffer?: ArrayBuffer;
}

/** A call under way. */
interface Running {
  readonly call: Call["type"];
  readonly abort: AbortController;
  readonly done: Promise<void>;
  /** Pages of a scan that may still be sent before one is taken. */
  pagesLeft: number;
  wake: (() => void) | undefined;
}

/**
 * Serves the adapter that `createAdapter` makes of the `workerData` given to `threadAdapter`. To be called once, by
 * the file the thread runs.
 */
export function serveAdapter<Data>(createAdapter: (data: Data) => Adapter): void {
  if (parentPort === null) throw new TypeError("serveAdapter runs in a worker thread");
  const server = new AdapterServer(parentPort, createAdapter(workerData as Data));
  parentPort.on("message", (message: ToThread) => server.receive(message));
}

class AdapterServer {
  readonly #port: MessagePort;
  readonly #adapter: Adapter;
  readonly #clock: ServedClock;
  readonly #running = new Map<number, Running>();

  constructor(port: MessagePort, adapter: Adapter) {
    this.#port = port;
    this.#adapter = adapter;
    this.#clock = new ServedClock(port);
  }

  receive(message: ToThread): void {
    this.#clock.set(message.now);
    switch (message.type) {
      case "taken":
        return this.#allowPage(this.#running.get(message.call));
      case "abort":
      case "enough":
        return this.#stop(this.#running.get(message.call));
      case "timer":
        return this.#clock.fire(message.timer);
      case "kill":
        // In a worker thread this ends the thread alone.
        return process.exit(EXIT_CODE_KILLED);
      default:
        this.#begin(message, message.id);
    }
  }

  #begin(call: Call, id: number): void {
    const abort = new AbortController();
    const earlier = [...this.#running.values()];
    const running: Running = {
      call: call.type,
      abort,
      pagesLeft: SCAN_READ_AHEAD_PAGES,
      wake: undefined,
      // Begins in a microtask, when this call can be found by its id.
      done: Promise.resolve().then(() => this.#run(call, id, abort.signal, earlier)),
    };
    this.#running.set(id, running);
  }

  async #run(call: Call, id: number, signal: AbortSignal, earlier: readonly Running[]): Promise<void> {
    const batch = call.type === "write" ? { buffer: call.batch } : {};
    let answer: Answer & { error?: unknown };
    try {
      answer = { ...batch, ...(await this.#answer(call, id, signal, earlier)) };
    } catch (error) {
      answer = { ...batch, error };
    }
    this.#running.delete(id);
    const { result, buffer, error } = answer;
    this.#send(
      { type: "settled", id, result, error: "error" in answer ? toWire(error) : undefined, buffer },
      buffer,
    );
    // In a worker thread this ends the thread alone.
    if (call.type === "close") process.exit(0);
  }

  async #answer(call: Call, id: number, signal: AbortSignal, earlier: readonly Running[]): Promise<Answer> {
    switch (call.type) {
      case "open": {
        const context = servedContext(this.#port, this.#clock, signal, call.limits);
        return { result: await this.#adapter.open(context) };
      }
      case "write": {
        const { bytes, rejected = [] } = await this.#adapter.write(unpackMutations(call.batch), { signal });
        const wireRejected = rejected.map(({ index, error }) => ({ index, error: toWire(error) }));
        return { result: { bytes, rejected: wireRejected } satisfies WireWriteResult };
      }
      case "load":
        return packFound(await this.#adapter.load(call.keys));
      case "scan":
        await this.#scan(call, id, signal);
        return {};
      case "sync":
        await this.#adapter.sync();
        return {};
      case "close":
        for (const running of earlier) {
          if (running.call === "open" || running.call === "scan") this.#stop(running);
        }
        await Promise.all(earlier.map(({ done }) => done));
        await this.#adapter.close();
        return {};
    }
  }

  async #scan(call: Call & { type: "scan" }, id: number, signal: AbortSignal): Promise<void> {
    const running = this.#running.get(id) as Running;
    const range = {
      ...(call.prefix === undefined ? {} : { prefix: call.prefix }),
      ...(call.after === undefined ? {} : { after: call.after }),
    };
    for await (const page of this.#adapter.scan(range)) {
      while (running.pagesLeft === 0 && !signal.aborted) {
        await new Promise<void>((resolve) => {
          running.wake = resolve;
        });
      }
      // A scan that just ended would look complete.
      if (signal.aborted) throw new AdapterError("the scan was cut short", { kind: "transient" });
      running.pagesLeft -= 1;
      const buffer = packRows(page);
      this.#send({ type: "page", id, buffer }, buffer);
    }
  }

  #allowPage(running: Running | undefined): void {
    if (running === undefined) return;
    running.pagesLeft += 1;
    running.wake?.();
  }

  #stop(running: Running | undefined): void {
    running?.abort.abort();
    running?.wake?.();
  }

  #send(message: FromThread, buffer: ArrayBuffer | undefined): void {
    this.#port.postMessage(message, buffer === undefined ? [] : [buffer]);
  }
}

function packFound(records: readonly (StoredRecord | undefined)[]): Answer {
  const indexes: number[] = [];
  const found: StoredRecord[] = [];
  for (const [index, record] of records.entries()) {
    if (record === undefined) continue;
    indexes.push(index);
    found.push(record);
  }
  return { result: indexes, buffer: packRows(found) };
}
