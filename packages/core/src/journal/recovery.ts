/**
 * Recovery: reads the whole journal, oldest segment first, and hands out its entries, group by group. A group whose last
 * frame is missing was never acknowledged and is left out; what a crash has torn at the end is cut off the file. Damage
 * before that ends recovery with `LEAKDB_CORRUPTION`, before anything is changed.
 */

import { join } from "node:path";
import { LeakDBError } from "../errors.js";
import { nextTurn } from "../next-turn.js";
import { type EntryVisitor, visitEntries } from "./entry.js";
import type { Frame } from "./frame.js";
import type { JournalFile, JournalFiles } from "./journal-files.js";
import {
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  segmentName,
} from "./segment-header.js";
import { SegmentReader } from "./segment-reader.js";

export interface RecoveredSegment {
  readonly header: SegmentHeader;
  /** The bytes that count: what was torn is beyond. */
  bytes: number;
  /** Known to be on the disk, by what the frames say. */
  syncedBytes: number;
  /** The highest version of any entry. */
  highVersion: number;
}

export interface RecoveryProgress {
  readonly entries: number;
  readonly bytes: number;
  readonly bytesTotal: number;
}

export interface Recovered {
  readonly segments: readonly RecoveredSegment[];
  readonly entries: number;
  /** Bytes at the end that a crash had left unfinished, and that were cut off. */
  readonly tornBytes: number;
}

export interface SegmentFile {
  readonly header: SegmentHeader;
  readonly size: number;
}

const WRITTEN_AGAIN_BYTES = 1024 * 1024;

/** Other work has its turn after this many bytes. */
const BYTES_PER_TURN = 256 * 1024;

export interface RecoverOptions {
  readonly files: JournalFiles;
  readonly directory: string;
  /** The segments from the floor on, in order. */
  readonly segments: readonly SegmentFile[];
  readonly visit: EntryVisitor;
  readonly onProgress?: ((progress: RecoveryProgress) => void) | undefined;
}

/** @throws LEAKDB_CORRUPTION; what `visit` throws */
export async function recover(options: RecoverOptions): Promise<Recovered> {
  const run = new RecoveryRun(options);
  const { segments } = options;
  for (const [index, segment] of segments.entries()) {
    const isCut = await run.segment(
      segment,
      segments.slice(index + 1).map(({ header }) => header),
    );
    // Behind what was torn nothing was ever synced: it goes as well.
    if (isCut) {
      await run.dropFrom(segments.slice(index + 1));
      break;
    }
  }
  return run.result();
}

class RecoveryRun {
  readonly #options: RecoverOptions;
  readonly #segments: RecoveredSegment[] = [];
  readonly #bytesTotal: number;
  /** Frames of a group whose last one has not come yet. */
  #group: Frame[] = [];
  #entries = 0;
  #bytes = 0;
  #tornBytes = 0;

  constructor(options: RecoverOptions) {
    this.#options = options;
    this.#bytesTotal = options.segments.reduce((bytes, { size }) => bytes + size, 0);
  }

  result(): Recovered {
    return { segments: this.#segments, entries: this.#entries, tornBytes: this.#tornBytes };
  }

  /** True when the journal ends here. */
  async segment({ header, size }: SegmentFile, later: readonly SegmentHeader[]): Promise<boolean> {
    const next = later[0];
    const isKnownSynced = later.some(({ isFormerSynced }) => isFormerSynced);
    const { files, directory } = this.#options;
    const path = join(directory, segmentName(header.number));
    const recovered: RecoveredSegment = {
      header,
      bytes: SEGMENT_HEADER_BYTES,
      syncedBytes: 0,
      highVersion: 0,
    };
    this.#segments.push(recovered);
    const file = await files.open(path, "change");
    try {
      const length = next === undefined ? size : next.formerBytes;
      // Behind the length at which it was left stands nothing, or what was cut off before that and came back.
      const reader = new SegmentReader(file, header.salt, Math.min(size, length));
      await this.#frames(reader, recovered);
      const isWhole = reader.position === length;
      if (!isWhole && isKnownSynced) throw damaged(path, reader.position);
      if (!isWhole) await this.#requireTorn(reader, path);
      // No group goes on in the next segment.
      if (isWhole && next !== undefined && this.#group.length > 0) throw damaged(path, recovered.bytes);
      const isCut = !isWhole || this.#group.length > 0;
      if (isCut) await this.#cut(file, recovered, size);
      if (!isKnownSynced) await this.#writeAgain(file, recovered);
      if (isCut || !isKnownSynced) await file.sync();
      return isCut;
    } finally {
      await file.close();
    }
  }

  /** Segments behind a torn one, which were never synced. */
  async dropFrom(segments: readonly SegmentFile[]): Promise<void> {
    const { files, directory } = this.#options;
    for (const { header, size } of segments.toReversed()) {
      this.#tornBytes += size;
      await files.remove(join(directory, segmentName(header.number)));
      // One by one: a crash must not leave a later one without an earlier.
      await files.syncDirectory(directory);
    }
  }

  async #frames(reader: SegmentReader, recovered: RecoveredSegment): Promise<void> {
    let sinceTurn = 0;
    for (;;) {
      const frame = await reader.next();
      if (frame === undefined) return;
      this.#group.push(frame);
      this.#bytes += frame.bytes;
      recovered.syncedBytes = Math.max(recovered.syncedBytes, frame.synced);
      if (!frame.isContinued) {
        this.#visitGroup(recovered);
        recovered.bytes = reader.position;
      }
      sinceTurn += frame.bytes;
      if (sinceTurn < BYTES_PER_TURN) continue;
      sinceTurn = 0;
      const { onProgress } = this.#options;
      onProgress?.({ entries: this.#entries, bytes: this.#bytes, bytesTotal: this.#bytesTotal });
      await nextTurn();
    }
  }

  #visitGroup(recovered: RecoveredSegment): void {
    const { visit } = this.#options;
    const group = this.#group;
    this.#group = [];
    for (const { payload, entries } of group) {
      visitEntries(payload, entries, (kind, key, version, expiresAt, value) => {
        if (version > recovered.highVersion) recovered.highVersion = version;
        visit(kind, key, version, expiresAt, value);
      });
      this.#entries += entries;
    }
  }

  /** What is not sound here was torn by a crash, or recovery ends. @throws LEAKDB_CORRUPTION */
  async #requireTorn(reader: SegmentReader, path: string): Promise<void> {
    const offset = reader.position;
    for (let later = await reader.seek(); later !== undefined; later = await reader.seek()) {
      if (later.synced > offset) throw damaged(path, offset);
    }
  }

  /**
   * What was written by a process that died may be in the system's memory alone. If its sync had failed, another sync
   * would succeed and save nothing, as the system takes those bytes for saved: they are written once more.
   */
  async #writeAgain(file: JournalFile, { bytes, syncedBytes }: RecoveredSegment): Promise<void> {
    for (let position = syncedBytes; position < bytes; ) {
      const part = Buffer.allocUnsafe(Math.min(WRITTEN_AGAIN_BYTES, bytes - position));
      const read = await file.read(part, position);
      if (read < part.length) throw new Error("the file became shorter while it was read");
      await file.write(part, position);
      position += part.length;
    }
  }

