/**
 * The process of a process adapter: it makes the adapter it is told of, does what its parent asks, and dies with it.
 * Run by `process-link.ts`, never imported.
 */

import { type Adapter, type AdapterContext, systemClock, type WriteResult } from "@leakdb/core/adapter";
import {
  type Call,
  type FromProcess,
  fromWire,
  type Origin,
  type ToProcess,
  toWire,
  type WirePage,
  type WireResult,
} from "./messages.js";

type Pages = AsyncIterator<Exclude<WirePage, undefined>>;

class Served {
  readonly #aborts = new Map<number, AbortController>();
  readonly #scans = new Map<number, Pages>();
  #adapter: Adapter | undefined;

  async serve(id: number, call: Call): Promise<void> {
    const controller = new AbortController();
    this.#aborts.set(id, controller);
    try {
      send({ type: "answer", id, result: await this.#do(call, controller.signal) });
    } catch (error) {
      send({ type: "failure", id, error: toWire(error) });
    } finally {
      this.#aborts.delete(id);
    }
  }

  abort(id: number, reason: Error): void {
    this.#aborts.get(id)?.abort(reason);
  }

  async #do(call: Call, signal: AbortSignal): Promise<unknown> {
    if (call.type === "open") return this.#open(call.origin, { ...CONTEXT, limits: call.limits, signal });
    const adapter = this.#adapter;
    if (adapter === undefined) throw new Error(`${call.type} before the process has an adapter`);
    switch (call.type) {
      case "write":
        return toWireResult(await adapter.write(call.batch, { signal }));
      case "load":
        return adapter.load(call.keys);
      case "page": {
        const pages = this.#scans.get(call.scan) ?? adapter.scan(call.range)[Symbol.asyncIterator]();
        this.#scans.set(call.scan, pages);
        const { done, value } = await pages.next();
        return done === true ? undefined : value;
      }
      case "leave scan":
        await this.#scans.get(call.scan)?.return?.();
        return this.#scans.delete(call.scan);
      case "sync":
        return adapter.sync();
      case "close":
        return adapter.close();
    }
  }

  async #open({ module, factory, options }: Origin, context: AdapterContext): Promise<unknown> {
    const made = (await import(module))[factory];
    this.#adapter = (await made(options)) as Adapter;
    return this.#adapter.open(context);
  }
}

const CONTEXT = {
  clock: systemClock,
  report: (error: Error): void => send({ type: "report", error: toWire(error) }),
};

function toWireResult({ bytes, rejected }: WriteResult): WireResult {
  if (rejected === undefined) return { bytes };
  return { bytes, rejected: rejected.map(({ index, error }) => ({ index, error: toWire(error) })) };
}

function send(message: FromProcess): void {
  // Whoever cannot be told any more has ended; the channel says so by itself.
  process.send?.(message, undefined, undefined, () => undefined);
}

const served = new Served();
process.on("message", (message: ToProcess) => {
  if (message.type === "abort") served.abort(message.id, fromWire(message.reason));
  else void served.serve(message.id, message.call);
});
// Without its parent it would hold the backend for ever. As hard as the parent's own end may have been.
process.once("disconnect", () => process.kill(process.pid, "SIGKILL"));
