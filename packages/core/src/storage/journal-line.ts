/**
 * What waits for the journal, and how it becomes entries of a frame: slots of the table, whose newest state goes where keys
 * coalesce; items, where each is delivered, and clears; and notes of what became of items.
 *
 *     slots ─ newest state ─┐
 *     items ────────────────┼─▶ fill ─▶ frame
 *     notes ────────────────┤
 *     relocation ─ a little ┘   what is live is written again, so that the journal's start may go
 */

import type { Codec } from "../codec/codec.js";
import { encodeValue } from "../codec/encoded-value.js";
import { writeDeadEntry } from "../journal/dead-entry.js";
import { CLEAR, DEAD_CLEAR, DEAD_DELETE, DEAD_GONE, DEAD_PUT, DELETE, DONE, PUT } from "../journal/entry.js";
import { FRAME_BYTES_MAX, type FrameBuilder } from "../journal/frame.js";
import { KEY_BYTES_MAX } from "../key.js";
import { DETACHED, JOURNALING } from "../memory/marks.js";
import type { Table } from "../memory/table.js";
import type { Item } from "../queue/item.js";
import { SlotLine } from "../queue/slot-line.js";
import { asError } from "../thrown.js";

/** Reading the time costs as much as encoding a small number: it is read once for so many entries. */
const ENTRIES_PER_TIME_CHECK = 16;
/** As much of what is live goes with one group: it must not keep those who wait for the group. */
const RELOCATED_BYTES_PER_GROUP = 512 * 1024;

const KINDS = { put: PUT, delete: DELETE, clear: CLEAR } as const;
/** Of a dead letter that is gone because it was stored. */
const STORED = Uint8Array.of(1);
const DEAD_KINDS = { put: DEAD_PUT, delete: DEAD_DELETE, clear: DEAD_CLEAR } as const;

export interface JournalLineParts {
  readonly table: Table;
  readonly codec: Codec;
  /** The state of a key cannot be written down; the key is among the `unencodable` then. */
  onUnencodable(key: string, version: number, error: Error): void;
  /** A newer state of a key could be written down, or a clear, while there were any that could not. */
  onEncoded(key: string, version: number, type: Item["type"]): void;
}

/** A state of a key that could not be written down. */
export interface Unencodable {
  readonly version: number;
  readonly error: Error;
}

/** Adds what it knows to a frame. */
export type Note = (frame: FrameBuilder) => void;

/** What is live and is to be written again: held slots, and entries that hold none. */
export interface Relocation {
  readonly slots: Iterator<number>;
  readonly notes: Iterator<Note>;
}

export class JournalLine {
  readonly #parts: JournalLineParts;
  readonly #slots = new SlotLine();
  #items: Item[] = [];
  #notes: Note[] = [];
  #done: number[] = [];
  #relocation: Relocation | undefined;
  /** What is done is to be written without waiting for anything else. */
  isDoneDue = false;
  /** Keys whose newest state is not in the journal, nor ever will be. */
  readonly unencodable = new Map<string, Unencodable>();
  /** Mutations that were taken. */
  taken = 0;
  /** Deletes and clears that were taken and are not synced yet: no row tells of them any more. */
  removals: { readonly type: "delete" | "clear"; readonly key: string; readonly version: number }[] = [];

  constructor(parts: JournalLineParts) {
    this.#parts = parts;
  }

