/**
 * Lies of a disk or a backend, each of which breaks a promise that the journal stands on: what the proof of crashes must
 * catch, or it proves nothing.
 */

import type { JournalFile, JournalFiles } from "@leakdb/core";
import type { Adapter, Mutation } from "@leakdb/core/adapter";

/** What stands between core and the simulation. */
export interface Planted {
  readonly files?: (files: JournalFiles) => JournalFiles;
  readonly adapter?: (adapter: Adapter) => Adapter;
}

/** A disk whose open files are changed so. */
function withFiles(change: (file: JournalFile, path: string) => Partial<JournalFile>): Planted {
  const files = (inner: JournalFiles): JournalFiles => ({
    ...filesOf(inner),
    open: async (path, mode) => {
      const file = await inner.open(path, mode);
      return { ...fileOf(file), ...change(file, path) };
    },
  });
  return { files };
}

function withDisk(change: (files: JournalFiles) => Partial<JournalFiles>): Planted {
  return { files: (inner) => ({ ...filesOf(inner), ...change(inner) }) };
}

/** A backend of which some mutations of a batch get lost, though it answers as if all were stored. */
function losing(isKept: (mutation: Mutation, index: number, batch: readonly Mutation[]) => boolean): Planted {
  return {
    adapter: (inner) => ({
      ...adapterOf(inner),
      write: (batch, options) => inner.write(batch.filter(isKept), options),
    }),
  };
}

export const PLANTED: Readonly<Record<string, Planted>> = {
  "a sync that does nothing": withFiles(() => ({ sync: async () => undefined })),
  "a sync that is acknowledged before it is done": withFiles((file) => ({
    sync: async () => {
      later(() => file.sync());
    },
  })),
  "a sync of the directory that does nothing": withDisk(() => ({ syncDirectory: async () => undefined })),
  "a write that is held back until the next sync": withFiles((file) => {
    let held: { bytes: Uint8Array; position: number }[] = [];
    return {
      write: async (bytes, position) => {
        held.push({ bytes: new Uint8Array(bytes), position });
      },
      sync: async () => {
        const all = held;
        held = [];
        for (const { bytes, position } of all) await file.write(bytes, position);
        await file.sync();
      },
    };
  }),
  "every seventh write is lost": withFiles((file) => {
    let writes = 0;
    return {
      write: async (bytes, position) => {
        writes += 1;
        if (writes % 7 !== 0) await file.write(bytes, position);
      },
    };
  }),
  "a write that leaves out its end": withFiles((file) => ({
    write: (bytes, position) => file.write(position === 0 ? bytes : bytes.subarray(0, -1), position),
  })),
  "a file that looks shorter than it is": withFiles((file) => ({
    size: async () => Math.max(0, (await file.size()) - 30),
  })),
  "a segment that goes as soon as the next is begun": withDisk((files) => ({
    open: async (path, mode) => {
      const file = await files.open(path, mode);
      if (mode === "create") await files.remove(former(path));
      return file;
    },
  })),
  "a bit that flips on its way to the disk": withFiles((file) => {
    let writes = 0;
    return {
      write: (bytes, position) => {
        writes += 1;
        const copy = new Uint8Array(bytes);
        const last = copy.length - 1;
        if (writes % 5 === 0) copy[last] = (copy[last] as number) ^ 1;
        return file.write(copy, position);
      },
    };
  }),
  "a backend that forgets deletes": losing(({ type }) => type !== "delete"),
  "a backend that forgets clears": losing(({ type }) => type !== "clear"),
  "a backend that loses the last of a batch": losing((_, index, batch) => index < batch.length - 1),
  "a backend whose sync does nothing": {
    adapter: (inner) => ({ ...adapterOf(inner), sync: async () => undefined }),
  },
};

const LATER_TURNS = 60;

/** A life that is over by then does it no more. */
function later(work: () => Promise<void>, turns = LATER_TURNS): void {
  if (turns > 0) setImmediate(() => later(work, turns - 1));
  else work().catch(() => undefined);
}

/** The path of the segment before this one. */
function former(path: string): string {
  return path.replace(/(\d+)\.journal$/, (_, digits: string) => {
    return `${String(Number(digits) - 1).padStart(digits.length, "0")}.journal`;
  });
}

function filesOf(files: JournalFiles): JournalFiles {
  return {
    makeDirectory: (directory) => files.makeDirectory(directory),
    lock: (directory) => files.lock(directory),
    list: (directory) => files.list(directory),
    open: (path, mode) => files.open(path, mode),
    remove: (path) => files.remove(path),
    syncDirectory: (directory) => files.syncDirectory(directory),
  };
}

function fileOf(file: JournalFile): JournalFile {
  return {
    write: (bytes, position) => file.write(bytes, position),
    read: (target, position) => file.read(target, position),
    sync: () => file.sync(),
    truncate: (bytes) => file.truncate(bytes),
    size: () => file.size(),
    close: () => file.close(),
  };
}

function adapterOf(adapter: Adapter): Adapter {
  return {
    name: adapter.name,
    capabilities: adapter.capabilities,
    open: (context) => adapter.open(context),
    write: (batch, options) => adapter.write(batch, options),
    load: (keys) => adapter.load(keys),
    scan: (range) => adapter.scan(range),
    sync: () => adapter.sync(),
    close: () => adapter.close(),
  };
}
