/**
 * The adapter itself, as it runs in the thread: plain synchronous LMDB behind the contract of core.
 *
 * Keeps:
 * - A batch is one transaction, with the highest version it carries, synced before it is acknowledged: all or none,
 *   whatever dies.
 * - Between two clears a batch is applied in the order of its keys, for locality; a clear stays where it stands. So
 *   one key's mutations stay in version order (I1), and no older version replaces a newer one.
 * - LMDB maps only a file whose pages were found sound, and each record's checksum is looked at before it is served.
 * - After an error that makes the environment suspect, nothing is served before it was closed, checked, and opened.
 * - Expired records are removed in small slices between calls; that is housekeeping, and no one waits for it.
 */

import { statSync } from "node:fs";
import {
  type Adapter,
  type AdapterContext,
  AdapterError,
  type AdapterState,
  type Capabilities,
  DirectoryLock,
  type Mutation,
  type StoredRecord,
  type WriteResult,
} from "@leakdb/core/adapter";
import { BatchWriter } from "./batch-writer.js";
import { inspectDataFile } from "./data-file.js";
import {
  claimDirectory,
  closeEnvironment,
  dataPath,
  type Environment,
  type LmdbSettings,
  openEnvironment,
} from "./environment.js";
import { isSuspect, openError, runningError } from "./lmdb-errors.js";
import { decodeRecord } from "./record.js";

const PAGE_ROWS_MAX = 1000;
/** A page ends with the record that reaches this. */
const PAGE_BYTES_MAX = 512 * 1024;

const SWEEP_ROWS = 1000;
/** Between two looks for expired records, and between two slices while there are more. */
const SWEEP_INTERVAL_MS = 30_000;
const SWEEP_PAUSE_MS = 50;

interface Opened {
  readonly environment: Environment;
  readonly writer: BatchWriter;
}

export class LmdbStore implements Adapter {
  readonly name: string;
  /** Those that `lmdb()` declares count; the thread is asked for none. */
  readonly capabilities: Capabilities = {
    atomicBatch: true,
    ordered: true,
    lanesMax: 1,
    levels: ["stored", "synced"],
    maxKeyBytes: Number.POSITIVE_INFINITY,
    maxValueBytes: Number.POSITIVE_INFINITY,
  };
  readonly #settings: LmdbSettings;
  /** The directory's own path, all links followed. */
  #path = "";
  /** Tells the data file from another one that was put in its place. */
  #inode = 0;
  #storeId = "";
  #context: AdapterContext | undefined;
  #lock: DirectoryLock | undefined;
  #opened: Opened | undefined;
  #sweepTimer: unknown;

  constructor(settings: LmdbSettings) {
    this.#settings = settings;
    this.name = settings.path;
  }

  async open(context: AdapterContext): Promise<AdapterState> {
    try {
      this.#path = claimDirectory(this.#settings.path);
      // What is somebody else's must not get so much as a lock; what is ours may be read once it is locked.
      if (!DirectoryLock.isKnownIn(this.#path)) inspectDataFile(dataPath(this.#path));
      this.#lock = await DirectoryLock.take(this.#path);
      const { writer } = this.#openChecked();
      this.#inode = statSync(dataPath(this.#path)).ino;
      const { storeId, highVersion } = writer.mark;
      this.#storeId = storeId;
      this.#context = context;
      this.#sweepLater(SWEEP_INTERVAL_MS);
      return { storeId, highVersion, bytes: this.#bytes() };
    } catch (error) {
      this.#release();
      throw openError(this.name, error);
    }
  }

  async write(batch: readonly Mutation[]): Promise<WriteResult> {
    return this.#use("write", ({ writer }) => {
      this.#requireSameFile();
      writer.write(batch);
      return { bytes: this.#bytes() };
    });
  }

  async load(keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
    return this.#use("load from", ({ environment }) => {
      const found = keys.map((key) => {
        const bytes = environment.records.getBinary(key);
        return bytes === undefined ? undefined : decodeRecord(key, bytes);
      });
      environment.records.resetReadTxn();
      return found;
    });
  }

  async *scan(range: { readonly prefix?: string; readonly after?: string }): AsyncGenerator<StoredRecord[]> {
    const { prefix = "", after } = range;
    // The least string above a key is that key and a NUL.
    let from = after !== undefined && !isBelowPrefix(after, prefix) ? `${after}\0` : prefix;
    for (;;) {
      const page = this.#use("scan", ({ environment }) => readPage(environment, from, prefix));
      const last = page.at(-1);
      if (last === undefined) return;
      from = `${last.key}\0`;
      yield page;
    }
  }

