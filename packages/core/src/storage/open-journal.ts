/**
 * Opening with a journal: the lock first, then the backend if there is one, then the journal, then the backend's records,
 * of which those are taken that the journal has nothing newer of. What was opened is closed again when the rest fails.
 */

import type { EntryVisitor } from "../journal/entry.js";
import { JournalLog, SEGMENT_BYTES } from "../journal/journal-log.js";
import type { RecoveryProgress } from "../journal/recovery.js";
import type { RecoveryReport } from "../journal/recovery-report.js";
import type { JournalIdentity } from "../journal/segment-header.js";
import { WAITING } from "../memory/marks.js";
import { type Item, newItem } from "../queue/item.js";
import { openError } from "../worker/adapter-session.js";
import { JournaledSink } from "../worker/journaled-sink.js";
import type { Sink } from "../worker/sink.js";
import type { Events } from "./events.js";
import type { ResolvedJournalOptions } from "./journal-options.js";
import { Journaling } from "./journaling.js";
import type { OpenProgress } from "./options.js";
import type { RecoveredItems } from "./recovered-items.js";
import type { Pending } from "./recovered-table.js";
import type { Store } from "./store.js";
import type { RestoredWork } from "./write-behind.js";

/** A segment is an eighth of the journal at most, so that it can be kept within its bound. */
const SEGMENTS_LEAST = 8;

/** A journal that is locked and, from `begin` on, written to. */
export interface OpenedJournal {
  readonly log: JournalLog;
  readonly options: ResolvedJournalOptions;
}

/** Takes the lock. @throws LEAKDB_LOCKED, LEAKDB_CORRUPTION, LEAKDB_OPEN_FAILED */
async function lockJournal(
  options: ResolvedJournalOptions,
  onFault: (error: Error) => void,
): Promise<OpenedJournal> {
  const { files, directory, maxBytes } = options;
  const segmentBytes = Math.min(SEGMENT_BYTES, Math.ceil(maxBytes / SEGMENTS_LEAST));
  return journalStep(options, async () => ({
    log: await JournalLog.open({ files, directory, segmentBytes, onFault }),
    options,
  }));
}

/** Reads the journal. @throws LEAKDB_CORRUPTION, LEAKDB_DECODE_FAILED, LEAKDB_OPEN_FAILED */
export function recoverJournal(
  { log, options }: OpenedJournal,
  identity: JournalIdentity,
  visitor: { visit: EntryVisitor },
  onProgress: ((progress: OpenProgress) => void) | undefined,
): Promise<RecoveryReport> {
  const progress = ({ entries }: RecoveryProgress): void =>
    onProgress?.({ phase: "journal", loaded: entries, done: false });
  const visit: EntryVisitor = (kind, key, version, expiresAt, value) =>
    visitor.visit(kind, key, version, expiresAt, value);
  return journalStep(options, () => log.recover(identity, visit, progress));
}

/** From now on it is written to. @throws LEAKDB_OPEN_FAILED */
function beginJournal({ log, options }: OpenedJournal): Promise<void> {
  return journalStep(options, () => log.begin());
}

/**
 * The journal of a storage, ready for what comes next. `recover` reads it, and the backend behind it.
 * @throws as the steps above, and what `recover` throws
 */
export async function openJournaling(
  options: ResolvedJournalOptions,
  store: Store,
  events: Events,
  recover: (opened: OpenedJournal) => Promise<RecoveryReport>,
): Promise<Journaling> {
  const onFault = (error: Error): void => events.emit("fault", error);
  const opened = await lockJournal(options, onFault);
  try {
    const recovery = await recover(opened);
    await beginJournal(opened);
    return new Journaling({ log: opened.log, options, store, events, recovery });
  } catch (error) {
    await opened.log.close(false).catch(onFault);
    throw error;
  }
}

/** The sink as lanes are to see it. */
export function behindJournal(sink: Sink, journal: Journaling | undefined): Sink {
  return journal === undefined ? sink : new JournaledSink(sink, (version) => journal.gate(version));
}

async function journalStep<T>({ directory }: ResolvedJournalOptions, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    throw openError(cause, `the journal ${directory}`);
  }
}

/** What a backend is still to get, as the queue takes it over. */
export function pendingWork(
  { slots, clears, letters }: Pending,
  { table }: Store,
  coalesces: boolean,
): RestoredWork {
  if (coalesces) return { slots, clears, letters, items: [] };
  const items = slots.map((slot) => {
    const version = table.version(slot);
    const state = { key: table.key(slot), value: table.liveValue(slot), version };
    const type = state.value === undefined ? "delete" : "put";
    return newItem({ ...state, type, expiresAt: table.expiresAt(slot) });
  });
  for (const slot of slots) table.unmark(slot, WAITING);
  return { slots: [], clears, letters, items };
}

/** What a worker is still to get. */
export function pendingItems(recovered: RecoveredItems, { table }: Store, coalesces: boolean): RestoredWork {
  const { letters } = recovered;
  const all = recovered.take();
  const clears = all.filter(({ type }) => type === "clear");
  const items = all.filter(({ type }) => type !== "clear");
  if (!coalesces) return { slots: [], clears, letters, items };
  const slots = items.map(({ type, key, version }: Item) => {
    const known = table.find(key);
    const slot = known >= 0 ? known : table.insert(key);
    table.mark(slot, WAITING);
    if (type === "delete" || known < 0) table.remove(slot, version);
    return slot;
  });
  return { slots, clears, letters, items: [] };
}
