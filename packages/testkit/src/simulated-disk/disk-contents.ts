/**
 * All that a simulated disk holds: directories, files, and which name a file has, with the changes of names that no
 * `syncDirectory` has saved yet. Copying it is cheap (`paged-bytes.ts`).
 */

import { dirname } from "node:path";
import type { CrashLots } from "./crash-lots.js";
import { SimulatedFile } from "./simulated-file.js";

interface NameChange {
  readonly serial: number;
  readonly path: string;
  /** `undefined`: the name went. */
  readonly file: SimulatedFile | undefined;
}

export class DiskContents {
  #directories = new Set<string>();
  /** By path, as a crash would leave it if it took every unsynced change. */
  #durable = new Map<string, SimulatedFile>();
  #seen = new Map<string, SimulatedFile>();
  #changes: NameChange[] = [];
  #serial = 0;

  /** The place of a change among all of the disk's. */
  get lastSerial(): number {
    return this.#serial;
  }

  nextSerial(): number {
    this.#serial += 1;
    return this.#serial;
  }

  /** Bytes of all files that have a name. */
  get bytes(): number {
    let bytes = 0;
    for (const file of this.#seen.values()) bytes += file.size;
    return bytes;
  }

  copy(): DiskContents {
    const copies = new Map<SimulatedFile, SimulatedFile>();
    const copyOf = (file: SimulatedFile): SimulatedFile => {
      const copy = copies.get(file) ?? file.copy();
      copies.set(file, copy);
      return copy;
    };
    const named = (files: ReadonlyMap<string, SimulatedFile>): Map<string, SimulatedFile> =>
      new Map([...files].map(([path, file]) => [path, copyOf(file)]));
    const copy = new DiskContents();
    copy.#directories = new Set(this.#directories);
    copy.#durable = named(this.#durable);
    copy.#seen = named(this.#seen);
    copy.#changes = this.#changes.map((change) => ({ ...change, file: change.file && copyOf(change.file) }));
    copy.#serial = this.#serial;
    return copy;
  }

  /** With its parents, which are on the disk at once: `makeDirectory` promises that. */
  makeDirectory(directory: string): void {
    for (let path = directory; !this.#directories.has(path); path = dirname(path))
      this.#directories.add(path);
  }

  hasDirectory(directory: string): boolean {
    return this.#directories.has(directory);
  }

  file(path: string): SimulatedFile | undefined {
    return this.#seen.get(path);
  }

  /** The paths of the files in a directory. */
  paths(directory: string): string[] {
    return [...this.#seen.keys()].filter((path) => dirname(path) === directory);
  }

  create(path: string): SimulatedFile {
    const file = new SimulatedFile();
    this.#seen.set(path, file);
    this.#changes.push({ serial: this.nextSerial(), path, file });
    return file;
  }

  remove(path: string): void {
    if (!this.#seen.delete(path)) return;
    this.#changes.push({ serial: this.nextSerial(), path, file: undefined });
  }

  /** The names in the directory are on the disk, up to the change `serial`. */
  syncDirectory(directory: string, serial: number): void {
    const isCovered = (change: NameChange): boolean =>
      change.serial <= serial && dirname(change.path) === directory;
    for (const change of this.#changes) if (isCovered(change)) rename(this.#durable, change);
    this.#changes = this.#changes.filter((change) => !isCovered(change));
  }

  /** The first and the last change that a crash may take. */
  get unsyncedSerials(): [number, number] {
    const serials = this.#changes.map(({ serial }) => serial);
    for (const file of this.#files()) serials.push(...file.unsyncedSerials);
    if (serials.length === 0) return [this.#serial, this.#serial];
    return serials.reduce<[number, number]>(
      ([least, most], serial) => [Math.min(least, serial), Math.max(most, serial)],
      [Infinity, 0],
    );
  }

  /** The machine has crashed. */
  crash(lots: CrashLots): void {
    const files = this.#files();
    for (const change of this.#changes) if (lots.isKept(change.serial)) rename(this.#durable, change);
    this.#changes = [];
    for (const file of files) file.crash(lots);
    this.#seen = new Map(this.#durable);
  }

  /** Every file that has, had, or may get back a name, in an order that a seed repeats. */
  #files(): Set<SimulatedFile> {
    const files = new Set([...this.#durable.values(), ...this.#seen.values()]);
    for (const { file } of this.#changes) if (file !== undefined) files.add(file);
    return files;
  }
}

function rename(names: Map<string, SimulatedFile>, { path, file }: NameChange): void {
  if (file === undefined) names.delete(path);
  else names.set(path, file);
}
