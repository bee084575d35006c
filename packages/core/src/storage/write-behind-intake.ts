/**
 * The entrance of the write-behind queue: takes note of every mutation, for the lanes and for the journal.
 *
 * While a key coalesces, its slot in the table carries the marks WAITING and JOURNALING, and the newest state is read
 * from the table when a batch, or a group of the journal, is cut; otherwise every mutation is an item of its own, made
 * at the call.
 */

import type { Clock } from "../clock.js";
import { DETACHED, IN_FLIGHT, JOURNALING, WAITING } from "../memory/marks.js";
import type { Table } from "../memory/table.js";
import type { Backpressure } from "../queue/backpressure.js";
import { type Item, newItem } from "../queue/item.js";
import type { Lanes } from "../worker/lanes.js";
import type { Intake } from "./intake.js";
import type { Journaling } from "./journaling.js";
import type { ResolvedQueueOptions } from "./options.js";
import type { UnsettledKeys } from "./unsettled-keys.js";
import type { Versions } from "./versions.js";

export interface WriteBehindIntakeParts {
  readonly table: Table;
  readonly versions: Versions;
  readonly clock: Clock;
  readonly lanes: Lanes;
  readonly unsettled: UnsettledKeys;
  readonly backpressure: Backpressure;
  readonly options: ResolvedQueueOptions;
  readonly journal: Journaling | undefined;
  /** A clear has taken the place of this one, which will not be written. */
  dropped(clear: Item): void;
}

/** A mutation as the table tells of it. */
type State = Pick<Item, "type" | "key" | "value" | "version" | "expiresAt"> & Partial<Item>;

export class WriteBehindIntake implements Intake {
  readonly #parts: WriteBehindIntakeParts;
  readonly #table: Table;
  readonly #lanes: Lanes;
  readonly #journal: Journaling | undefined;
  readonly #maxSize: number;
  readonly coalesces: boolean;
  readonly waitingMark: number;
  readonly backpressure: Backpressure;
  coalesced = 0;

  constructor(parts: WriteBehindIntakeParts) {
    this.#parts = parts;
    this.#table = parts.table;
    this.#lanes = parts.lanes;
    this.#journal = parts.journal;
    this.#maxSize = parts.options.maxSize;
    this.backpressure = parts.backpressure;
    this.coalesces = parts.options.coalesce;
    const mark = parts.journal === undefined ? WAITING : WAITING | JOURNALING;
    this.waitingMark = this.coalesces ? mark : 0;
  }

  needsRoom(slot: number): boolean {
    return !this.coalesces || slot < 0 || (this.#table.marks(slot) & (WAITING | IN_FLIGHT)) === 0;
  }

  notePut(slot: number, marks: number, key: string, value: unknown, version: number, expiry: number): void {
    if (!this.coalesces) {
      this.pushItem({ type: "put", key, value, version, expiresAt: expiry });
      return;
    }
    this.#journal?.noteSlot(slot, marks);
    if ((marks & WAITING) !== 0) this.coalesced += 1;
    else this.#pushTicket(slot, key, version);
  }

  noteDelete(slot: number, version: number): void {
    const key = this.#table.key(slot);
    if (!this.coalesces) {
      this.pushItem({ type: "delete", key, value: undefined, version, expiresAt: 0 });
      return;
    }
    const marks = this.#table.marks(slot);
    this.#table.mark(slot, this.waitingMark);
    this.#journal?.noteSlot(slot, marks);
    if ((marks & WAITING) !== 0) this.coalesced += 1;
    else this.#pushTicket(slot, key, version);
  }

  /** It takes the place of waiting clears that it covers, where keys coalesce: what stands between is cancelled, or of other keys. */
  clear(prefix: string, version: number): number {
    let cancelled = 0;
    const count = this.#table.clear(prefix, (marks) => {
      // Its ticket stays in the line, but nothing will be written for it.
      if ((marks & (WAITING | DETACHED)) === WAITING) cancelled += 1;
    });
    const covered = this.coalesces ? this.#lanes.queue.takeClears(prefix) : [];
    const firstVersion = covered[0]?.firstVersion ?? version;
    const date = this.#parts.clock.now();
    const item = newItem({
      ...{ type: "clear", key: prefix, value: undefined, version, expiresAt: 0, date, firstVersion },
    });
    this.#journal?.noteItem(item);
    this.pushClear(item);
    for (const clear of covered) {
      this.#parts.dropped(clear);
      this.coalesced += 1;
    }
    this.#lanes.dropCancelled();
    this.#lanes.allEnqueued();
    if (this.#lanes.queue.size >= this.#maxSize) this.makeDue();
    // Last, as this may call listeners, who may write.
    for (; cancelled > 0; cancelled -= 1) this.backpressure.remove();
    return count;
  }

  makeDue(): void {
    this.#lanes.makeAllDue(this.#parts.versions.last);
  }

  /** Holds the slot, which does not wait yet, for a ticket in its lane's line. What waits so has been journaled. */
  holdTicket(slot: number, key: string, version: number): void {
    this.#table.mark(slot, WAITING);
    this.#pushTicket(slot, key, version);
  }

  /** The state of a slot that waits is to be journaled once more. */
  journalTicket(slot: number): void {
    if (this.#journal === undefined) return;
    const marks = this.#table.marks(slot);
    this.#table.mark(slot, JOURNALING);
    this.#journal.noteSlot(slot, marks);
  }

  pushItem(state: State): void {
    const item = newItem({ date: this.#parts.clock.now(), ...state });
    this.#journal?.noteItem(item);
    this.restoreItem(item);
  }

  /** An item that the journal knows. */
  restoreItem(item: Item): void {
    this.backpressure.add();
    this.#parts.unsettled.add(item);
    this.#enqueued(this.#lanes.queue.pushItem(item));
  }

  /** A clear that the journal knows. */
  pushClear(item: Item): void {
    this.backpressure.add();
    this.#parts.unsettled.add(item);
    this.#lanes.queue.pushClear(item);
  }

  #pushTicket(slot: number, key: string, version: number): void {
    this.backpressure.add();
    this.#enqueued(this.#lanes.queue.pushTicket(slot, key, version));
  }

  #enqueued(lane: number): void {
    const { size } = this.#lanes.queue;
    if (size < this.#maxSize) this.#lanes.enqueued(lane);
    else if (size === this.#maxSize) this.makeDue();
    else this.#lanes.makeDue(lane, this.#parts.versions.last);
  }
}
