/**
 * An adapter that writes down every call on its way to another one. Stands between core and an adapter in tests
 * that expect an exact trace, such as "these batches, in this order, at most one under way a lane".
 *
 * Invariants:
 * - Calls, arguments, answers and errors pass through unchanged; synchronous throws stay synchronous.
 * - What is recorded is copied at the call: later changes by the caller don't alter it.
 * - It judges nothing: a promise of core that a call breaks is written down in `brokenPromises`, and the call passes.
 * - Lines of the trace stand in the order in which the calls began and settled.
 *
 * ```
 * 1 open
 * 1 open: ok, high version 0
 * 2 write: put a@5 (3 bytes), delete b@6, clear "p"@7
 * 2 write: ok
 * ```
 */

import type {
  Adapter,
  AdapterContext,
  AdapterState,
  Capabilities,
  Mutation,
  StoredRecord,
  WriteResult,
} from "@leakdb/core/adapter";
import { PromisesOfCore } from "./promises-of-core.js";

export type AdapterOperation = "open" | "write" | "load" | "scan" | "sync" | "close";

export interface RecordedCall {
  /** 1 for the first call; rises by one with each. */
  readonly id: number;
  readonly operation: AdapterOperation;
  /** What a `write` was sent, copied; empty for other operations. */
  readonly batch: readonly Mutation[];
  /** What a `load` asked for; empty for other operations. */
  readonly keys: readonly string[];
  state: "pending" | "resolved" | "rejected";
  /** What it rejected with. */
  error: unknown;
}

export interface RecordingOptions {
  /** How a value stands in the trace. Default: its size, `(3 bytes)`. */
  describeValue?: ((value: Uint8Array) => string) | undefined;
}

/** Wraps `inner`; reading `calls`, `batches` or `trace()` costs the test nothing but memory. */
export function recordingAdapter(inner: Adapter, options: RecordingOptions = {}): RecordingAdapter {
  return new RecordingAdapter(inner, options);
}

export class RecordingAdapter implements Adapter {
  readonly inner: Adapter;
  readonly calls: RecordedCall[] = [];
  /** Writes that have begun and not settled, and the most there ever were at once. */
  writesUnderWay = 0;
  writesUnderWayMax = 0;
  readonly #promises = new PromisesOfCore();
  readonly #describeValue: (value: Uint8Array) => string;
  #lines: string[] = [];
  #nextId = 1;

  constructor(inner: Adapter, options: RecordingOptions = {}) {
    this.inner = inner;
    this.#describeValue = options.describeValue ?? ((value) => `(${value.byteLength} bytes)`);
  }

  get name(): string {
    return this.inner.name;
  }

  get capabilities(): Capabilities {
    return this.inner.capabilities;
  }

  /** The batches sent so far, in order, settled or not. */
  get batches(): readonly (readonly Mutation[])[] {
    return this.calls.filter((call) => call.operation === "write").map((call) => call.batch);
  }

  /** One line for each promise of the contract that the caller broke: none, where the caller is core. */
  get brokenPromises(): readonly string[] {
    return this.#promises.broken;
  }

  /** One line for each call that began and each that settled. */
  trace(): string {
    return this.#lines.join("\n");
  }

  /** Forgets the calls and the trace, to look at what comes next alone. */
  forget(): void {
    this.calls.length = 0;
    this.#lines = [];
  }

  open(context: AdapterContext): Promise<AdapterState> {
    const call = this.#begin("open", "");
    const answer = (state: AdapterState) => {
      this.#promises.opened(context.limits);
      return `, high version ${state.highVersion}`;
    };
    return this.#watch(call, () => this.inner.open(context), answer);
  }

