/**
 * What can be had of a damaged journal, as a new one. Recovery stops at damage, as what stands behind it may rest on what
 * is lost; `salvage` goes on there, because somebody has decided that some is better than none.
 *
 *     directory (read only)          to (new)
 *     │f│f│ damage │f│f│     ─▶      │f│f│f│f│
 *
 * Keeps: no file of the journal that is salvaged is changed, and a copy that failed half-way leaves no journal behind.
 */

import { join, relative, resolve, sep } from "node:path";
import { LeakDBError } from "../errors.js";
import { visitEntries } from "./entry.js";
import { type Frame, FrameBuilder } from "./frame.js";
import type { JournalFiles } from "./journal-files.js";
import { JournalLog } from "./journal-log.js";
import { nodeFiles } from "./node-files.js";
import { type FoundFile, isUnused, readHeader } from "./recovery.js";
import { type JournalOwner, type SegmentHeader, segmentName, segmentNumber } from "./segment-header.js";
import { SegmentReader } from "./segment-reader.js";

export interface SalvageOptions {
  /** The journal's directory. No storage may have it open. */
  readonly directory: string;
  /** Where the copy goes: a directory that is empty, or does not exist. Not inside the other. */
  readonly to: string;
  /** Default: those of the system. */
  readonly files?: JournalFiles | undefined;
}

export interface SalvageReport {
  /** Entries copied. */
  readonly entries: number;
  /** The size of the copy. */
  readonly bytes: number;
  /** The places that could not be read as what was written, a torn end among them; in the order of the journal. */
  readonly damaged: readonly { readonly file: string; readonly offset: number; readonly bytes: number }[];
  /** The names of files that should be there, and are not. */
  readonly missing: readonly string[];
}

/**
 * Copies everything sound of a damaged journal into a new one, which a storage then opens in its place.
 *
 * What stood in the damage is lost, and with it what it did to older entries: where a delete is lost, an older value may
 * come back; where a newer value is lost, an older one may stand in its place, unless the backend has the newer. Entries
 * that were written together may come without each other. The copy is on the disk when the promise resolves. A journal
 * without damage is copied whole, so `damaged` and `missing` are empty then.
 *
 * @throws LEAKDB_LOCKED while a storage has the journal open
 * @throws LEAKDB_CORRUPTION when not one file's header is sound: then nothing can be told from garbage
 * @throws LEAKDB_OPEN_FAILED when there is no journal, or `to` is not empty
 * @throws RangeError when one directory is in the other; an error of the file system
 */
export async function salvage({ directory, to, files = nodeFiles }: SalvageOptions): Promise<SalvageReport> {
  requireApart(directory, to);
  const lock = await files.lock(directory).catch((error: unknown) => {
    throw lockError(error, directory);
  });
  try {
    const source = await findSource(files, directory);
    await requireEmpty(files, to);
    return await new SalvageRun(files, directory, source).copy(to);
  } finally {
    lock.release();
  }
}

interface Source {
  readonly owner: JournalOwner;
  /** In order, from the floor on as far as it is known. */
  readonly found: readonly FoundFile[];
  readonly missing: readonly string[];
}

class SalvageRun {
  readonly #files: JournalFiles;
  readonly #directory: string;
  readonly #source: Source;
  readonly #frame = new FrameBuilder();
  readonly #damaged: { file: string; offset: number; bytes: number }[] = [];
  #entries = 0;

  constructor(files: JournalFiles, directory: string, source: Source) {
    this.#files = files;
    this.#directory = directory;
    this.#source = source;
  }

