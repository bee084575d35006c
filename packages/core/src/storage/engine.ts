/**
 * The one engine behind the four storages: a store of memory, a writer, and for all but `DefaultStorage` a pipeline
 * that carries mutations onwards. The faces choose its parts; the lifecycle is written once, in `Lifecycle`.
 */

import type { Adapter } from "../adapter.js";
import { AdapterSession, openError } from "../worker/adapter-session.js";
import { AdapterSink } from "../worker/adapter-sink.js";
import { ProcessSink, type ProcessSinkOptions } from "../worker/process-sink.js";
import { Events } from "./events.js";
import { loadAll } from "./load-all.js";
import {
  checkOptionsOf,
  duration,
  type MemoryOptions,
  type PersistentOptions,
  type QueueOptions,
  type ResolvedQueueOptions,
  resolveAdapter,
  resolveMemoryOptions,
  resolveQueueOptions,
} from "./options.js";
import type { Pipeline } from "./pipeline.js";
import { Store } from "./store.js";
import { SyncWriter } from "./sync-writer.js";
import { ThroughWriter } from "./through-writer.js";
import { WriteBehind } from "./write-behind.js";
import { WriteThrough } from "./write-through.js";
import type { Mode, Writer } from "./writer.js";

export interface Engine<M extends Mode> {
  /** For `toString()`: the adapter's name, or the storage's. */
  readonly name: string;
  readonly store: Store;
  readonly writer: Writer<M>;
  readonly events: Events;
  readonly pipeline?: Pipeline;
  readonly session?: AdapterSession;
  readonly counters: Counters;
  readonly flushTimeoutMs: number;
}

export interface Counters {
  /** Batches that the backend or worker has answered. */
  batches: number;
}

export function memoryEngine(options: MemoryOptions): Engine<"sync"> {
  checkOptionsOf(options, "memory");
  const store = new Store(resolveMemoryOptions(options));
  return {
    name: "DefaultStorage",
    store,
    writer: new SyncWriter(store),
    events: new Events(),
    counters: { batches: 0 },
    flushTimeoutMs: Infinity,
  };
}

export function queueEngine(
  options: MemoryOptions & QueueOptions,
  worker: ProcessSinkOptions["worker"],
  takesBatches: boolean,
): Engine<"sync"> {
  checkOptionsOf(options, "queue");
  const memory = resolveMemoryOptions(options);
  const resolved = resolveQueueOptions(options, false);
  // One by one, each item is settled when it is done, and a close stops between two of them.
  const queue = takesBatches ? resolved : { ...resolved, batchMax: 1 };
  const store = new Store(memory);
  const events = new Events();
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
  const pipeline = new WriteBehind({
    table: store.table,
    versions: store.versions,
    events,
    clock: memory.clock,
    sink,
    lanes: queue.workers,
    options: queue,
    supersedes: false,
    sync: () => Promise.resolve(),
  });
  const writer = new SyncWriter(store, pipeline);
  return {
    name: "QueueStorage",
    store,
    writer,
    events,
    pipeline,
    counters,
    flushTimeoutMs: queue.flushTimeoutMs,
  };
}

/** Write-behind over an adapter, opened and loaded. @throws LEAKDB_OPEN_FAILED, LEAKDB_LOCKED, LEAKDB_CORRUPTION … */
export async function openBehind(options: PersistentOptions): Promise<Engine<"sync">> {
  const opened = await openParts(options);
  const { store, events, session, sink, lanes, queue } = opened;
  const pipeline = new WriteBehind({
    table: store.table,
    versions: store.versions,
    events,
    clock: store.clock,
    sink,
    lanes,
    options: queue,
    supersedes: true,
    sync: () => session.sync(),
  });
  const writer = new SyncWriter(store, pipeline);
  return { ...engineOf(opened), writer, pipeline };
}

/** Write-through over an adapter, opened and loaded. @throws as `openBehind` */
export async function openThrough(options: PersistentOptions): Promise<Engine<"promise">> {
  const opened = await openParts(options);
  const { store, events, session, sink, lanes, queue } = opened;
  const pipeline = new WriteThrough({
    versions: store.versions,
    events,
    clock: store.clock,
    sink,
    session,
    lanes,
    options: queue,
  });
  const writer = new ThroughWriter(store, pipeline, session, queue);
  return { ...engineOf(opened), writer, pipeline };
}

/** What both engines over an adapter have alike. */
function engineOf({ adapter, store, events, session, counters, queue }: OpenedParts) {
  return { name: adapter.name, store, events, session, counters, flushTimeoutMs: queue.flushTimeoutMs };
}

interface OpenedParts {
  readonly adapter: Adapter;
  readonly store: Store;
  readonly events: Events;
  readonly session: AdapterSession;
  readonly sink: AdapterSink;
  readonly lanes: number;
  readonly queue: ResolvedQueueOptions;
  readonly counters: Counters;
}

/** Everything is checked before anything is opened; what was opened is closed again when the rest fails. */
async function openParts(options: PersistentOptions): Promise<OpenedParts> {
  const adapter = resolveAdapter(options?.adapter);
  checkOptionsOf(options, "persistent");
  const memory = resolveMemoryOptions(options);
  const queue = resolveQueueOptions(options, true);
  const { onProgress } = options;
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new TypeError("onProgress must be a function");
  }
  const openTimeoutMs = duration("openTimeout", options.openTimeout, 60_000, 1);
  const store = new Store(memory, adapter.capabilities.maxKeyBytes);
  const events = new Events();
  const counters: Counters = { batches: 0 };
  const onFault = (error: Error): void => events.emit("fault", error);
  const session = new AdapterSession(adapter, { ...queue, openTimeoutMs, clock: memory.clock, onFault });
  session.claim();
  try {
    const { highVersion } = await session.open();
    await loadAll(store, session, onProgress);
    store.versions.observe(highVersion);
  } catch (cause) {
    await session.close().catch(onFault);
    throw openError(cause, adapter.name);
  }
  const sink = new AdapterSink(session, memory.codec, () => {
    counters.batches += 1;
  });
  const lanes = Math.min(queue.workers, adapter.capabilities.lanesMax);
  return { adapter, store, events, session, sink, lanes, queue, counters };
}
