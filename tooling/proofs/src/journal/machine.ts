/**
 * A machine on which journaled storages live and die: a simulated disk for the journal, a backend that fails on demand,
 * and a clock moved by hand. What a crash leaves of a storage is what the next one that is opened here finds.
 *
 * ```
 * open ─▶ storage ─▶ kill() / crash() ─▶ open ─▶ storage …
 *            │ journal  ─▶ SimulatedDisk       kill: written is there; crash: synced is there, the rest by the seed
 *            └ backend  ─▶ ReferenceBackend    keeps what it acknowledged
 * ```
 *
 * Each life has a clock of its own, so that nothing of a dead storage runs on.
 */

import {
  DefaultStorage,
  type DefaultStorageOptions,
  type JournalOptions,
  PersistentQueueStorage,
  type PersistentQueueStorageOptions,
  QueueStorage,
  type QueueStorageOptions,
} from "@leakdb/core";
import {
  type CrashOptions,
  type FaultyAdapter,
  ManualClock,
  type RecordingAdapter,
  type ReferenceBackend,
  SimulatedDisk,
} from "@leakdb/testkit";
import { EventLog } from "../faults/event-log.js";
import { type BenchOptions, bench } from "../faults/opened-store.js";

/** Where the journal of every storage here is. */
export const JOURNAL = "/journal";

export interface Living<Storage> {
  readonly storage: Storage;
  readonly events: EventLog;
}

export interface LivingBehind<V> extends Living<PersistentQueueStorage<V>> {
  readonly faulty: FaultyAdapter;
  readonly recording: RecordingAdapter;
}

type Journal = Partial<JournalOptions>;

export class Machine {
  readonly disk = new SimulatedDisk();
  /** Of this life. */
  clock = new ManualClock();
  backend: ReferenceBackend = bench().backend;

  journal(options: Journal = {}): JournalOptions {
    return { directory: JOURNAL, files: this.disk.files, ...options };
  }

  async openDefault<V = unknown>(
    journal: Journal = {},
    options: DefaultStorageOptions = {},
  ): Promise<Living<DefaultStorage<V>>> {
    const { clock } = this;
    const storage = await DefaultStorage.open<V>({ clock, ...options, journal: this.journal(journal) });
    return { storage, events: new EventLog(storage) };
  }

  async openQueue<V = unknown>(
    options: QueueStorageOptions<V>,
    journal: Journal = {},
  ): Promise<Living<QueueStorage<V>>> {
    const { clock } = this;
    const storage = await QueueStorage.open<V>({ clock, ...options, journal: this.journal(journal) });
    return { storage, events: new EventLog(storage) };
  }

  async openBehind<V = unknown>(
    options: Partial<PersistentQueueStorageOptions> = {},
    journal: Journal = {},
    parts: Omit<BenchOptions, "backend" | "clock"> = {},
  ): Promise<LivingBehind<V>> {
    const { clock, backend } = this;
    const { faulty, recording } = bench({ ...parts, backend, clock });
    const storage = await PersistentQueueStorage.open<V>({
      ...{ adapter: recording, clock, ...options },
      journal: this.journal(journal),
    });
    return { storage, events: new EventLog(storage), faulty, recording };
  }

  /** SIGKILL, and `downMs` until the next start. */
  kill(downMs = 0): void {
    this.disk.kill();
    this.#nextLife(downMs);
  }

  /** A power cut: of the journal only what was synced is sure. The backend keeps all it acknowledged. */
  crash(options: CrashOptions = { unsynced: "dropped" }, downMs = 0): void {
    this.disk.crash(options);
    this.#nextLife(downMs);
  }

  /** The journal's files, all bytes of them. */
  files(): Map<string, string> {
    return new Map(
      this.disk
        .names(JOURNAL)
        .map((name) => [name, this.disk.contents(`${JOURNAL}/${name}`).toString("hex")]),
    );
  }

  /** The path of the journal's newest file. */
  get lastFile(): string {
    return `${JOURNAL}/${this.disk.names(JOURNAL).at(-1)}`;
  }

  #nextLife(downMs: number): void {
    this.clock = new ManualClock(this.clock.now() + downMs);
    this.backend.owner = undefined;
  }
}

/** Lets everything that can go on without time passing go on: a few dozen turns of the event loop. */
export async function turns(count = 40): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}
