/**
 * The files of a journal, injected: everything that the journal does to a disk goes through these few calls, so that
 * tests can put a disk of their own beneath it, one that fails, tears and forgets.
 */

export interface JournalFile {
  /** Writes all of the bytes at the position, or rejects; a part may be on the file then. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** How many bytes it read into the start of `target`, fewer than asked for at the file's end alone. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** Resolves once everything written is on the disk, as `fdatasync` promises. */
  sync(): Promise<void>;
  truncate(bytes: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

export interface JournalFiles {
  /** Makes the directory, with its parents, unless it exists; they are on the disk then. */
  makeDirectory(directory: string): Promise<void>;
  /** One owner a directory. @throws LEAKDB_LOCKED while another has it */
  lock(directory: string): Promise<{ release(): void }>;
  /** The names in the directory, in any order. */
  list(directory: string): Promise<string[]>;
  /** `"create"` makes a file that did not exist, `"change"` opens one for reading and writing. */
  open(path: string, mode: "read" | "create" | "change"): Promise<JournalFile>;
  remove(path: string): Promise<void>;
  /** Resolves once the directory's own entries are on the disk: files that came and went. */
  syncDirectory(directory: string): Promise<void>;
}
