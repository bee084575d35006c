/**
 * What the storages are made with: every option with its unit, default and limit. Defaults are filled in and bad
 * input refused here, before anything is opened or changed.
 */

import type { Adapter } from "../adapter.js";
import { type Clock, systemClock } from "../clock.js";
import type { Codec } from "../codec/codec.js";
import { msgpackCodec } from "../codec/msgpack-codec.js";
import { type OptionNames, optionsMistake } from "../option-names.js";
import type { JournalOptions } from "./journal-options.js";

/** `"reference"`: the table holds what you gave, as `Map` does. `"copied"`: encoded at the call, a copy on each get. */
export type ValuePolicy = "reference" | "copied";

/** How far a write must have come before a wait for it ends; see the durability table in the README. */
export type DurabilityLevel = "memory" | "journaled" | "stored" | "synced";

export interface OpenProgress {
  /** The journal is read first, where there is one; then the backend. */
  readonly phase: "journal" | "backend";
  /** Entries of the journal, or records of the backend, read so far. */
  readonly loaded: number;
  /** Everything has been read. */
  readonly done: boolean;
}

export interface MemoryOptions {
  /** Default `"reference"`. */
  values?: ValuePolicy | undefined;
  /** Default: msgpackr with structured clone. */
  codec?: Codec | undefined;
  /** Default: the system's. */
  clock?: Clock | undefined;
}

export interface JournaledOptions {
  /** A journal, which a crash leaves: see {@link JournalOptions}. Default: none. Only with `open`. */
  journal?: JournalOptions | undefined;
  /** Called while the journal is read at opening. */
  onProgress?: ((progress: OpenProgress) => void) | undefined;
}

export interface RetryOptions {
  /** Tries before a mutation that fails alone, while others succeed, becomes a dead letter. Default 8. */
  maxAttempts?: number | undefined;
  /** Milliseconds before the first retry; doubles with each, with jitter. Default 50. */
  backoff?: number | undefined;
  /** The longest pause between two retries, in milliseconds. Default 30,000. */
  maxBackoff?: number | undefined;
}

export interface QueueOptions {
  /** Waiting keys past which the queue flushes by itself. Default 10,000. At 1 each operation is written alone. */
  maxSize?: number | undefined;
  /** The most milliseconds a write waits before it is sent; never extended by rewrites. Default 100. */
  writeDelay?: number | undefined;
  /** Lanes: writers that work side by side, at most what the adapter allows. A key keeps its lane. Default 1. */
  workers?: number | undefined;
  /** A key waits once, with its newest state. Default true; false in `QueueStorage` and where `maxSize` is 1. */
  coalesce?: boolean | undefined;
  /** The most mutations in one batch. Default 10,000; 1 where `maxSize` is 1. */
  batchMax?: number | undefined;
  /** The most encoded bytes in one batch; a single larger value still goes, alone. Default 8 MiB. */
  batchBytesMax?: number | undefined;
  /** Waiting keys past which `needDrain` is true. Default 100,000. */
  highWaterMark?: number | undefined;
  /** Waiting keys past which a mutation of a further key throws `LEAKDB_QUEUE_FULL`. Default 4,000,000. */
  capacity?: number | undefined;
  retry?: RetryOptions | undefined;
  /** Milliseconds a backend or worker has for one batch. Default 30,000. */
  writeTimeout?: number | undefined;
  /** Milliseconds `flush`, `persisted` and `close` wait when not told otherwise. Default 60,000. */
  flushTimeout?: number | undefined;
}

export interface PersistentOptions extends MemoryOptions, QueueOptions {
  adapter: Adapter;
  /** Milliseconds the adapter has to open, and for each page that is read then. Default 60,000. */
  openTimeout?: number | undefined;
  /** A journal before the backend: see `JournalOptions`. Default: none. Not for `PersistentStorage`. */
  journal?: JournalOptions | undefined;
  /** Called while the journal and the backend are read into memory at opening. */
  onProgress?: ((progress: OpenProgress) => void) | undefined;
}

export interface ResolvedQueueOptions {
  readonly maxSize: number;
  readonly writeDelayMs: number;
  readonly workers: number;
  readonly coalesce: boolean;
  readonly batchMax: number;
  readonly batchBytesMax: number;
  readonly highWaterMark: number;
  readonly capacity: number;
  readonly maxAttempts: number;
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
  readonly writeTimeoutMs: number;
  readonly flushTimeoutMs: number;
}

export interface ResolvedMemoryOptions {
  readonly values: ValuePolicy;
  readonly codec: Codec;
  readonly clock: Clock;
}

const WORKERS_LIMIT = 1_024;

const MEMORY_OPTIONS = ["values", "codec", "clock"];
/** Of storages that may have a journal, which take time to open then. */
const JOURNAL_OPTIONS = ["journal", "onProgress"];
const QUEUE_OPTIONS = [
  "maxSize",
  "writeDelay",
  "workers",
  "coalesce",
  "batchMax",
  "batchBytesMax",
  "highWaterMark",
  "capacity",
  "retry",
  "writeTimeout",
  "flushTimeout",
];

const RETRY_OPTIONS: OptionNames = new Set(["maxAttempts", "backoff", "maxBackoff"]);

const COPY_OPTIONS = ["batchMax", "batchBytesMax", "openTimeout", "writeTimeout", "retry", "clock"];

