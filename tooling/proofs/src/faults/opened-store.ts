/**
 * A storage on a bench: its clock is moved by hand, its backend fails on demand, every call to it is written down,
 * and so is every event. Stands between the tests of faults and behaviour and the testkit's doubles.
 *
 * ```
 * storage ──▶ recording ──▶ faulty ──▶ (another double) ──▶ reference ──▶ ReferenceBackend
 * ```
 */

import {
  msgpackCodec,
  PersistentQueueStorage,
  type PersistentQueueStorageOptions,
  PersistentStorage,
  type PersistentStorageOptions,
} from "@leakdb/core";
import type { Adapter, Capabilities } from "@leakdb/core/adapter";
import {
  type FaultyAdapter,
  faultyAdapter,
  ManualClock,
  type RecordingAdapter,
  ReferenceBackend,
  recordingAdapter,
  referenceAdapter,
} from "@leakdb/testkit";
import { EventLog } from "./event-log.js";

export interface Bench {
  readonly clock: ManualClock;
  readonly backend: ReferenceBackend;
  readonly faulty: FaultyAdapter;
  readonly recording: RecordingAdapter;
}

export interface BenchOptions {
  /** Default: a new, empty one. */
  readonly backend?: ReferenceBackend;
  readonly clock?: ManualClock;
  readonly capabilities?: Partial<Capabilities>;
  /** Puts a further double around the reference adapter. */
  readonly wrap?: (inner: Adapter) => Adapter;
}

export type OpenedStore<Storage> = Bench & { readonly storage: Storage; readonly events: EventLog };

const codec = msgpackCodec();

/** The doubles without a storage, for tests of the opening. */
export function bench(options: BenchOptions = {}): Bench {
  const { backend = new ReferenceBackend(), clock = new ManualClock(), capabilities, wrap } = options;
  const reference = referenceAdapter({ name: "foobar.db", backend, capabilities });
  const faulty = faultyAdapter(wrap === undefined ? reference : wrap(reference), { clock });
  return { clock, backend, faulty, recording: recordingAdapter(faulty) };
}

/** A write-behind storage on a bench. */
export async function openBehind<V = unknown>(
  options: Partial<PersistentQueueStorageOptions> = {},
  parts: BenchOptions = {},
): Promise<OpenedStore<PersistentQueueStorage<V>>> {
  const made = bench(parts);
  const { recording, clock } = made;
  const storage = await PersistentQueueStorage.open<V>({ adapter: recording, clock, ...options });
  return { ...made, storage, events: new EventLog(storage) };
}

/** A write-through storage on a bench. */
export async function openThrough<V = unknown>(
  options: Partial<PersistentStorageOptions> = {},
  parts: BenchOptions = {},
): Promise<OpenedStore<PersistentStorage<V>>> {
  const made = bench(parts);
  const { recording, clock } = made;
  const storage = await PersistentStorage.open<V>({ adapter: recording, clock, ...options });
  return { ...made, storage, events: new EventLog(storage) };
}

/** What the backend holds, decoded, in the order of its keys. */
export function stored(backend: ReferenceBackend): Record<string, unknown> {
  const records = [...backend.records.values()].map(({ key, value }) => [key, codec.decode(value)] as const);
  return Object.fromEntries(records.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What memory holds, in the order of its keys. */
export function inMemory(storage: {
  entries(): IterableIterator<[string, unknown]>;
}): Record<string, unknown> {
  return Object.fromEntries([...storage.entries()].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The keys of each batch that was sent: `["a", "b"], ["a"]`; a clear stands as `clear:` and its prefix. */
export function sentKeys(recording: RecordingAdapter): string[][] {
  return recording.batches.map((batch) =>
    batch.map((mutation) => (mutation.type === "clear" ? `clear:${mutation.prefix}` : mutation.key)),
  );
}
