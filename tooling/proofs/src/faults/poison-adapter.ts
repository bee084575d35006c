/**
 * An adapter that fails every batch which holds a poisoned key, as a whole and without naming the key, in the way the
 * test chooses: the queue has to find the key by itself. What holds none passes.
 */

import {
  type Adapter,
  type AdapterContext,
  AdapterError,
  type AdapterState,
  type Capabilities,
  type FailureKind,
  type Mutation,
  type StoredRecord,
  type WriteResult,
} from "@leakdb/core/adapter";

export class PoisonAdapter implements Adapter {
  readonly poisoned: Set<string> = new Set();
  /** `"plain"` throws an `Error` that says nothing of its kind. */
  kind: FailureKind | "plain";
  /** How often a batch with a poisoned key was refused. */
  refusals = 0;
  readonly #inner: Adapter;

  constructor(inner: Adapter, kind: FailureKind | "plain") {
    this.#inner = inner;
    this.kind = kind;
  }

  get name(): string {
    return this.#inner.name;
  }

  get capabilities(): Capabilities {
    return this.#inner.capabilities;
  }

  open(context: AdapterContext): Promise<AdapterState> {
    return this.#inner.open(context);
  }

  async write(batch: readonly Mutation[], options: { readonly signal: AbortSignal }): Promise<WriteResult> {
    if (batch.some((mutation) => mutation.type !== "clear" && this.poisoned.has(mutation.key))) {
      this.refusals += 1;
      if (this.kind === "plain") throw new Error("something in the batch is bad");
      throw new AdapterError("something in the batch is bad", { kind: this.kind });
    }
    return this.#inner.write(batch, options);
  }

  load(keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
    return this.#inner.load(keys);
  }

  scan(range: { readonly prefix?: string; readonly after?: string }): AsyncIterable<readonly StoredRecord[]> {
    return this.#inner.scan(range);
  }

  sync(): Promise<void> {
    return this.#inner.sync();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