/** The options each kind of storage takes, and those of `copy`. */
const OPTION_NAMES = {
  memory: new Set([...MEMORY_OPTIONS, ...JOURNAL_OPTIONS]),
  queue: new Set([
    ...MEMORY_OPTIONS,
    ...QUEUE_OPTIONS,
    ...JOURNAL_OPTIONS,
    ...["workerProcess", "workerProcessBatch"],
  ]),
  persistent: new Set([...MEMORY_OPTIONS, ...QUEUE_OPTIONS, ...JOURNAL_OPTIONS, "adapter", "openTimeout"]),
  copy: new Set([...COPY_OPTIONS, "verify", "signal", "onProgress", "onFault"]),
} satisfies Record<string, OptionNames>;

/** @throws TypeError for options that do not exist */
export function checkOptionsOf(options: object, kind: keyof typeof OPTION_NAMES): void {
  const mistake = optionsMistake(options, OPTION_NAMES[kind]);
  if (mistake !== undefined) throw mistake;
}

/** @throws TypeError */
export function progressOf({
  onProgress,
}: Pick<PersistentOptions, "onProgress">): PersistentOptions["onProgress"] {
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new TypeError("onProgress must be a function");
  }
  return onProgress;
}

/** A constructor cannot read a journal. @throws TypeError */
export function requireNoJournal(options: JournaledOptions, storage: string): void {
  if (options?.journal === undefined) return;
  throw new TypeError(`a journal takes time to open: use await ${storage}.open({ journal, … })`);
}

export function resolveMemoryOptions(options: MemoryOptions): ResolvedMemoryOptions {
  const { values = "reference", codec = msgpackCodec(), clock = systemClock } = options;
  if (values !== "reference" && values !== "copied") {
    throw new TypeError(`values must be "reference" or "copied"`);
  }
  if (typeof codec?.encode !== "function" || typeof codec.decode !== "function") {
    throw new TypeError("codec must have the functions encode and decode");
  }
  for (const name of ["now", "setTimeout", "clearTimeout"] as const) {
    if (typeof clock?.[name] !== "function") throw new TypeError(`clock must have the function ${name}`);
  }
  return { values, codec, clock };
}

export function resolveQueueOptions(options: QueueOptions, coalesceDefault: boolean): ResolvedQueueOptions {
  const maxSize = integer("maxSize", options.maxSize, 10_000);
  const eachAlone = maxSize === 1;
  const { coalesce = coalesceDefault && !eachAlone, retry = {} } = options;
  if (typeof coalesce !== "boolean") throw new TypeError("coalesce must be true or false");
  const mistake = optionsMistake(retry, RETRY_OPTIONS, "retry");
  if (mistake !== undefined) throw mistake;
  const backoffMs = duration("retry.backoff", retry.backoff, 50);
  const backoffMaxMs = duration("retry.maxBackoff", retry.maxBackoff, 30_000);
  if (backoffMaxMs < backoffMs) throw new RangeError("retry.maxBackoff must not be less than retry.backoff");
  return {
    maxSize,
    writeDelayMs: duration("writeDelay", options.writeDelay, 100),
    workers: integer("workers", options.workers, 1, WORKERS_LIMIT),
    coalesce,
    batchMax: integer("batchMax", options.batchMax, eachAlone ? 1 : 10_000),
    batchBytesMax: integer("batchBytesMax", options.batchBytesMax, 8 * 1024 * 1024),
    highWaterMark: integer("highWaterMark", options.highWaterMark, 100_000),
    capacity: integer("capacity", options.capacity, 4_000_000),
    maxAttempts: integer("retry.maxAttempts", retry.maxAttempts, 8),
    backoffMs,
    backoffMaxMs,
    writeTimeoutMs: duration("writeTimeout", options.writeTimeout, 30_000, 1),
    flushTimeoutMs: duration("flushTimeout", options.flushTimeout, 60_000),
  };
}

/** The adapter, checked to have the shape of one before anything is opened. `argument` is what the caller named it. */
export function resolveAdapter(adapter: Adapter | undefined, argument = "adapter"): Adapter {
  for (const name of ["open", "write", "load", "scan", "sync", "close"] as const) {
    if (typeof adapter?.[name] !== "function") {
      throw new TypeError(
        `${argument} must be an adapter, such as sqlite({ filename }); it has no function ${name}`,
      );
    }
  }
  const valid = adapter as Adapter;
  const { lanesMax, levels, maxKeyBytes, maxValueBytes } = valid.capabilities ?? {};
  if (!(lanesMax >= 1) || !Array.isArray(levels) || !(maxKeyBytes > 0) || !(maxValueBytes > 0)) {
    throw new TypeError(`${argument}.capabilities must give lanesMax, levels, maxKeyBytes and maxValueBytes`);
  }
  return valid;
}

/** A duration in milliseconds; `Infinity` waits for ever. `undefined` means the default, `null` is a mistake. */
export function duration(name: string, value: number | undefined, defaultMs: number, leastMs = 0): number {
  if (value === undefined) return defaultMs;
  if (typeof value !== "number") throw new TypeError(`${name} must be a number of milliseconds`);
  if (!(value >= leastMs)) throw new RangeError(`${name} must be at least ${leastMs} milliseconds`);
  return value;
}

function integer(
  name: string,
  value: number | undefined,
  defaultValue: number,
  most = Number.MAX_SAFE_INTEGER,
): number {
  if (value === undefined) return defaultValue;
  if (typeof value !== "number") throw new TypeError(`${name} must be a number`);
  if (!Number.isSafeInteger(value) || value < 1 || value > most) {
    throw new RangeError(`${name} must be an integer from 1 to ${most}`);
  }
  return value;
}
