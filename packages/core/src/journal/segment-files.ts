/**
 * The files of a journal's segments, by number: how they come and go. Which of them are the journal is the log's affair
 * (`journal-log.ts`).
 */

import { join } from "node:path";
import { asError } from "../thrown.js";
import type { JournalFile, JournalFiles } from "./journal-files.js";
import { segmentName } from "./segment-header.js";

export interface SegmentFilesOptions {
  readonly files: JournalFiles;
  readonly directory: string;
  /** Told of failures that cost nothing. */
  readonly onFault: (error: Error) => void;
}

export class SegmentFiles {
  readonly #options: SegmentFilesOptions;
  /** Files that are no part of the journal any more, and could not be removed. */
  #leftOver: number[] = [];

  constructor(options: SegmentFilesOptions) {
    this.#options = options;
  }

  /** Makes a segment of nothing but its header; it is on the disk then. When that fails, there is none. */
  async create(number: number, header: Uint8Array): Promise<JournalFile> {
    const { files, directory, onFault } = this.#options;
    const path = this.#path(number);
    const file = await files.open(path, "create");
    // Its former file went after all, though that was said to fail.
    this.#leftOver = this.#leftOver.filter((each) => each !== number);
    try {
      await file.write(header, 0);
      await file.sync();
      await files.syncDirectory(directory);
      return file;
    } catch (error) {
      // With or without its header it would be the last segment, and its sync, that failed, is never sure again.
      await file.close().catch((fault: unknown) => onFault(asError(fault)));
      await this.removeObsolete([number]);
      throw error;
    }
  }

  async sync(number: number): Promise<void> {
    const file = await this.#options.files.open(this.#path(number), "change");
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** Removes files that are no part of the journal any more. Those that cannot be removed cost room, until another time. */
  async removeObsolete(numbers: readonly number[]): Promise<void> {
    const { files, onFault } = this.#options;
    const wanted = [...this.#leftOver, ...numbers];
    this.#leftOver = [];
    for (const number of wanted) {
      await files.remove(this.#path(number)).catch((error: unknown) => {
        this.#leftOver.push(number);
        onFault(asError(error));
      });
    }
  }

  /**
   * Removes the journal itself, where no new segment can be made to say that it is obsolete. Oldest first, each for good
   * before the next: what is left must never hold less than it did. What could not be removed before comes first: it
   * would be the journal, were it all that is left. A directory that does not sync is no reason to leave half of it.
   */
  async removeJournal(numbers: readonly number[]): Promise<void> {
    const { files, directory } = this.#options;
    let failure: Error | undefined;
    for (const number of [...this.#leftOver, ...numbers]) {
      await files.remove(this.#path(number));
      await files.syncDirectory(directory).catch((error: unknown) => {
        failure ??= asError(error);
      });
    }
    if (failure !== undefined) throw failure;
  }

  #path(number: number): string {
    return join(this.#options.directory, segmentName(number));
  }
}
