/** The files of a journal on a real disk, by way of `node:fs`. */

import { type FileHandle, mkdir, open, readdir, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { DirectoryLock } from "../directory-lock.js";
import type { JournalFile, JournalFiles } from "./journal-files.js";

const FLAGS = { read: "r", create: "wx+", change: "r+" } as const;

export const nodeFiles: JournalFiles = {
  async makeDirectory(directory) {
    const whole = resolve(directory);
    const made = await mkdir(whole, { recursive: true });
    if (made === undefined) return;
    // Each new directory is an entry of the one above it, and gone after a crash if that is not on the disk.
    const top = dirname(resolve(made));
    for (let path = whole; path !== top; ) {
      path = dirname(path);
      await this.syncDirectory(path);
    }
  },
  lock: (directory) => DirectoryLock.take(directory),
  list: (directory) => readdir(directory),
  open: async (path, mode) => new NodeFile(await open(path, FLAGS[mode])),
  remove: (path) => rm(path, { force: true }),
  async syncDirectory(directory) {
    // Windows has no such call, and orders the entries of a directory by its own log.
    if (process.platform === "win32") return;
    const handle = await open(directory, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

class NodeFile implements JournalFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    // A disk that is nearly full takes a part, and says so by its count.
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    let done = 0;
    while (done < target.length) {
      const { bytesRead } = await this.#handle.read(target, done, target.length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  truncate(bytes: number): Promise<void> {
    return this.#handle.truncate(bytes);
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
