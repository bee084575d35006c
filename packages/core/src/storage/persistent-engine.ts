/**
 * The engines of the storages over an adapter: opened, with the journal before it where one is asked for, and read into
 * memory. What they are made of otherwise is in `engine.ts`.
 */

import type { Adapter } from "../adapter.js";
import { LeakDBError } from "../errors.js";
import { AdapterSession, openError } from "../worker/adapter-session.js";
import { AdapterSink } from "../worker/adapter-sink.js";
import type { Counters, Engine } from "./engine.js";
import { Events } from "./events.js";
import { type ResolvedJournalOptions, resolveJournalOptions } from "./journal-options.js";
import type { Journaling } from "./journaling.js";
import { loadAll } from "./load-all.js";
import { behindJournal, openJournaling, pendingWork, recoverJournal } from "./open-journal.js";
import {
  checkOptionsOf,
  type DurabilityLevel,
  duration,
  type PersistentOptions,
  progressOf,
  type ResolvedQueueOptions,
  resolveAdapter,
  resolveMemoryOptions,
  resolveQueueOptions,
} from "./options.js";
import { RecoveredTable } from "./recovered-table.js";
import { Store } from "./store.js";
import { SyncWriter } from "./sync-writer.js";
import { ThroughWriter } from "./through-writer.js";
import { WriteBehind } from "./write-behind.js";
import { WriteThrough } from "./write-through.js";

/** Write-behind over an adapter, opened and loaded. @throws LEAKDB_OPEN_FAILED, LEAKDB_LOCKED, LEAKDB_CORRUPTION … */
export async function openBehind(options: PersistentOptions): Promise<Engine<"sync">> {
  const journalOptions = options?.journal === undefined ? undefined : resolveJournalOptions(options.journal);
  const opened = await openParts(options, journalOptions);
  const { store, events, session, sink, lanes, queue, journal, recovered } = opened;
  const canSync = session.adapter.capabilities.levels.includes("synced");
  const pipeline = new WriteBehind({
    table: store.table,
    versions: store.versions,
    events,
    clock: store.clock,
    sink: behindJournal(sink, journal),
    lanes,
    options: queue,
    supersedes: true,
    journal,
    sync: () => (canSync ? session.sync() : Promise.resolve()),
  });
  if (recovered !== undefined) pipeline.restore(pendingWork(recovered.pending(), store, queue.coalesce));
  const writer = new SyncWriter(store, pipeline.intake);
  return { ...engineOf(opened), writer, pipeline };
}

/** Write-through over an adapter, opened and loaded. @throws as `openBehind` */
export async function openThrough(options: PersistentOptions): Promise<Engine<"promise">> {
  if (options?.journal !== undefined) {
    throw new LeakDBError(
      "LEAKDB_NOT_SUPPORTED",
      "PersistentStorage needs no journal: a write is stored when its promise resolves. Leave the option out",
    );
  }
  const opened = await openParts(options, undefined);
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
function engineOf({ adapter, store, events, session, counters, queue, journal }: OpenedParts) {
  const levels: DurabilityLevel[] = [...adapter.capabilities.levels];
  if (journal?.isAwaitable) levels.push("journaled");
  return {
    name: adapter.name,
    store,
    events,
    session,
    counters,
    flushTimeoutMs: queue.flushTimeoutMs,
    journal,
    levels,
  };
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
  readonly journal: Journaling | undefined;
  readonly recovered: RecoveredTable | undefined;
}

/** Everything is checked before anything is opened; what was opened is closed again when the rest fails. */
async function openParts(
  options: PersistentOptions,
  journalOptions: ResolvedJournalOptions | undefined,
): Promise<OpenedParts> {
  const adapter = resolveAdapter(options?.adapter);
  checkOptionsOf(options, "persistent");
  const memory = resolveMemoryOptions(options);
  const queue = resolveQueueOptions(options, true);
  const onProgress = progressOf(options);
  const openTimeoutMs = duration("openTimeout", options.openTimeout, 60_000, 1);
  const store = new Store(memory, adapter.capabilities.maxKeyBytes);
  const events = new Events();
  const counters: Counters = { batches: 0 };
  const onFault = (error: Error): void => events.emit("fault", error);
  const session = new AdapterSession(adapter, { ...queue, openTimeoutMs, clock: memory.clock, onFault });
  session.claim();
  const recovered = journalOptions && new RecoveredTable(store, true);
  let journal: Journaling | undefined;
  try {
    if (journalOptions === undefined || recovered === undefined) {
      const { highVersion } = await session.open();
      await loadAll(store, session, onProgress);
      store.versions.observe(highVersion);
    } else {
      journal = await openJournaling(journalOptions, store, events, async (opened) => {
        const { storeId, highVersion } = await session.open();
        const identity = { kind: "backend", storeId } as const;
        const report = await recoverJournal(opened, identity, recovered, onProgress);
        onProgress?.({ phase: "journal", loaded: report.entries, done: false });
        recovered.endOfJournal();
        await loadAll(recovered, session, onProgress);
        store.versions.observe(highVersion);
        return report;
      });
    }
  } catch (cause) {
    await session.close().catch(onFault);
    throw openError(cause, adapter.name);
  }
  const sink = new AdapterSink(session, memory.codec, () => {
    counters.batches += 1;
  });
  const lanes = Math.min(queue.workers, adapter.capabilities.lanesMax);
  return { adapter, store, events, session, sink, lanes, queue, counters, journal, recovered };
}
