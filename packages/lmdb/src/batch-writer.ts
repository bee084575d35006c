/** Applies batches: one transaction each, sorted by key between clears, the highest version kept with them. */

import type { Mutation, StoredRecord } from "@leakdb/core/adapter";
import { type Environment, putMark, transact } from "./environment.js";
import { decodeRecord, expiresAtOf, RecordStage, readInteger, versionOf, writeInteger } from "./record.js";
import type { StoreMark } from "./store-mark.js";

type Keyed = Exclude<Mutation, { type: "clear" }>;
type Clear = Extract<Mutation, { type: "clear" }>;

const MOMENT_BYTES = 8;
const NOTHING = new Uint8Array(0);
/** Records looked at before they are removed: a cursor must not stand on what is taken away. */
const CLEAR_ROWS = 1000;

function byKey(a: Keyed, b: Keyed): number {
  if (a.key === b.key) return 0;
  return a.key < b.key ? -1 : 1;
}

function expiryKey(expiresAt: number, key: string): Buffer {
  const bytes = Buffer.alloc(MOMENT_BYTES + Buffer.byteLength(key));
  writeInteger(bytes, expiresAt, 0);
  bytes.write(key, MOMENT_BYTES);
  return bytes;
}

export class BatchWriter {
  readonly #environment: Environment;
  readonly #stage = new RecordStage();
  #mark: StoreMark;
  /** False while no record expires: a put then need not look for the moment of the one before. */
  #anyExpires: boolean;

  constructor(environment: Environment, mark: StoreMark) {
    this.#environment = environment;
    this.#mark = mark;
    this.#anyExpires = hasEntries(environment);
  }

  get mark(): StoreMark {
    return this.#mark;
  }

  /** All or none, and on the disk when it returns. */
  write(batch: readonly Mutation[]): void {
    let highVersion = this.#mark.highVersion;
    for (const { version } of batch) if (version > highVersion) highVersion = version;
    const mark = { ...this.#mark, highVersion };
    transact(this.#environment.root, () => {
      this.#apply(batch);
      if (highVersion > this.#mark.highVersion) putMark(this.#environment, mark);
    });
    this.#mark = mark;
  }

  /** Removes some of the records that have expired. @returns how many it found. */
  sweep(now: number, rowsMax: number): number {
    const due: Uint8Array[] = [];
    for (const entry of this.#environment.expiries.getKeys({ start: NOTHING, limit: rowsMax })) {
      if (readInteger(entry, 0) > now) break;
      due.push(entry);
    }
    if (due.length > 0) transact(this.#environment.root, () => this.#removeDue(due));
    else this.#anyExpires = hasEntries(this.#environment);
    return due.length;
  }

  #removeDue(due: readonly Uint8Array[]): void {
    const { records, expiries } = this.#environment;
    for (const entry of due) {
      const key = Buffer.from(entry).toString("utf8", MOMENT_BYTES);
      const record = records.getBinaryFast(key);
      if (record !== undefined && expiresAtOf(record) === readInteger(entry, 0)) records.removeSync(key);
      expiries.removeSync(entry);
    }
  }

  #apply(batch: readonly Mutation[]): void {
    let highVersion = this.#mark.highVersion;
    let keyed: Keyed[] = [];
    for (const mutation of batch) {
      if (mutation.type === "clear") {
        this.#applySorted(keyed);
        keyed = [];
        this.#clear(mutation, highVersion);
      } else {
        keyed.push(mutation);
      }
      if (mutation.version > highVersion) highVersion = mutation.version;
    }
    this.#applySorted(keyed);
  }

  /** A batch holds a key once between two clears, so what was stored before it alone can be newer. */
  #applySorted(keyed: Keyed[]): void {
    const { records, expiries } = this.#environment;
    for (const mutation of keyed.sort(byKey)) {
      const { key, version } = mutation;
      // A put that expired while it waited is sent as a delete of the same version.
      const isDelete = mutation.type === "delete";
      if (!this.#makeRoom(key, isDelete ? version + 1 : version, isDelete)) continue;
      if (isDelete) {
        records.removeSync(key);
      } else {
        records.putSync(key, this.#stage.encode(key, mutation.value, version, mutation.expiresAt));
        if (mutation.expiresAt === 0) continue;
        expiries.putSync(expiryKey(mutation.expiresAt, key), NOTHING);
        this.#anyExpires = true;
      }
    }
  }

  /** Takes the entry of the record before out of the index of expiries. @returns false when that one is not below `version`. */
  #makeRoom(key: string, version: number, isDelete: boolean): boolean {
    // What is newer than all that was ever stored needs no look at what it replaces.
    if (!isDelete && !this.#anyExpires && version > this.#mark.highVersion) return true;
    const found = this.#environment.records.getBinaryFast(key);
    if (found === undefined) return !isDelete;
    if (versionOf(found) >= version) {
      // A flipped bit must not keep newer values out for good.
      this.#mustBeIntact(key);
      return false;
    }
    const expiresAt = expiresAtOf(found);
    if (expiresAt > 0) this.#environment.expiries.removeSync(expiryKey(expiresAt, key));
    return true;
  }

  #mustBeIntact(key: string): StoredRecord | undefined {
    const bytes = this.#environment.records.getBinary(key);
    return bytes === undefined ? undefined : decodeRecord(key, bytes);
  }

  #clear({ prefix, version }: Clear, highVersion: number): void {
    const { records, expiries } = this.#environment;
    // Newer than all that was ever stored: LMDB then frees whole pages instead of looking at each record.
    if (prefix === "" && version > highVersion) {
      records.clearSync();
      expiries.clearSync();
      return;
    }
    let start = prefix;
    for (let isMore = true; isMore; ) {
      const keys: string[] = [];
      isMore = false;
      for (const key of records.getKeys({ start, limit: CLEAR_ROWS })) {
        if (!key.startsWith(prefix)) {
          isMore = false;
          break;
        }
        keys.push(key);
        isMore = keys.length === CLEAR_ROWS;
      }
      start = `${keys.at(-1)}\0`;
      for (const key of keys) if (this.#makeRoom(key, version, true)) records.removeSync(key);
    }
  }
}

function hasEntries({ expiries }: Environment): boolean {
  for (const _entry of expiries.getKeys({ start: NOTHING, limit: 1 })) return true;
  return false;
}
