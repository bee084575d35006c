/**
 * A simulated disk as one process, on one boot of its machine, sees it: the `JournalFiles` of core. When the process
 * is killed or the machine crashes this life is over: all of its calls reject from then on, those under way included.
 *
 * One operation:
 *
 * ```
 * call ─▶ noted, onOperation ─▶ pause ─▶ still alive? ─▶ fault? ─▶ takes effect ─▶ answer
 * ```
 *
 * A write whose pause a crash interrupts is among the unsynced changes of the crash.
 */

import { basename, dirname, resolve } from "node:path";
import { AdapterError } from "@leakdb/core/adapter";
import type { DiskContents } from "./disk-contents.js";
import { type DiskFault, type DiskOperation, type DiskOperationName, diskError } from "./disk-faults.js";
import type { SimulatedFile } from "./simulated-file.js";

/** What a life asks of its disk. */
export interface DiskBelow {
  readonly contents: DiskContents;
  readonly capacityBytes: number;
  /** Notes an operation, and may end this life in doing so. */
  note(operation: Omit<DiskOperation, "number">): DiskOperation;
  pause(operation: DiskOperation): Promise<void> | undefined;
  takeFault(operation: DiskOperation): DiskFault | undefined;
}

type OpenMode = "read" | "create" | "change";

/** What an operation does, as a whole, and where it can stop half-way. */
interface Work<T> {
  readonly name: DiskOperationName;
  readonly path: string;
  readonly position?: number | undefined;
  readonly bytes?: number | undefined;
  readonly effect: () => T;
  /** What a failure leaves of it. */
  readonly failed?: ((fault: DiskFault) => void) | undefined;
  /** What a crash during the pause leaves of it. */
  readonly interrupted?: (() => void) | undefined;
}

export class DiskLife {
  readonly #below: DiskBelow;
  readonly #locked = new Set<string>();
  readonly #underWay = new Set<() => void>();
  #isOver = false;