  async sync(): Promise<void> {
    // Every commit was synced when it was acknowledged; into a file that is gone, it was in vain.
    this.#use("sync", () => this.#requireSameFile());
  }

  async close(): Promise<void> {
    this.#release();
  }

  #release(): void {
    this.#context?.clock.clearTimeout(this.#sweepTimer);
    this.#context = undefined;
    this.#shut();
    this.#lock?.release();
    this.#lock = undefined;
  }

  #shut(): void {
    if (this.#opened !== undefined) closeEnvironment(this.#opened.environment.root);
    this.#opened = undefined;
  }

  /** Runs `work` on the environment, opened and checked anew first if the call before found it suspect. */
  #use<Result>(action: string, work: (opened: Opened) => Result): Result {
    let step = "open again";
    try {
      this.#opened ??= this.#reopen();
      step = action;
      return work(this.#opened);
    } catch (error) {
      if (isSuspect(error)) this.#shut();
      throw runningError(this.name, step, error);
    }
  }

  #openChecked(): Opened {
    const found = inspectDataFile(dataPath(this.#path));
    const { environment, mark } = openEnvironment(this.#path, found);
    this.#opened = { environment, writer: new BatchWriter(environment, mark) };
    return this.#opened;
  }

  #reopen(): Opened {
    if (this.#lock === undefined) throw new AdapterError(`${this.name} is closed`, { kind: "permanent" });
    this.#requireSameFile();
    const found = inspectAgain(dataPath(this.#path));
    if (found?.storeId === this.#storeId) return this.#openChecked();
    throw new AdapterError(`${this.name}: it is another store than before; put the former one back`, {
      kind: "transient",
      code: "LEAKDB_CORRUPTION",
    });
  }

  /** What is written to a file that was moved or deleted would be gone with this process. */
  #requireSameFile(): void {
    if (statSync(dataPath(this.#path), { throwIfNoEntry: false })?.ino === this.#inode) return;
    throw new AdapterError(`${this.name} was moved, deleted or replaced while it was open; put it back`, {
      kind: "transient",
    });
  }

  #bytes(): number {
    return statSync(dataPath(this.#path), { throwIfNoEntry: false })?.size ?? 0;
  }

  #sweepLater(delayMs: number): void {
    this.#sweepTimer = this.#context?.clock.setTimeout(() => this.#sweep(), delayMs, true);
  }

  #sweep(): void {
    const context = this.#context;
    if (context === undefined) return;
    let found = 0;
    try {
      found = this.#use("remove expired records from", ({ environment, writer }) => {
        this.#requireSameFile();
        // A reader that was killed keeps what it saw from being overwritten, and the file would grow without end.
        environment.root.readerCheck();
        return writer.sweep(context.clock.now(), SWEEP_ROWS);
      });
    } catch (error) {
      context.report(error as AdapterError);
    }
    this.#sweepLater(found === SWEEP_ROWS ? SWEEP_PAUSE_MS : SWEEP_INTERVAL_MS);
  }
}

/** Damage that is met while a store runs may be mended below it: then it goes on. */
function inspectAgain(path: string): ReturnType<typeof inspectDataFile> {
  try {
    return inspectDataFile(path);
  } catch (error) {
    if (!(error instanceof AdapterError)) throw error;
    const code = error.code === undefined ? {} : { code: error.code };
    throw new AdapterError(error.message, { kind: "transient", ...code, cause: error });
  }
}

/** True when `after` sorts below every key of `prefix`, in the order of UTF-8 bytes. */
function isBelowPrefix(after: string, prefix: string): boolean {
  return Buffer.compare(Buffer.from(after), Buffer.from(prefix)) < 0;
}

function readPage({ records }: Environment, from: string, prefix: string): StoredRecord[] {
  const page: StoredRecord[] = [];
  let bytes = 0;
  for (const { key, value } of records.getRange({ start: from, limit: PAGE_ROWS_MAX })) {
    if (!key.startsWith(prefix)) break;
    page.push(decodeRecord(key, value));
    bytes += value.byteLength;
    if (bytes >= PAGE_BYTES_MAX) break;
  }
  records.resetReadTxn();
  return page;
}