  write(batch: readonly Mutation[], options: { readonly signal: AbortSignal }): Promise<WriteResult> {
    const text = batch.map((mutation) => describeMutation(mutation, this.#describeValue)).join(", ");
    const call = this.#begin("write", `: ${text}`, { batch: batch.map(copyOf) });
    this.writesUnderWay += 1;
    this.writesUnderWayMax = Math.max(this.writesUnderWayMax, this.writesUnderWay);
    this.#promises.writeBegun(call.id, call.batch, this.capabilities);
    const answer = (result: WriteResult) => {
      this.writesUnderWay -= 1;
      this.#promises.writeAcknowledged(call.id, result);
      return describeRejected(result);
    };
    const fail = (error: unknown) => {
      this.writesUnderWay -= 1;
      this.#promises.writeFailed(call.id, error);
    };
    return this.#watch(call, () => this.inner.write(batch, options), answer, fail);
  }

  load(keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
    const call = this.#begin("load", `: ${keys.map(describeKey).join(", ")}`, { keys: [...keys] });
    this.#promises.called(call.id, "load");
    const answer = (records: readonly unknown[]) =>
      `, ${records.filter((record) => record !== undefined).length} found`;
    return this.#watch(call, () => this.inner.load(keys), answer);
  }

  async *scan(range: {
    readonly prefix?: string;
    readonly after?: string;
  }): AsyncIterable<readonly StoredRecord[]> {
    const prefix = range.prefix === undefined ? "" : ` prefix ${JSON.stringify(range.prefix)}`;
    const after = range.after === undefined ? "" : ` after ${JSON.stringify(range.after)}`;
    const call = this.#begin("scan", `${prefix}${after}`);
    this.#promises.called(call.id, "scan");
    let records = 0;
    try {
      for await (const page of this.inner.scan(range)) {
        records += page.length;
        yield page;
      }
    } catch (error) {
      this.#fail(call, error);
      throw error;
    } finally {
      // A consumer that leaves early ends up here alone.
      if (call.state === "pending") this.#succeed(call, `, ${records} records`);
    }
  }

  sync(): Promise<void> {
    const call = this.#begin("sync", "");
    this.#promises.called(call.id, "sync");
    return this.#watch(
      call,
      () => this.inner.sync(),
      () => "",
    );
  }

  close(): Promise<void> {
    const call = this.#begin("close", "");
    return this.#watch(
      call,
      () => this.inner.close(),
      () => {
        this.#promises.closed();
        return "";
      },
    );
  }

  #begin(
    operation: AdapterOperation,
    text: string,
    detail: { batch?: readonly Mutation[]; keys?: readonly string[] } = {},
  ): RecordedCall {
    const { batch = [], keys = [] } = detail;
    const call: RecordedCall = {
      id: this.#nextId,
      operation,
      batch,
      keys,
      state: "pending",
      error: undefined,
    };
    this.#nextId += 1;
    this.calls.push(call);
    this.#lines.push(`${call.id} ${operation}${text}`);
    return call;
  }

  #watch<T>(
    call: RecordedCall,
    run: () => Promise<T>,
    onAnswer: (answer: T) => string,
    onError?: (error: unknown) => void,
  ): Promise<T> {
    const fail = (error: unknown): never => {
      onError?.(error);
      this.#fail(call, error);
      throw error;
    };
    let running: Promise<T>;
    try {
      running = run();
    } catch (error) {
      return fail(error);
    }
    return running.then((answer) => {
      this.#succeed(call, onAnswer(answer));
      return answer;
    }, fail);
  }

  #succeed(call: RecordedCall, text: string): void {
    call.state = "resolved";
    this.#lines.push(`${call.id} ${call.operation}: ok${text}`);
  }

  #fail(call: RecordedCall, error: unknown): void {
    call.state = "rejected";
    call.error = error;
    const kind: unknown = (error as { kind?: unknown } | null | undefined)?.kind;
    const message = error instanceof Error ? error.message : String(error);
    this.#lines.push(
      `${call.id} ${call.operation}: ${typeof kind === "string" ? kind : "failed"}, ${message}`,
    );
  }
}

/** A mutation as the trace shows it: `put a@5 (3 bytes)`, `delete b@6`, `clear "p"@7`. */
export function describeMutation(mutation: Mutation, describeValue: (value: Uint8Array) => string): string {
  switch (mutation.type) {
    case "put": {
      const expiry = mutation.expiresAt === 0 ? "" : ` expires ${mutation.expiresAt}`;
      return `put ${describeKey(mutation.key)}@${mutation.version} ${describeValue(mutation.value)}${expiry}`;
    }
    case "delete":
      return `delete ${describeKey(mutation.key)}@${mutation.version}`;
    case "clear":
      return `clear ${JSON.stringify(mutation.prefix)}@${mutation.version}`;
  }
}

function describeRejected({ rejected = [] }: WriteResult): string {
  return rejected.map(({ index, error }) => `, rejected [${index}] ${error.message}`).join("");
}

/** Plain keys stand as they are; anything that could be misread is quoted. */
function describeKey(key: string): string {
  return /^[\w:./-]+$/.test(key) ? key : JSON.stringify(key);
}

function copyOf(mutation: Mutation): Mutation {
  return mutation.type === "put" ? { ...mutation, value: new Uint8Array(mutation.value) } : { ...mutation };
}
