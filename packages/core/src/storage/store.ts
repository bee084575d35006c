/**
 * What all views of one storage share: the table, the versions, the codec and whether it is open. Turns the user's
 * values into what the table holds and back, by the value policy; whichever way a value came in, each policy reads
 * it as it promises.
 */

import type { Clock, TimerHandle } from "../clock.js";
import type { Codec } from "../codec/codec.js";
import { decodeValue, EncodedValue, encodeValue } from "../codec/encoded-value.js";
import { LeakDBError } from "../errors.js";
import { checkKey, KEY_BYTES_MAX } from "../key.js";
import { Table } from "../memory/table.js";
import type { ResolvedMemoryOptions, ValuePolicy } from "./options.js";
import { Versions } from "./versions.js";

/** Expired entries are removed together, at most this often. */
const SWEEP_INTERVAL_MS = 1_000;

export class Store {
  readonly table: Table;
  readonly versions: Versions;
  readonly clock: Clock;
  readonly codec: Codec;
  readonly values: ValuePolicy;
  readonly keyBytesMax: number;
  #sweepTimer: TimerHandle;
  /** The store is open, and no value of the table is an `EncodedValue`: what the table gives is the value. */
  isPlain = true;
  /** No mutator is taken any more. */
  isClosing = false;
  /** Why no mutator is taken for now: the journal is full, or has failed. */
  refusal: (() => LeakDBError) | undefined;
  /** No read is taken any more. */
  isClosed = false;

  constructor(options: ResolvedMemoryOptions, keyBytesMax = KEY_BYTES_MAX) {
    this.clock = options.clock;
    this.codec = options.codec;
    this.values = options.values;
    this.keyBytesMax = Math.min(keyBytesMax, KEY_BYTES_MAX);
    this.table = new Table(options.clock, () => this.#scheduleSweep());
    this.versions = new Versions(options.clock);
  }

  /** Ends the housekeeping and refuses reads. */
  close(): void {
    this.isClosing = true;
    this.isClosed = true;
    this.isPlain = false;
    this.clock.clearTimeout(this.#sweepTimer);
  }

  /** @throws LEAKDB_CLOSED */
  checkReadable(): void {
    if (this.isClosed) throw closedError();
  }

  /** @throws LEAKDB_CLOSED; with a journal LEAKDB_QUEUE_FULL, LEAKDB_READ_ONLY */
  checkWritable(): void {
    if (this.isClosing) throw closedError();
    if (this.refusal !== undefined) throw this.refusal();
  }

  /** @throws TypeError or RangeError */
  checkKey(key: unknown): void {
    checkKey(key, this.keyBytesMax);
  }

  /** @throws TypeError for what is no value, LEAKDB_ENCODE_FAILED for what cannot be copied */
  toStored(value: unknown, policy: ValuePolicy): unknown {
    if (value === undefined || typeof value === "function" || typeof value === "symbol") throw noValue(value);
    if (policy === "reference") return value;
    this.isPlain = false;
    return new EncodedValue(encodeValue(value, this.codec));
  }

  fromStored(stored: unknown, policy: ValuePolicy, key: string): unknown {
    if (stored instanceof EncodedValue) return decodeValue(stored.bytes, this.codec, key);
    if (policy === "reference") return stored;
    // Read from the backend, or written by a view that shares references: this view still promises a copy.
    return decodeValue(encodeValue(stored, this.codec), this.codec, key);
  }

  /** What the table holds for a record of the backend. */
  fromBackend(bytes: Uint8Array, key: string): unknown {
    if (this.values === "reference") return decodeValue(bytes, this.codec, key);
    this.isPlain = false;
    return new EncodedValue(bytes);
  }

  /** The same for an entry of the journal, whose bytes are a view of what was read. */
  fromJournal(bytes: Uint8Array, key: string): unknown {
    return this.fromBackend(this.values === "reference" ? bytes : bytes.slice(), key);
  }

  /** Gives the memory of expired entries back. Readers do not depend on it: they look at the time themselves. */
  #scheduleSweep(): void {
    const delayMs = Math.max(SWEEP_INTERVAL_MS, this.table.nextExpiry - this.clock.now());
    const sweep = (): void => {
      this.table.expire();
      if (this.table.nextExpiry !== Infinity) this.#scheduleSweep();
    };
    this.clock.clearTimeout(this.#sweepTimer);
    if (!this.isClosed) this.#sweepTimer = this.clock.setTimeout(sweep, delayMs, true);
  }

  /** Takes over a record of the backend, unless it has expired. */
  load(record: { key: string; value: Uint8Array; version: number; expiresAt: number }): void {
    if (record.key === "") {
      throw new LeakDBError(
        "LEAKDB_CORRUPTION",
        "the backend holds a record with an empty key: remove it there",
      );
    }
    this.versions.observe(record.version);
    if (record.expiresAt !== 0 && record.expiresAt <= this.clock.now()) return;
    const stored = this.fromBackend(record.value, record.key);
    const known = this.table.find(record.key);
    const slot = known >= 0 ? known : this.table.insert(record.key);
    this.table.put(slot, stored, record.version, record.expiresAt);
  }
}

function noValue(value: unknown): TypeError {
  return new TypeError(`a value must be storable: ${typeof value} is not (use delete to remove a key)`);
}

export function closedError(): LeakDBError {
  return new LeakDBError("LEAKDB_CLOSED", "the storage is closed, or closing: open it again to go on");
}
