/**
 * An adapter whose work is done in a process of its own, so that `kill -9` and an owner in another process can be tried
 * for real, and not by what stands for them.
 *
 *     processAdapter ── calls, by Node's channel ──▶ adapter-process ── Adapter of the module
 *                    ◀── answers, pages, reports ───
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
} from "@leakdb/core/adapter";
import { fromWire, type Origin, type ScanRange, type WirePage, type WireResult } from "./messages.js";
import { ProcessEnded, ProcessLink } from "./process-link.js";

export interface ProcessAdapterOptions {
  /** The file that exports the adapter's factory, by its URL: JavaScript that Node runs as it is. */
  readonly module: URL | string;
  /** The name of the export. Default `"default"`. */
  readonly factory?: string | undefined;
  /** What the factory is called with, in either process; anything that structured clone takes. */
  readonly options?: unknown;
  /** Flags for Node in the process. Default none, also where this process has some. */
  readonly execArgv?: readonly string[] | undefined;
}

export interface ProcessAdapter extends Adapter {
  /** The id of the process; `undefined` while there is none. */
  readonly pid: number | undefined;
  /**
   * `kill -9`: resolves when the process is gone, and nothing of it can take effect any more. Calls under way reject:
   * a write as ambiguous, any other as transient. Without a process nothing happens.
   */
  kill(): Promise<void>;
}

/**
 * Makes an adapter that starts a process at each `open`, and ends it after each `close`. It behaves as the one of the
 * module does: aborts, reports, pages of scans and errors with their `kind` and `code` cross over, bytes stay bytes.
 * The process dies with this one. What differs: the clock is the system's, whatever clock `open` is given, and a lock
 * that a close forgets ends with the process.
 *
 * The factory is called here too, for the name and the capabilities; that adapter is never opened.
 *
 * @throws TypeError when the module has no such function. What the module or the factory throw is passed on.
 */
export async function processAdapter(options: ProcessAdapterOptions): Promise<ProcessAdapter> {
  const { factory = "default", execArgv = [] } = options;
  const origin: Origin = { module: String(options.module), factory, options: options.options };
  const make: unknown = (await import(origin.module))[factory];
  if (typeof make !== "function") throw new TypeError(`${origin.module} exports no function ${factory}`);
  const { name, capabilities } = (await make(origin.options)) as Adapter;
  return new AdapterInProcess(name, capabilities, origin, execArgv);
}

class AdapterInProcess implements ProcessAdapter {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly #origin: Origin;
  readonly #execArgv: readonly string[];
  #link: ProcessLink | undefined;
  #opening: Promise<unknown> | undefined;
  #closing: Promise<void> | undefined;
  #lastScan = 0;

  constructor(name: string, capabilities: Capabilities, origin: Origin, execArgv: readonly string[]) {
    this.name = name;
    this.capabilities = capabilities;
    this.#origin = origin;
    this.#execArgv = execArgv;
  }

  get pid(): number | undefined {
    return this.#link?.pid;
  }

  async open(context: AdapterContext): Promise<AdapterState> {
    context.signal.throwIfAborted();
    await this.#closing?.catch(() => undefined);
    if (this.#link !== undefined) throw new Error(`${this.name} is open already; close it first`);
    const link = new ProcessLink(this.#execArgv, context);
    this.#link = link;
    const { limits, signal } = context;
    const opening = link.call({ type: "open", origin: this.#origin, limits }, signal);
    this.#opening = opening;
    try {
      return (await opening) as AdapterState;
    } catch (error) {
      this.#link = undefined;
      await link.kill();
      throw error;
    }
  }

  async write(batch: readonly Mutation[], options: { readonly signal: AbortSignal }): Promise<WriteResult> {
    const answer = await this.#running().call({ type: "write", batch }, options.signal);
    const { bytes, rejected } = answer as WireResult;
    if (rejected === undefined) return { bytes };
    return { bytes, rejected: rejected.map(({ index, error }) => ({ index, error: fromWire(error) })) };
  }

  async load(keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
    return (await this.#running().call({ type: "load", keys })) as (StoredRecord | undefined)[];
  }

  async *scan(range: ScanRange): AsyncGenerator<readonly StoredRecord[]> {
    const link = this.#running();
    const scan = ++this.#lastScan;
    let hasEnded = false;
    try {
      for (;;) {
        const page = (await link.call({ type: "page", scan, range })) as WirePage;
        hasEnded = page === undefined;
        if (page === undefined) return;
        yield page;
      }
    } finally {
      // Where the process is gone, so is its scan.
      if (!hasEnded) await link.call({ type: "leave scan", scan }).catch(() => undefined);
    }
  }

  async sync(): Promise<void> {
    await this.#running().call({ type: "sync" });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close().finally(() => {
      this.#closing = undefined;
    });
    return this.#closing;
  }

  async kill(): Promise<void> {
    const link = this.#link;
    await link?.kill();
    if (this.#link === link) this.#link = undefined;
  }

  async #close(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    const link = this.#link;
    if (link === undefined) return;
    this.#link = undefined;
    try {
      await link.call({ type: "close" });
    } catch (error) {
      if (!(error instanceof ProcessEnded)) throw error;
    } finally {
      await link.kill();
    }
  }

  #running(): ProcessLink {
    if (this.#link !== undefined) return this.#link;
    throw new AdapterError(`${this.name} is not open`, { kind: "transient", code: "LEAKDB_CLOSED" });
  }
}
