/**
 * The one engine behind the four storages: a store of memory, a writer, and for all but the plainest a pipeline that
 * carries mutations onwards, with a journal before it if one is asked for. The faces choose its parts; the lifecycle is
 * written once, in `Lifecycle`.
 */

import type { AdapterSession } from "../worker/adapter-session.js";
import { ProcessSink, type ProcessSinkOptions } from "../worker/process-sink.js";
import type { Sink } from "../worker/sink.js";
import { Events } from "./events.js";
import { JournalOnly } from "./journal-only.js";
import { resolveJournalOptions } from "./journal-options.js";
import type { Journaling } from "./journaling.js";
import { behindJournal, openJournaling, pendingItems, recoverJournal } from "./open-journal.js";
import {
  checkOptionsOf,
  type DurabilityLevel,
  type JournaledOptions,
  type MemoryOptions,
  progressOf,
  type QueueOptions,
  type ResolvedMemoryOptions,
  type ResolvedQueueOptions,
  requireNoJournal,
  resolveMemoryOptions,
  resolveQueueOptions,
} from "./options.js";
import type { Pipeline } from "./pipeline.js";
import { RecoveredItems } from "./recovered-items.js";
import { RecoveredTable } from "./recovered-table.js";
import { Store } from "./store.js";
import { SyncWriter } from "./sync-writer.js";
import { WriteBehind } from "./write-behind.js";
import type { Mode, Writer } from "./writer.js";

export interface Engine<M extends Mode> {
  /** For `toString()`: the adapter's name, or the storage's. */
  readonly name: string;
  readonly store: Store;
  readonly writer: Writer<M>;
  readonly events: Events;
  readonly pipeline?: Pipeline;
  readonly journal?: Journaling | undefined;
  readonly session?: AdapterSession;
  readonly counters: Counters;
  readonly flushTimeoutMs: number;
  /** The levels beyond `memory` that can be waited for, the one that is meant by default first. */
  readonly levels: readonly DurabilityLevel[];
}

export interface Counters {
  /** Batches that the backend or worker has answered. */
  batches: number;
}

/** Milliseconds that a wait without a `timeout` takes where no option says so. */
const FLUSH_TIMEOUT_MS = 60_000;

export function memoryEngine(options: MemoryOptions & JournaledOptions): Engine<"sync"> {
  checkOptionsOf(options, "memory");
  requireNoJournal(options, "DefaultStorage");
  const store = new Store(resolveMemoryOptions(options));
  return {
    name: "DefaultStorage",
    store,
    writer: new SyncWriter(store),
    events: new Events(),
    counters: { batches: 0 },
    flushTimeoutMs: Infinity,
    levels: [],
  };
}

/** Memory with a journal behind it, recovered. @throws LEAKDB_LOCKED, LEAKDB_CORRUPTION, LEAKDB_OPEN_FAILED … */
export async function openMemory(options: MemoryOptions & JournaledOptions): Promise<Engine<"sync">> {
  if (options?.journal === undefined) return memoryEngine(options);
  checkOptionsOf(options, "memory");
  const memory = resolveMemoryOptions(options);
  const journalOptions = resolveJournalOptions(options.journal);
  const onProgress = progressOf(options);
  const store = new Store(memory);
  const events = new Events();
  const recovered = new RecoveredTable(store, false);
  const journal = await openJournaling(journalOptions, store, events, async (opened) => {
    const report = await recoverJournal(opened, { kind: "memory", storeId: "" }, recovered, onProgress);
    onProgress?.({ phase: "journal", loaded: report.entries, done: true });
    return report;
  });
  const pipeline = new JournalOnly({ table: store.table, clock: memory.clock, events, journal });
  return {
    name: "DefaultStorage",
    store,
    writer: new SyncWriter(store, pipeline),
    events,
    pipeline,
    journal,
    counters: { batches: 0 },
    flushTimeoutMs: FLUSH_TIMEOUT_MS,
    levels: journal.isAwaitable ? ["journaled"] : [],
  };
}

/** The parts of a `QueueStorage`, checked; nothing is open. */
interface QueueParts {
  readonly memory: ResolvedMemoryOptions;
  readonly queue: ResolvedQueueOptions;
  readonly store: Store;
  readonly events: Events;
  readonly counters: Counters;
  readonly sink: Sink;
}

export function queueEngine(
  options: MemoryOptions & QueueOptions & JournaledOptions,
  worker: ProcessSinkOptions["worker"],
  takesBatches: boolean,
): Engine<"sync"> {
  requireNoJournal(options, "QueueStorage");
  return queueEngineOf(queueParts(options, worker, takesBatches));
}

/** A queue with a journal before it, recovered. @throws LEAKDB_LOCKED, LEAKDB_CORRUPTION, LEAKDB_OPEN_FAILED … */
export async function openQueue(
  options: MemoryOptions & QueueOptions & JournaledOptions,
  worker: ProcessSinkOptions["worker"],
  takesBatches: boolean,
): Promise<Engine<"sync">> {
  const parts = queueParts(options, worker, takesBatches);
  if (options.journal === undefined) return queueEngineOf(parts);
  const journalOptions = resolveJournalOptions(options.journal);
  const onProgress = progressOf(options);
  const recovered = new RecoveredItems(parts.store, parts.queue.coalesce);
  const journal = await openJournaling(journalOptions, parts.store, parts.events, async (opened) => {
    const report = await recoverJournal(opened, { kind: "queue", storeId: "" }, recovered, onProgress);
    onProgress?.({ phase: "journal", loaded: report.entries, done: true });
    return report;
  });
  return queueEngineOf(parts, journal, recovered);
}

function queueParts(
  options: MemoryOptions & QueueOptions,
  worker: ProcessSinkOptions["worker"],
  takesBatches: boolean,
): QueueParts {
  checkOptionsOf(options, "queue");
  const memory = resolveMemoryOptions(options);
  const resolved = resolveQueueOptions(options, false);
  // One by one, each item is settled when it is done, and a close stops between two of them.
  const queue = takesBatches ? resolved : { ...resolved, batchMax: 1 };
  const store = new Store(memory);
  const counters: Counters = { batches: 0 };
  const sink = new ProcessSink({
    clock: memory.clock,
    writeTimeoutMs: queue.writeTimeoutMs,
    read: (stored, key) => store.fromStored(stored, memory.values, key),
    worker,
    onWritten: () => {
      counters.batches += 1;
    },
  });
  return { memory, queue, store, events: new Events(), counters, sink };
}

function queueEngineOf(
  { memory, queue, store, events, counters, sink }: QueueParts,
  journal?: Journaling,
  recovered?: RecoveredItems,
): Engine<"sync"> {
  const pipeline = new WriteBehind({
    table: store.table,
    versions: store.versions,
    events,
    clock: memory.clock,
    sink: behindJournal(sink, journal),
    lanes: queue.workers,
    options: queue,
    supersedes: false,
    notesDone: true,
    journal,
    sync: () => Promise.resolve(),
  });
  if (recovered !== undefined) pipeline.restore(pendingItems(recovered, store, queue.coalesce));
  return {
    name: "QueueStorage",
    store,
    writer: new SyncWriter(store, pipeline.intake),
    events,
    pipeline,
    journal,
    counters,
    flushTimeoutMs: queue.flushTimeoutMs,
    levels: journal?.isAwaitable ? ["stored", "journaled"] : ["stored"],
  };
}