  async copy(to: string): Promise<SalvageReport> {
    const files = this.#files;
    const faults: Error[] = [];
    const log = await JournalLog.open({ files, directory: to, onFault: (error) => faults.push(error) });
    try {
      const { owner, found, missing } = this.#source;
      log.adopt(owner);
      await log.begin();
      for (const [index, file] of found.entries()) await this.#segment(log, file, found[index + 1]?.header);
      await log.sync();
      const report = { entries: this.#entries, bytes: log.bytes, damaged: this.#damaged, missing };
      await log.close(false);
      return report;
    } catch (error) {
      // An error of its own would hide why the copy failed, and the names that are left make the next one refuse.
      await log.close(false).catch((fault: Error) => faults.push(fault));
      await this.#removeFrom(to).catch((fault: Error) => faults.push(fault));
      throw faults.length === 0 ? error : new AggregateError([error, ...faults], String(error));
    }
  }

  async #segment(
    log: JournalLog,
    { number, size, header }: FoundFile,
    next: SegmentHeader | undefined,
  ): Promise<void> {
    if (header === undefined || !isOf(this.#source.owner, header)) return this.#noteDamage(number, 0, size);
    const file = await this.#files.open(join(this.#directory, segmentName(number)), "read");
    try {
      // What stands behind the length at which it was left is no part of the journal.
      const length = next?.number === number + 1 ? next.formerBytes : size;
      const reader = new SegmentReader(file, header.salt, Math.min(size, length));
      for (;;) {
        const start = reader.position;
        const frame = (await reader.next()) ?? (await reader.seek());
        const end = reader.position - (frame?.bytes ?? 0);
        this.#noteDamage(number, start, end - start);
        if (frame === undefined) break;
        const isCopied = await this.#frames(log, frame);
        if (!isCopied) this.#noteDamage(number, end, frame.bytes);
      }
      this.#noteDamage(number, size, length - size);
    } finally {
      await file.close();
    }
  }

  /** False when it does not hold what a frame does, though its checksum is right. */
  async #frames(log: JournalLog, { payload, entries }: Frame): Promise<boolean> {
    const frame = this.#frame;
    let upTo = 0;
    try {
      // All of it first: a frame that is wrong in its middle is copied as none.
      visitEntries(payload, entries, (_kind, _key, version) => {
        upTo = Math.max(upTo, version);
      });
    } catch (error) {
      if ((error as { code?: unknown }).code !== "LEAKDB_CORRUPTION") throw error;
      return false;
    }
    visitEntries(payload, entries, (kind, key, version, expiresAt, value) =>
      frame.add(kind, key, version, expiresAt, value),
    );
    this.#entries += entries;
    // Whether the rest of its group is there does not matter: the copy is whole, or there is none.
    await log.append(frame, upTo, false);
    frame.reset();
    if (log.isSegmentFull) await log.rotate(true);
    return true;
  }

  #noteDamage(number: number, offset: number, bytes: number): void {
    if (bytes > 0) this.#damaged.push({ file: segmentName(number), offset, bytes });
  }

  async #removeFrom(directory: string): Promise<void> {
    for (const name of await this.#files.list(directory)) {
      if (segmentNumber(name) !== undefined) await this.#files.remove(join(directory, name));
    }
  }
}

async function findSource(files: JournalFiles, directory: string): Promise<Source> {
  const names = await files.list(directory);
  const numbers = names.map(segmentNumber).filter((number) => number !== undefined);
  if (numbers.length === 0) {
    const message = `there is no journal in ${directory}: name the directory that its storage was given`;
    throw new LeakDBError("LEAKDB_OPEN_FAILED", message, { retryable: false });
  }
  const all: FoundFile[] = [];
  for (const number of numbers.toSorted((a, b) => a - b))
    all.push(await readHeader(files, directory, number));
  // It was being made when a crash came: nothing was in it.
  const last = all.at(-1);
  if (last !== undefined && last.header === undefined && isUnused(last.size)) all.pop();
  const owner = all.findLast(({ header }) => header !== undefined)?.header;
  if (owner === undefined) {
    const message = `no file of the journal in ${directory} has a sound header, so nothing of it can be read`;
    throw new LeakDBError("LEAKDB_CORRUPTION", `${message}: restore a copy`);
  }
  const floor = Math.max(
    ...all.map(({ header }) => (header !== undefined && isOf(owner, header) ? header.floor : 0)),
  );
  const found = all.filter(({ number }) => number >= floor);
  const present = new Set(found.map(({ number }) => number));
  const missing: string[] = [];
  for (let number = floor; number < (found.at(-1)?.number ?? 0); number += 1) {
    if (!present.has(number)) missing.push(segmentName(number));
  }
  return { owner, found, missing };
}

function isOf(owner: JournalOwner, { kind, storeHash }: JournalOwner): boolean {
  return owner.kind === kind && owner.storeHash.equals(storeHash);
}

/** @throws RangeError when one of them is in the other, or is it */
function requireApart(directory: string, to: string): void {
  for (const [outer, inner] of [
    [directory, to],
    [to, directory],
  ] as const) {
    const path = relative(resolve(outer), resolve(inner));
    if (path === "" || !(path === ".." || path.startsWith(`..${sep}`) || resolve(path) === path)) {
      throw new RangeError(`salvage from ${directory} into ${to}: the copy must go to a directory beside it`);
    }
  }
}

/** What a lock has left does not count. @throws LEAKDB_OPEN_FAILED */
async function requireEmpty(files: JournalFiles, directory: string): Promise<void> {
  const names = await files.list(directory).catch((error: unknown) => {
    if ((error as { code?: unknown }).code === "ENOENT") return [];
    throw error;
  });
  if (names.every((name) => name.startsWith("owner-"))) return;
  const message = `salvage into ${directory}: it is not empty; name a directory that does not exist`;
  throw new LeakDBError("LEAKDB_OPEN_FAILED", message, { retryable: false });
}

/** The lock throws as adapters do, or as the file system does. */
function lockError(cause: unknown, directory: string): unknown {
  const { code, message } = cause as { code?: unknown; message: string };
  if (code === "LEAKDB_LOCKED") return new LeakDBError(code, message, { cause });
  if (code !== "ENOENT") return cause;
  return new LeakDBError("LEAKDB_OPEN_FAILED", `salvage from ${directory}: there is no such directory`, {
    cause,
    retryable: false,
  });
}