  /** Those, and the clears that wait. */
  get unsyncedRemovals(): {
    readonly type: "delete" | "clear";
    readonly key: string;
    readonly version: number;
  }[] {
    const waiting = this.#items.flatMap(({ type, key, version }) =>
      type === "put" ? [] : [{ type, key, version }],
    );
    return [...this.removals, ...waiting];
  }

  /** Mutations that wait. */
  get length(): number {
    return this.#slots.length + this.#items.length;
  }

  get isEmpty(): boolean {
    const isDone = this.#notes.length === 0 && (this.#done.length === 0 || !this.isDoneDue);
    return this.length === 0 && isDone && this.#relocation === undefined;
  }

  get isRelocating(): boolean {
    return this.#relocation !== undefined;
  }

  /** The newest state of a slot, which has got the mark JOURNALING. */
  pushSlot(slot: number): void {
    this.#slots.push(slot);
  }

  pushItem(item: Item): void {
    this.#items.push(item);
  }

  /** Goes with the next group, and asks for none until `isDoneDue`. */
  pushDone(version: number): void {
    this.#done.push(version);
  }

  /** The item is a dead letter. What cannot be encoded is not written: its error says so. */
  pushDead(item: Item, error: Error, isGone: () => boolean, onWritten: () => void): void {
    this.#notes.push((frame) => {
      if (isGone()) return;
      const { key, type, version, expiresAt, attempts } = item;
      let value: Uint8Array | undefined;
      try {
        if (type === "put") value = this.#bytesOf(item);
      } catch {
        // Its own failure is the dead letter's error already.
        return;
      }
      frame.add(DEAD_KINDS[type], key, version, expiresAt, writeDeadEntry({ error, attempts }, value));
      onWritten();
    });
  }

  pushDeadGone({ key, version }: Item, isStored: boolean, onWritten: () => void): void {
    this.#notes.push((frame) => {
      frame.add(DEAD_GONE, key, version, 0, isStored ? STORED : undefined);
      onWritten();
    });
  }

  /** `undefined` ends it unfinished. */
  relocate(relocation: Relocation | undefined): void {
    this.#relocation = relocation;
  }

  noteFor(item: Item): Note {
    return (frame) => this.#writeItem(frame, item);
  }

  /** True when nothing waits any more. */
  fill(frame: FrameBuilder, sliceMs: number): boolean {
    const sliceStart = performance.now();
    let entries = 0;
    const isTimeUp = (): boolean => {
      entries += 1;
      if (frame.bytes >= FRAME_BYTES_MAX) return true;
      return entries % ENTRIES_PER_TIME_CHECK === 0 && performance.now() - sliceStart > sliceMs;
    };
    // Clears before slots: what they cover is detached, and what is newer than they are is in the slots.
    if (!this.#fillItems(frame, isTimeUp)) return false;
    if (!this.#fillSlots(frame, isTimeUp)) return false;
    if (!this.#fillRelocated(frame, isTimeUp)) return false;
    const notes = this.#notes;
    this.#notes = [];
    for (const note of notes) note(frame);
    this.#fillDone(frame);
    return true;
  }

  #fillItems(frame: FrameBuilder, isTimeUp: () => boolean): boolean {
    const items = this.#items;
    for (const [index, item] of items.entries()) {
      this.taken += 1;
      this.#writeItem(frame, item);
      if (!isTimeUp()) continue;
      this.#items = items.slice(index + 1);
      return false;
    }
    if (items.length > 0) this.#items = [];
    return true;
  }

  #fillSlots(frame: FrameBuilder, isTimeUp: () => boolean): boolean {
    for (let slot = this.#slots.take(); slot >= 0; slot = this.#slots.take()) {
      this.taken += 1;
      this.#writeSlot(frame, slot);
      if (isTimeUp()) return false;
    }
    return true;
  }

  /** What a crash must not deliver again. */
  #fillDone(frame: FrameBuilder): void {
    this.isDoneDue = false;
    if (this.#done.length === 0) return;
    const versions = Buffer.alloc(this.#done.length * 8);
    for (const [index, version] of this.#done.entries()) versions.writeDoubleLE(version, index * 8);
    frame.add(DONE, "", 0, 0, versions);
    this.#done = [];
  }

  /** A little of what is live, once nothing else waits: it must not hold the group up. */
  #fillRelocated(frame: FrameBuilder, isTimeUp: () => boolean): boolean {
    const relocation = this.#relocation;
    if (relocation === undefined) return true;
    const until = frame.bytes + RELOCATED_BYTES_PER_GROUP;
    while (frame.bytes < until) {
      const note = relocation.notes.next();
      if (!note.done) {
        note.value(frame);
      } else {
        const slot = relocation.slots.next();
        if (slot.done) {
          this.#relocation = undefined;
          return true;
        }
        // One that waits again already has been written in this group, or is about to be.
        if ((this.#parts.table.marks(slot.value) & (DETACHED | JOURNALING)) === 0)
          this.#writeSlot(frame, slot.value);
      }
      if (isTimeUp()) break;
    }
    return true;
  }

  #writeSlot(frame: FrameBuilder, slot: number): void {
    const { table, codec } = this.#parts;
    if ((table.marks(slot) & DETACHED) === 0) {
      const value = table.liveValue(slot);
      const version = table.version(slot);
      const key = table.key(slot);
      if (value === undefined) {
        frame.add(DELETE, key, version);
        this.removals.push({ type: "delete", key, version });
        this.#written(key, version, "delete");
      } else {
        try {
          frame.put(key, version, table.expiresAt(slot), value, codec);
          this.#written(key, version, "put");
        } catch (error) {
          this.#refuse(key, version, error);
        }
      }
    }
    table.unmark(slot, JOURNALING);
  }

  #writeItem(frame: FrameBuilder, item: Item): void {
    const { type, key, version, expiresAt } = item;
    // A prefix that no key can have clears nothing, and has no room in an entry.
    if (type === "clear" && key.length > KEY_BYTES_MAX) return;
    if (type !== "put") this.removals.push({ type, key, version });
    try {
      frame.add(KINDS[type], key, version, expiresAt, type === "put" ? this.#bytesOf(item) : undefined);
      this.#written(key, version, type);
    } catch (error) {
      this.#refuse(key, version, error);
    }
  }

  /** A newer state of what could not be written down is in the journal. */
  #written(key: string, version: number, type: Item["type"]): void {
    if (this.unencodable.size === 0) return;
    this.unencodable.delete(key);
    if (type === "clear") {
      for (const known of [...this.unencodable.keys()])
        if (known.startsWith(key)) this.unencodable.delete(known);
    }
    this.#parts.onEncoded(key, version, type);
  }

  #refuse(key: string, version: number, thrown: unknown): void {
    const error = asError(thrown);
    this.unencodable.set(key, { version, error });
    this.#parts.onUnencodable(key, version, error);
  }

  /** An item that its lane has prepared is bytes already. */
  #bytesOf({ value, bytes }: Item): Uint8Array {
    return bytes > 0 && value instanceof Uint8Array ? value : encodeValue(value, this.#parts.codec);
  }
}
