/**
 * A small store as a directory of files, one a key: people can read it, git can keep and compare it, and it may lie on
 * a network disk. It stands where `sqlite()` stands: below the lanes of core, above a file system.
 *
 *     put:  ada-1f….record.unfinished ── written, fsync ── rename ──▶ ada-1f….record ── sync(): fsync of the directory
 *
 * Keeps:
 * - A file is its old self or its new one, whole, whatever crashes. A batch is not: its files go one by one.
 * - No file is believed: one whose checksum or name is wrong is `LEAKDB_CORRUPTION`, never a value.
 * - Never an older version over a newer one. The highest version outlives deletes, in the record of the key "".
 * - `write` rejects as transient only while no record has been touched. When it has settled, and when `close` has
 *   resolved, nothing is under way.
 */

import { randomUUID } from "node:crypto";
import { access, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import {
  type Adapter,
  type AdapterContext,
  AdapterError,
  type AdapterState,
  checkOptionNames,
  type FailureKind,
  type Mutation,
  type StoredRecord,
  type WriteResult,
} from "@leakdb/core/adapter";
import { ownDirectory } from "./directory-owner.js";
import { damaged, decodeRecord, encodeRecord, RECORD_SUFFIX, recordFileName } from "./record-file.js";

const UNFINISHED = ".unfinished";
/** Of the store's own record: its value is the store id, its version the highest deleted or cleared. No user has it. */
const STORE_KEY = "";
/** Files under way at once: Node has four threads for them, and a few more keep those busy. */
const PARALLEL = 8;
const PAGE_RECORDS = 64;

/** Keeps each record in a file of `directory`, which exists, and is the store's alone. @throws TypeError */
export function files(options: { readonly directory: string }): Adapter {
  checkOptionNames(options, ["directory"], "files");
  return new FilesAdapter(resolve(options.directory));
}

class FilesAdapter implements Adapter {
  readonly name: string;
  readonly capabilities = {
    atomicBatch: false,
    ordered: true,
    lanesMax: 1,
    levels: process.platform === "win32" ? (["stored"] as const) : (["stored", "synced"] as const),
    maxKeyBytes: Number.POSITIVE_INFINITY,
    maxValueBytes: 1_048_576,
  };
  readonly #directory: string;
  /** The version of each key there is. */
  readonly #versions = new Map<string, number>();
  #storeId = "";
  #isOpen = false;
  #disown: (() => Promise<void>) | undefined;
  #hasFailedSync = false;
  #lastTurn: Promise<unknown> = Promise.resolve();

  constructor(directory: string) {
    this.name = basename(directory);
    this.#directory = directory;
  }

  open({ signal }: AdapterContext): Promise<AdapterState> {
    return this.#inTurn(async () => {
      let disown: (() => Promise<void>) | undefined;
      try {
        signal.throwIfAborted();
        disown = await ownDirectory(this.#directory);
        await this.#readAll(signal);
      } catch (cause) {
        await disown?.();
        throw failure("its directory", "transient", cause);
      }
      this.#disown = disown;
      this.#isOpen = true;
      return { storeId: this.#storeId, highVersion: highest(this.#versions.values()), bytes: 0 };
    });
  }

  write(batch: readonly Mutation[], { signal }: { readonly signal: AbortSignal }): Promise<WriteResult> {
    let hasBegun = false;
    const begin = (): void => {
      this.#mustBeOpen();
      signal.throwIfAborted();
      hasBegun = true;
    };
    return this.#inTurn(async () => {
      try {
        for (const part of this.#partsOf(batch)) await inParallel(part, (each) => this.#apply(each, begin));
        return { bytes: 0 };
      } catch (cause) {
        throw failure(`${this.name} cannot be written`, hasBegun ? "ambiguous" : "transient", cause);
      }
    });
  }

  async load(keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
    this.#mustBeOpen();
    try {
      await access(this.#path(STORE_KEY)); // a directory that is away has no misses
      return await inParallel(keys, (key) => this.#read(key));
    } catch (cause) {
      throw failure(`${this.name} cannot be read`, "transient", cause);
    }
  }

  async *scan({ prefix = "", after = "" }): AsyncGenerator<StoredRecord[]> {
    this.#mustBeOpen();
    const all = this.#keys(prefix).map((key) => Buffer.from(key));
    const keys = all.filter((key) => Buffer.compare(key, Buffer.from(after)) > 0);
    keys.sort(Buffer.compare); // by UTF-8 bytes, which is not the order of JavaScript's strings
    for (let start = 0; start < keys.length; start += PAGE_RECORDS) {
      const page = await this.load(keys.slice(start, start + PAGE_RECORDS).map(String));
      yield page.filter((record) => record !== undefined);
    }
  }

  async sync(): Promise<void> {
    this.#mustBeOpen();
    if (this.#hasFailedSync) throw new AdapterError("a sync has failed: start anew", { kind: "permanent" });
    const directory = await open(this.#directory);
    try {
      await directory.sync();
    } catch (error) {
      this.#hasFailedSync = true; // asked again, a system says yes for what it has dropped
      throw error;
    } finally {
      await directory.close();
    }
  }

  close(): Promise<void> {
    this.#isOpen = false; // a write under way stops before its next file
    return this.#inTurn(async () => {
      const disown = this.#disown;
      this.#disown = undefined;
      await disown?.();
    });
  }

  /** Openings, writes and closes, one after another. */
  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#lastTurn.then(work);
    this.#lastTurn = turn.catch(() => undefined);
    return turn;
  }

  #mustBeOpen(): void {
    if (!this.#isOpen) throw new AdapterError(`${this.name} is not open`, { kind: "transient" });
  }

  async #readAll(signal: AbortSignal): Promise<void> {
    const names = await readdir(this.#directory);
    await inParallel(names, async (name) => name.endsWith(UNFINISHED) && rm(join(this.#directory, name)));
    const files = names.filter((name) => name.endsWith(RECORD_SUFFIX));
    if (files.length === 0) files.push(await this.#save(this.#storeRecord(0, randomUUID())));
    this.#versions.clear();
    await inParallel(files, async (file) => {
      signal.throwIfAborted();
      const { key, version, value } = decodeRecord(file, await readFile(join(this.#directory, file)));
      this.#versions.set(key, version);
      if (key === STORE_KEY) this.#storeId = String(value);
    });
    if (!this.#versions.has(STORE_KEY)) throw damaged(recordFileName(STORE_KEY));
  }

  #storeRecord(version: number, storeId = this.#storeId) {
    return { type: "put", key: STORE_KEY, value: Buffer.from(storeId), version, expiresAt: 0 } as const;
  }

  /** Parts whose mutations are of different keys. The highest version is kept before what it outlives is removed. */
  #partsOf(batch: readonly Mutation[]): Mutation[][] {
    const removed = batch.filter(({ type }) => type !== "put").map(({ version }) => version);
    const parts: Mutation[][] = removed.length === 0 ? [[]] : [[this.#storeRecord(highest(removed))], []];
    for (const mutation of batch) {
      if (mutation.type === "clear") parts.push([mutation], []);
      else parts.at(-1)?.push(mutation);
    }
    return parts;
  }

  async #apply(mutation: Mutation, begin: () => void): Promise<void> {
    const { type, version } = mutation;
    if (type === "clear") {
      const keys = this.#keys(mutation.prefix); // whose own versions decide: below the clear's
      await inParallel(keys, (key) => this.#apply({ type: "delete", key, version: version - 1 }, begin));
      return;
    }
    const { key } = mutation;
    const stored = this.#versions.get(key) ?? -1;
    if (type === "put" && stored < version) {
      await this.#save(mutation, begin);
      this.#versions.set(key, version);
    } else if (type === "delete" && this.#versions.has(key) && stored <= version) {
      begin();
      this.#versions.delete(key); // first, so that a load meanwhile finds a miss, and not a file that is gone
      await rm(this.#path(key), { force: true });
    }
  }

  async #save(record: StoredRecord, begin?: () => void): Promise<string> {
    const path = this.#path(record.key);
    try {
      await writeFile(path + UNFINISHED, encodeRecord(record), { flush: true });
      begin?.();
      await rename(path + UNFINISHED, path);
    } catch (error) {
      // A full disk wants the room back; what cannot be removed now is removed by the next opening.
      await rm(path + UNFINISHED, { force: true }).catch(() => undefined);
      throw error;
    }
    return basename(path);
  }

  async #read(key: string): Promise<StoredRecord | undefined> {
    if (!this.#versions.has(key)) return undefined;
    try {
      return decodeRecord(recordFileName(key), await readFile(this.#path(key)));
    } catch (error) {
      if (!this.#versions.has(key)) return undefined; // removed meanwhile
      throw error;
    }
  }

  #keys(prefix: string): string[] {
    return [...this.#versions.keys()].filter((key) => key !== STORE_KEY && key.startsWith(prefix));
  }

  #path(key: string): string {
    return join(this.#directory, recordFileName(key));
  }
}

function failure(what: string, kind: FailureKind, cause: unknown): AdapterError {
  if (cause instanceof AdapterError && kind !== "ambiguous") return cause;
  return new AdapterError(`${what}: ${String(cause)}`, { kind, cause });
}

function highest(versions: Iterable<number>): number {
  let high = 0;
  for (const version of versions) high = Math.max(high, version);
  return high;
}

/** Settles when nothing is under way any more. */
async function inParallel<Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>) {
  const results: Result[] = [];
  const rest = items.entries();
  const workThrough = async (): Promise<void> => {
    for (const [index, item] of rest) results[index] = await work(item);
  };
  const workers = await Promise.allSettled(Array.from({ length: PARALLEL }, workThrough));
  for (const worker of workers) if (worker.status === "rejected") throw worker.reason;
  return results;
}
