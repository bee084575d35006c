/**
 * A storage whose only persistence is its journal: takes note of every mutation for the journal, and is stored when that is
 * synced. Keys coalesce: what is journaled is their newest state at the end of a turn. Nothing is ever settled elsewhere,
 * so the journal is kept short by relocation alone (`journal-trimming.ts`).
 */

import type { Clock } from "../clock.js";
import type { LeakDBError } from "../errors.js";
import { markedSlots } from "../memory/marked-slots.js";
import { JOURNALING } from "../memory/marks.js";
import type { Table } from "../memory/table.js";
import { Backpressure } from "../queue/backpressure.js";
import type { Barriers } from "../queue/barriers.js";
import { type Dead, DeadLetters } from "../queue/dead-letters.js";
import { type Item, newItem } from "../queue/item.js";
import type { DeadLetter } from "../reports.js";
import type { WaitOptions } from "../wait.js";
import { DeadLetterDesk, refusalError } from "./dead-letter-desk.js";
import type { Events } from "./events.js";
import type { Intake } from "./intake.js";
import type { JournaledOwner } from "./journaled-owner.js";
import type { Journaling } from "./journaling.js";
import type { Pipeline } from "./pipeline.js";

/** Waiting keys past which `needDrain` is true: as of the queue of the other storages. */
const HIGH_WATER_MARK = 100_000;

export interface JournalOnlyParts {
  readonly table: Table;
  readonly clock: Clock;
  readonly events: Events;
  readonly journal: Journaling;
}

export class JournalOnly implements Intake, Pipeline, JournaledOwner {
  readonly #parts: JournalOnlyParts;
  readonly #journal: Journaling;
  readonly #table: Table;
  readonly #deadLetters: DeadLetters;
  readonly #desk: DeadLetterDesk;
  readonly backpressure: Backpressure;
  readonly barriers: Barriers;
  readonly coalesces = true;
  readonly waitingMark = JOURNALING;
  readonly retries = 0;
  coalesced = 0;
  stored = 0;

  constructor(parts: JournalOnlyParts) {
    const { events, journal } = parts;
    this.#parts = parts;
    this.#journal = journal;
    this.#table = parts.table;
    // What waits takes no room of its own, so nothing is gained by refusing it.
    const bounds = { highWaterMark: HIGH_WATER_MARK, capacity: Infinity };
    this.backpressure = new Backpressure(bounds, () => events.emit("drain"));
    this.#deadLetters = new DeadLetters(this.backpressure, {
      noteDead: () => undefined,
      noteDeadGone: ({ item, isRetrying }) => {
        // One that was retried is taken up by a newer entry, or refused again, which the journal knows by itself.
        if (!isRetrying) journal.forgetUnencodable(item);
      },
    });
    this.#desk = new DeadLetterDesk({
      deadLetters: this.#deadLetters,
      standsWhileRetrying: true,
      requeue: (item) => this.#requeue(item),
    });
    this.barriers = journal.barriers;
    journal.serve(this);
  }

  get deadLetterCount(): number {
    return this.#deadLetters.size;
  }

  needsRoom(): boolean {
    return false;
  }

  notePut(slot: number, marks: number): void {
    if ((marks & JOURNALING) !== 0) this.coalesced += 1;
    else this.#note(slot, marks);
  }

  noteDelete(slot: number): void {
    const marks = this.#table.marks(slot);
    this.#table.mark(slot, JOURNALING);
    this.notePut(slot, marks);
  }

  clear(prefix: string, version: number): number {
    const count = this.#table.clear(prefix);
    const state = { type: "clear", key: prefix, value: undefined, version, expiresAt: 0 } as const;
    this.#journal.noteItem(newItem({ ...state, date: this.#parts.clock.now() }));
    this.backpressure.add();
    return count;
  }

  flush(barrier: { version: number }, options: WaitOptions): Promise<void> {
    return this.#journal.flush(barrier.version, options);
  }

  deadLetters(): DeadLetter[] {
    return this.#desk.list();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  /** What the journal could not take: of the keys that stand the newest state, then what was removed. */
  unwritten(): Item[] {
    const items = [...this.#deadLetters.standing()].map(({ item }) => item);
    const upTo = this.#journal.keptUpTo;
    // All of it has been journaled, as after most closes: no walk over the table.
    if (upTo >= this.#journal.lastVersion) return items;
    const known = new Set(items.map(({ key }) => key));
    for (const slot of this.#table.slots()) {
      if (this.#table.version(slot) > upTo && !known.has(this.#table.key(slot)))
        items.push(this.#itemOf(slot, "put"));
    }
    // Tombstones that the journal did not come to any more.
    for (const slot of markedSlots(this.#table, JOURNALING)) {
      if (this.#table.value(slot) === undefined) items.push(this.#itemOf(slot, "delete"));
    }
    for (const { type, key, version } of this.#journal.unsyncedRemovals)
      items.push(newItem({ type, key, version, value: undefined, expiresAt: 0 }));
    return items.sort((a, b) => a.version - b.version);
  }

  // As the owner of what is journaled.

  settledUpTo(): number {
    return -1;
  }

  syncBackend(): Promise<void> {
    return Promise.resolve();
  }

  liveSlots(): Iterator<number> {
    return this.#table.slots();
  }

  liveItems(): Iterable<Item> {
    return [];
  }

  letters(): Iterable<Dead> {
    return [];
  }

  journaled(count: number): void {
    this.stored += count;
    for (let left = count; left > 0; left -= 1) this.backpressure.remove();
  }

  unencodable(key: string, version: number, error: Error): void {
    const slot = this.#table.find(key);
    if (slot < 0 || this.#table.version(slot) !== version) return;
    this.#deadLetters.removeOlder(key, version);
    const dead = this.#deadLetters.add(this.#itemOf(slot, "put"), refusalError(error, 0));
    this.#parts.events.emit("deadLetter", this.#desk.describe(dead));
  }

  encoded(key: string, version: number, type: Item["type"]): void {
    if (this.#deadLetters.size === 0) return;
    if (type === "clear") this.#deadLetters.removeCleared(key, version);
    else this.#deadLetters.removeOlder(key, version);
  }

  failure(version: number, key: string | undefined): LeakDBError | undefined {
    return this.#desk.failure(version, key);
  }

  #note(slot: number, marks: number): void {
    this.backpressure.add();
    this.#journal.noteSlot(slot, marks);
  }

  /** The key's state as it is now, which may be encodable by now; where it has left memory, a delete of its version. */
  #requeue(item: Item): void {
    const table = this.#table;
    const known = table.find(item.key);
    const slot = known >= 0 ? known : table.insert(item.key);
    const marks = table.marks(slot);
    table.mark(slot, JOURNALING);
    if (known < 0) table.remove(slot, item.version);
    this.#journal.takeBack();
    this.notePut(slot, marks);
  }

  #itemOf(slot: number, type: Item["type"]): Item {
    const table = this.#table;
    const version = table.version(slot);
    return newItem({
      ...{ type, key: table.key(slot), value: table.value(slot), version, expiresAt: table.expiresAt(slot) },
    });
  }
}