  /** Cuts off what comes after the last whole group. */
  async #cut(file: JournalFile, recovered: RecoveredSegment, size: number): Promise<void> {
    this.#group = [];
    this.#tornBytes += size - recovered.bytes;
    if (size > recovered.bytes) await file.truncate(recovered.bytes);
  }
}

/** The journal's own damage, by file and place. */
function damaged(path: string, offset: number): LeakDBError {
  const what = `the journal ${path} is damaged at byte ${offset}, and what was synced stands behind that`;
  const wayOut = "nothing was changed: restore a copy, or call salvage() to copy what is sound elsewhere";
  return new LeakDBError("LEAKDB_CORRUPTION", `${what}; ${wayOut}`);
}

/**
 * The segments in the directory from the floor on, in order, and the numbers of files that are no part of the journal any
 * more. The last file may have been left without a header, by a crash while it was made: it counts as obsolete then.
 * @throws LEAKDB_CORRUPTION where a segment is missing or its header damaged
 */
export async function findSegments(
  files: JournalFiles,
  directory: string,
  numbers: readonly number[],
): Promise<{ segments: SegmentFile[]; obsolete: number[] }> {
  const found: FoundFile[] = [];
  for (const number of numbers.toSorted((a, b) => a - b)) {
    found.push(await readHeader(files, directory, number));
  }
  const obsolete: number[] = [];
  const last = found.at(-1);
  if (last !== undefined && last.header === undefined && isUnused(last.size)) {
    obsolete.push(last.number);
    found.pop();
  }
  const floor = Math.max(0, ...found.map(({ header }) => header?.floor ?? 0));
  const segments: SegmentFile[] = [];
  for (const { number, size, header } of found) {
    if (number < floor) obsolete.push(number);
    else if (header === undefined) throw damaged(join(directory, segmentName(number)), 0);
    else segments.push({ header, size });
  }
  for (const [index, { header }] of segments.entries()) {
    const expected = floor + index;
    if (header.number !== expected) throw missing(directory, expected);
  }
  return { segments, obsolete };
}

/** A file that a segment's name says it is. */
export interface FoundFile {
  readonly number: number;
  readonly size: number;
  /** `undefined` where it is damaged, or another's. */
  readonly header: SegmentHeader | undefined;
}

export async function readHeader(files: JournalFiles, directory: string, number: number): Promise<FoundFile> {
  const file = await files.open(join(directory, segmentName(number)), "read");
  try {
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const read = await file.read(bytes, 0);
    const header = readSegmentHeader(bytes.subarray(0, read));
    return { number, size: await file.size(), header: header?.number === number ? header : undefined };
  } finally {
    await file.close();
  }
}

/** A header is written and synced before the first frame, so a file without one that is longer was damaged. */
export function isUnused(size: number): boolean {
  return size <= SEGMENT_HEADER_BYTES;
}

function missing(directory: string, number: number): LeakDBError {
  const what = `the journal's file ${join(directory, segmentName(number))} is missing`;
  const wayOut =
    "put it back, restore a copy of the directory, or call salvage() to copy what is there elsewhere";
  return new LeakDBError("LEAKDB_CORRUPTION", `${what}: ${wayOut}`);
}
