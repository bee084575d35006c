/**
 * The adapter contract in its simplest correct form: records in a `Map`. Read it before you write an adapter; the
 * rest of the testkit measures others by it. It stands where `sqlite()` or `redis()` stands: below the queue's
 * lanes, above a backend, which here is the {@link ReferenceBackend}.
 *
 * Invariants:
 * - One open adapter owns a backend; opening another is `LEAKDB_LOCKED`.
 * - A batch is applied in one turn, so all or none, in its order, and never an older version over a newer (I1).
 * - Bytes are copied on the way in and on the way out: nobody can change what is stored (I3).
 * - What is closed applies nothing and answers nothing.
 */

import { randomUUID } from "node:crypto";
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
import { compareUtf8 } from "./utf8-order.js";

/** What outlives an adapter, as a file outlives the process: pass it to the next adapter to restart on it. */
export class ReferenceBackend {
  readonly storeId: string = randomUUID();
  readonly records: Map<string, StoredRecord> = new Map();
  bytes = 0;
  /** The highest version ever applied. Kept apart from the records, because a delete leaves none behind. */
  highVersion = 0;
  /** The adapter that has it open. A test that plays a killed process sets it to `undefined`. */
  owner: Adapter | undefined;

  put(record: StoredRecord): void {
    this.remove(record.key);
    this.records.set(record.key, record);
    this.bytes += sizeOf(record);
  }

  remove(key: string): void {
    const record = this.records.get(key);
    if (record !== undefined) this.bytes -= sizeOf(record);
    this.records.delete(key);
  }
}

export interface ReferenceAdapterOptions {
  /** Default `"reference"`. */
  name?: string | undefined;
  /** Default: a new, empty one. */
  backend?: ReferenceBackend | undefined;
  /** What differs from {@link REFERENCE_CAPABILITIES}. */
  capabilities?: Partial<Capabilities> | undefined;
}

export const REFERENCE_CAPABILITIES: Capabilities = {
  atomicBatch: true,
  ordered: true,
  lanesMax: 4,
  levels: ["stored", "synced"],
  maxKeyBytes: Number.POSITIVE_INFINITY,
  maxValueBytes: Number.POSITIVE_INFINITY,
};

const PAGE_RECORDS = 256;

/** Makes an adapter over `backend`. */
export function referenceAdapter(options: ReferenceAdapterOptions = {}): Adapter {
  return new ReferenceAdapter(options);
}

class ReferenceAdapter implements Adapter {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly #backend: ReferenceBackend;

  constructor(options: ReferenceAdapterOptions) {
    this.name = options.name ?? "reference";
    this.capabilities = { ...REFERENCE_CAPABILITIES, ...options.capabilities };
    this.#backend = options.backend ?? new ReferenceBackend();
  }

  async open(context: AdapterContext): Promise<AdapterState> {
    context.signal.throwIfAborted();
    if (this.#backend.owner !== undefined) {
      const message = `${this.name} is open elsewhere: close it there first`;
      throw new AdapterError(message, { kind: "transient", code: "LEAKDB_LOCKED" });
    }
    this.#backend.owner = this;
    const { storeId, highVersion, bytes } = this.#backend;
    return { storeId, highVersion, bytes };
  }

  async write(batch: readonly Mutation[], options: { readonly signal: AbortSignal }): Promise<WriteResult> {
    this.#mustBeOpen();
    if (options.signal.aborted) {
      throw new AdapterError("aborted before the write began", {
        kind: "transient",
        cause: options.signal.reason,
      });
    }
    const rejected: { index: number; error: Error }[] = [];
    for (const [index, mutation] of batch.entries()) {
      const error = this.#refusal(mutation);
      if (error === undefined) this.#apply(mutation);
      else rejected.push({ index, error });
    }
    const { bytes } = this.#backend;
    return rejected.length === 0 ? { bytes } : { bytes, rejected };
  }

  async load(keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
    this.#mustBeOpen();
    return keys.map((key) => copyOf(this.#backend.records.get(key)));
  }

  async *scan(range: {
    readonly prefix?: string;
    readonly after?: string;
  }): AsyncIterable<readonly StoredRecord[]> {
    this.#mustBeOpen();
    const { prefix = "", after } = range;
    // The keys are fixed here, so that writes between two pages neither repeat a key nor skip one.
    const keys = [...this.#backend.records.keys()]
      .filter((key) => key.startsWith(prefix) && (after === undefined || compareUtf8(key, after) > 0))
      .sort(compareUtf8);
    for (let start = 0; start < keys.length; start += PAGE_RECORDS) {
      const page = await this.load(keys.slice(start, start + PAGE_RECORDS));
      yield page.filter((record) => record !== undefined);
    }
  }

  async sync(): Promise<void> {
    this.#mustBeOpen();
  }

  async close(): Promise<void> {
    if (this.#backend.owner === this) this.#backend.owner = undefined;
  }

  #apply(mutation: Mutation): void {
    const backend = this.#backend;
    backend.highVersion = Math.max(backend.highVersion, mutation.version);
    if (mutation.type === "clear") {
      for (const [key, record] of backend.records) {
        if (key.startsWith(mutation.prefix) && record.version < mutation.version) backend.remove(key);
      }
      return;
    }
    const { key, version } = mutation;
    // Equal versions pass: it is the same mutation sent again.
    if ((backend.records.get(key)?.version ?? 0) > version) return;
    if (mutation.type === "delete") backend.remove(key);
    else backend.put({ key, value: new Uint8Array(mutation.value), version, expiresAt: mutation.expiresAt });
  }

  /** Why the backend can never hold this mutation, if so. */
  #refusal(mutation: Mutation): Error | undefined {
    if (mutation.type === "clear") return undefined;
    const { maxKeyBytes, maxValueBytes } = this.capabilities;
    if (Buffer.byteLength(mutation.key) > maxKeyBytes) return new RangeError(`key over ${maxKeyBytes} bytes`);
    const valueBytes = mutation.type === "put" ? mutation.value.byteLength : 0;
    return valueBytes > maxValueBytes ? new RangeError(`value over ${maxValueBytes} bytes`) : undefined;
  }

  #mustBeOpen(): void {
    if (this.#backend.owner === this) return;
    throw new AdapterError(`${this.name} is not open`, { kind: "transient" });
  }
}

function copyOf(record: StoredRecord | undefined): StoredRecord | undefined {
  return record === undefined ? undefined : { ...record, value: new Uint8Array(record.value) };
}

function sizeOf({ key, value }: StoredRecord): number {
  return Buffer.byteLength(key) + value.byteLength;
}
