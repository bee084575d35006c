/** The option `journal`: checked here, with its defaults, before anything is opened or changed. */

import { resolve } from "node:path";
import type { GroupCommitOptions, JournalSync } from "../journal/group-commit.js";
import type { JournalFiles } from "../journal/journal-files.js";
import { nodeFiles } from "../journal/node-files.js";
import { type OptionNames, optionsMistake } from "../option-names.js";
import { duration } from "./options.js";

export interface JournalOptions {
  /** Made unless it exists; for one storage alone, and on a disk of this machine. */
  directory: string;
  /**
   * When the journal is synced to the disk. `"always"` (default): each group, so that `journaled` comes after about a
   * millisecond. `"interval"`: every `interval`, at a `flush`, and before a batch goes to the backend. `"never"`: what
   * was written survives the process, not a power cut, and nobody can wait for `journaled`.
   */
  sync?: JournalSync | undefined;
  /** Milliseconds between two syncs under `"interval"`. Default 1,000. */
  interval?: number | undefined;
  /**
   * Bytes that the journal may hold. Past half of it `needDrain` is true and what is no longer needed is cut off; past
   * all of it mutations throw `LEAKDB_QUEUE_FULL`. Default 1 GiB; at least 1 MiB.
   */
  maxBytes?: number | undefined;
  /** The disk; default: the system's files. For tests. */
  files?: JournalFiles | undefined;
}

export interface ResolvedJournalOptions extends Omit<GroupCommitOptions, "clock"> {
  readonly directory: string;
  readonly maxBytes: number;
  readonly files: JournalFiles;
}

const NAMES: OptionNames = new Set(["directory", "sync", "interval", "maxBytes", "files"]);
const SYNCS: readonly unknown[] = ["always", "interval", "never"];
const MIB = 1024 * 1024;

/** @throws TypeError or RangeError */
export function resolveJournalOptions(options: JournalOptions): ResolvedJournalOptions {
  const mistake = optionsMistake(options, NAMES, "journal");
  if (mistake !== undefined) throw mistake;
  const { directory, sync = "always", maxBytes = 1024 * MIB, files = nodeFiles } = options;
  if (typeof directory !== "string" || directory === "" || directory.includes("\0")) {
    throw new TypeError("journal.directory must be the path of a directory");
  }
  if (!SYNCS.includes(sync)) throw new TypeError('journal.sync must be "always", "interval" or "never"');
  if (typeof maxBytes !== "number") throw new TypeError("journal.maxBytes must be a number of bytes");
  if (!(maxBytes >= MIB)) throw new RangeError(`journal.maxBytes must be at least ${MIB}`);
  return {
    // The process may change its own directory later.
    directory: resolve(directory),
    sync,
    intervalMs: duration("journal.interval", options.interval, 1_000, 1),
    maxBytes,
    files,
  };
}
