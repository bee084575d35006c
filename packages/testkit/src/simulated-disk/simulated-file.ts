/**
 * One file of a simulated disk: what of it is on the disk, the changes that are in the system's memory alone, and what
 * readers see, which is both.
 *
 * ```
 * durable ◀─ change ─ change ─ change ◀─ write, truncate         sync: what it covers joins `durable`
 *                                                                failed sync: what it covers is never sure again
 * └──────────────────────────────────┘ seen                      crash: each change by lot
 * ```
 *
 * A failed sync forgets what it was to write, as Linux does: a later sync that succeeds saves only what was written
 * after. A crash still decides by lot whether the forgotten is there.
 */

import type { CrashLots } from "./crash-lots.js";
import { PagedBytes } from "./paged-bytes.js";

type Change = WriteChange | TruncateChange;
type Safety = "unsynced" | "synced" | "forgotten";

interface WriteChange {
  readonly type: "write";
  readonly serial: number;
  readonly safety: Safety;
  readonly position: number;
  readonly bytes: Uint8Array;
}

interface TruncateChange {
  readonly type: "truncate";
  readonly serial: number;
  readonly safety: Safety;
  readonly bytes: number;
}

export class SimulatedFile {
  #durable = new PagedBytes();
  #seen = new PagedBytes();
  #changes: Change[] = [];

  get size(): number {
    return this.#seen.size;
  }

  /** The serial numbers of the changes that a crash may take. */
  get unsyncedSerials(): number[] {
    return this.#changes.filter(({ safety }) => safety !== "synced").map(({ serial }) => serial);
  }

  copy(): SimulatedFile {
    const copy = new SimulatedFile();
    copy.#durable = this.#durable.copy();
    copy.#seen = this.#seen.copy();
    copy.#changes = [...this.#changes];
    return copy;
  }

  read(target: Uint8Array, position: number): number {
    return this.#seen.read(target, position);
  }

  /** All bytes, as a reader sees them. */
  contents(): Buffer {
    const bytes = Buffer.alloc(this.size);
    this.read(bytes, 0);
    return bytes;
  }

  write(serial: number, bytes: Uint8Array, position: number): void {
    // A copy, whatever kind of array it is: a Buffer's slice() shares its memory.
    const copy = new Uint8Array(bytes);
    const change: Change = { type: "write", serial, safety: "unsynced", position, bytes: copy };
    this.#changes.push(change);
    this.#seen.write(change.bytes, position);
  }

  truncate(serial: number, bytes: number): void {
    this.#changes.push({ type: "truncate", serial, safety: "unsynced", bytes });
    this.#seen.truncate(bytes);
  }

  /** A sync that has succeeded, and covers the changes up to `serial`. */
  synced(serial: number): void {
    this.#mark(serial, "synced");
    while (this.#changes[0]?.safety === "synced") apply(this.#durable, this.#changes.shift() as Change);
  }

  /** A sync that has failed. */
  forgotten(serial: number): void {
    this.#mark(serial, "forgotten");
  }

  /** Puts these bytes on the disk in place of all others: damage. */
  replace(bytes: Uint8Array): void {
    this.#changes = [];
    this.#durable = new PagedBytes();
    this.#durable.write(bytes, 0);
    this.#seen = this.#durable.copy();
  }

  /** The machine has crashed: from now on the file is what the lots have left of it. */
  crash(lots: CrashLots): void {
    for (const change of this.#changes) {
      if (change.safety === "synced") {
        apply(this.#durable, change);
      } else if (change.type === "truncate") {
        if (lots.isKept(change.serial)) apply(this.#durable, change);
      } else {
        this.#crashWrite(change, lots);
      }
    }
    this.#changes = [];
    this.#seen = this.#durable.copy();
  }

  #crashWrite(change: WriteChange, lots: CrashLots): void {
    const lot = lots.of(change.serial);
    if (lot === "kept") apply(this.#durable, change);
    if (lot !== "torn") return;
    for (const { position, bytes } of lots.tear(change.bytes, change.position)) {
      this.#durable.write(bytes, position);
    }
  }

  #mark(serial: number, safety: Safety): void {
    this.#changes = this.#changes.map((change) =>
      change.safety === "unsynced" && change.serial <= serial ? { ...change, safety } : change,
    );
  }
}

function apply(bytes: PagedBytes, change: Change): void {
  if (change.type === "truncate") bytes.truncate(change.bytes);
  else bytes.write(change.bytes, change.position);
}