  constructor(below: DiskBelow) {
    this.#below = below;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Ends this life: what was under way is half done. */
  end(): void {
    this.#isOver = true;
    this.#locked.clear();
    for (const interrupted of this.#underWay) interrupted();
    this.#underWay.clear();
  }

  makeDirectory(directory: string): Promise<void> {
    const path = resolve(directory);
    return this.operate({
      name: "makeDirectory",
      path,
      effect: () => this.#below.contents.makeDirectory(path),
    });
  }

  /** @throws AdapterError LEAKDB_LOCKED while this life has it already */
  lock(directory: string): Promise<{ release(): void }> {
    const path = resolve(directory);
    return this.operate({ name: "lock", path, effect: () => this.#lock(path) });
  }

  list(directory: string): Promise<string[]> {
    const path = resolve(directory);
    const effect = (): string[] => {
      this.#requireDirectory("list", path);
      return this.#below.contents.paths(path).map((each) => basename(each));
    };
    return this.operate({ name: "list", path, effect });
  }

  open(file: string, mode: OpenMode): Promise<DiskHandle> {
    const path = resolve(file);
    const name = mode === "create" ? "create" : "open";
    return this.operate({
      name,
      path,
      effect: () => new DiskHandle(this, this.#below, path, this.#open(path, mode), mode !== "read"),
    });
  }

  remove(file: string): Promise<void> {
    const path = resolve(file);
    return this.operate({ name: "remove", path, effect: () => this.#below.contents.remove(path) });
  }

  syncDirectory(directory: string): Promise<void> {
    const path = resolve(directory);
    const serial = this.#below.contents.lastSerial;
    const effect = (): void => {
      this.#requireDirectory("syncDirectory", path);
      this.#below.contents.syncDirectory(path, serial);
    };
    return this.operate({ name: "syncDirectory", path, effect });
  }

  /** For the handles of this life: runs one operation. */
  async operate<T>({ effect, failed, interrupted, ...described }: Work<T>): Promise<T> {
    this.#requireAlive();
    const operation = this.#below.note(described);
    this.#requireAlive();
    const fault = this.#below.takeFault(operation);
    if (interrupted !== undefined) this.#underWay.add(interrupted);
    await this.#below.pause(operation);
    this.#requireAlive();
    if (interrupted !== undefined) this.#underWay.delete(interrupted);
    if (fault === undefined) return effect();
    if (fault.isApplied === true) effect();
    else failed?.(fault);
    throw diskError(fault.code ?? "EIO", operation);
  }

  #lock(path: string): { release(): void } {
    this.#requireDirectory("lock", path);
    if (this.#locked.has(path)) {
      const message = `open ${path}: another store has it open; close that one first`;
      throw new AdapterError(message, { kind: "transient", code: "LEAKDB_LOCKED" });
    }
    this.#locked.add(path);
    let isHeld = true;
    const release = (): void => {
      if (isHeld) this.#locked.delete(path);
      isHeld = false;
    };
    return { release };
  }

  #open(path: string, mode: OpenMode): SimulatedFile {
    const { contents } = this.#below;
    const file = contents.file(path);
    if (mode !== "create") {
      if (file === undefined) throw diskError("ENOENT", { name: "open", path });
      return file;
    }
    this.#requireDirectory("create", dirname(path));
    if (file !== undefined) throw diskError("EEXIST", { name: "create", path });
    return contents.create(path);
  }

  #requireDirectory(name: DiskOperationName, path: string): void {
    if (!this.#below.contents.hasDirectory(path)) throw diskError("ENOENT", { name, path });
  }

  #requireAlive(): void {
    if (this.#isOver) throw new Error("this life of the simulated disk is over: take its `files` anew");
  }
}

/** An open file: the `JournalFile` of core. */
export class DiskHandle {
  readonly #life: DiskLife;
  readonly #below: DiskBelow;
  readonly #path: string;
  readonly #file: SimulatedFile;
  readonly #isWritable: boolean;
  #isClosed = false;

  constructor(life: DiskLife, below: DiskBelow, path: string, file: SimulatedFile, isWritable: boolean) {
    this.#life = life;
    this.#below = below;
    this.#path = path;
    this.#file = file;
    this.#isWritable = isWritable;
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    return this.#operate({
      name: "write",
      position,
      bytes: bytes.length,
      effect: () => this.#write(bytes, position),
      failed: ({ partBytes = 0 }) => this.#put(bytes.subarray(0, partBytes), position),
      interrupted: () => this.#put(bytes, position),
    });
  }

  read(target: Uint8Array, position: number): Promise<number> {
    const effect = (): number => this.#file.read(target, position);
    return this.#operate({ name: "read", position, bytes: target.length, effect });
  }

  sync(): Promise<void> {
    // It covers what was written before it was called.
    const serial = this.#below.contents.lastSerial;
    return this.#operate({
      name: "sync",
      effect: () => this.#file.synced(serial),
      failed: () => this.#file.forgotten(serial),
    });
  }

  truncate(bytes: number): Promise<void> {
    const effect = (): void => {
      this.#requireWritable("truncate");
      this.#file.truncate(this.#below.contents.nextSerial(), bytes);
    };
    return this.#operate({ name: "truncate", bytes, effect });
  }

  size(): Promise<number> {
    return this.#operate({ name: "size", effect: () => this.#file.size });
  }

  close(): Promise<void> {
    const effect = (): void => {
      this.#isClosed = true;
    };
    return this.#operate({ name: "close", effect, failed: effect });
  }

  #operate<T>({ effect, ...work }: Omit<Work<T>, "path">): Promise<T> {
    const whileOpen = (): T => {
      if (this.#isClosed) throw diskError("EBADF", { name: work.name, path: this.#path });
      return effect();
    };
    return this.#life.operate({ ...work, path: this.#path, effect: whileOpen });
  }

  #write(bytes: Uint8Array, position: number): void {
    this.#requireWritable("write");
    const { capacityBytes, contents } = this.#below;
    const growth = Math.max(0, position + bytes.length - this.#file.size);
    const over = Math.max(0, contents.bytes + growth - capacityBytes);
    this.#put(bytes.subarray(0, Math.max(0, bytes.length - Math.min(over, growth))), position);
    if (over > 0 && growth > 0) throw diskError("ENOSPC", { name: "write", path: this.#path });
  }

  #put(bytes: Uint8Array, position: number): void {
    if (bytes.length > 0) this.#file.write(this.#below.contents.nextSerial(), bytes, position);
  }

  #requireWritable(name: DiskOperationName): void {
    if (!this.#isWritable) throw diskError("EBADF", { name, path: this.#path });
  }
}
