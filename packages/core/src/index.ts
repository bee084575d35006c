/**
 * LeakDB: a memory-first key-value store. Start with `PersistentQueueStorage` and an adapter package, or with
 * `DefaultStorage` for memory alone.
 */

export type { Adapter, Clock } from "./adapter.js";
export { systemClock } from "./clock.js";
export type { Codec } from "./codec/codec.js";
export { jsonCodec } from "./codec/json-codec.js";
export { msgpackCodec } from "./codec/msgpack-codec.js";
export { copy } from "./copy/copy.js";
export type { CopyOptions, CopyProgress, CopyReport } from "./copy/copy-options.js";
export { ERROR_CODES, type ErrorCode, isLeakDBError, LeakDBError } from "./errors.js";
export type { JournalSync } from "./journal/group-commit.js";
export type { JournalFile, JournalFiles } from "./journal/journal-files.js";
export type { RecoveryReport } from "./journal/recovery-report.js";
export { type SalvageOptions, type SalvageReport, salvage } from "./journal/salvage.js";
export { isKey } from "./key.js";
export type { DeadLetter, Unwritten } from "./reports.js";
export { type Closable, type CloseOnSignalOptions, closeOnSignal } from "./storage/close-on-signal.js";
export { DefaultStorage, type DefaultStorageOptions } from "./storage/default-storage.js";
export type { StorageEvents, StorageListener } from "./storage/events.js";
export type { JournalOptions } from "./storage/journal-options.js";
export type { JournalStats } from "./storage/journal-stats.js";
export type { CloseOptions, FlushOptions, PersistedOptions, WaitingOptions } from "./storage/lifecycle.js";
export type {
  ClearOptions,
  CounterOf,
  EntriesInput,
  Entry,
  ExpiryOptions,
  IncrOptions,
  KeyOptions,
  Promised,
  RangeOptions,
  Reads,
  SetOptions,
  Writes,
} from "./storage/operations.js";
export type {
  DurabilityLevel,
  JournaledOptions,
  MemoryOptions,
  OpenProgress,
  PersistentOptions,
  QueueOptions,
  RetryOptions,
  ValuePolicy,
} from "./storage/options.js";
export {
  PersistentQueueStorage,
  type PersistentQueueStorageOptions,
} from "./storage/persistent-queue-storage.js";
export { PersistentStorage, type PersistentStorageOptions } from "./storage/persistent-storage.js";
export { QueueStorage, type QueueStorageOptions } from "./storage/queue-storage.js";
export type { StorageStats } from "./storage/stats.js";
export type { Namespace, NamespaceOptions, PromisedNamespace } from "./storage/view.js";
export type { QueueItem, WorkerContext, WorkerProcess, WorkerProcessBatch } from "./worker/process-sink.js";
