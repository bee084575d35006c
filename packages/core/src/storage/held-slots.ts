/**
 * The slots of the table whose keys are on their way to the backend, where keys coalesce: a slot is held by its marks
 * while its newest state waits in a line (WAITING) or is under way (IN_FLIGHT), so that it is neither freed nor given
 * to another key (I4). A clear detaches it: what it stood for is cancelled then.
 */

import { DETACHED, IN_FLIGHT, WAITING } from "../memory/marks.js";
import type { Table } from "../memory/table.js";
import { type Item, newItem } from "../queue/item.js";

export class HeldSlots {
  readonly #table: Table;
  /** Slots with two items under way: one in a batch, or parked, and a newer one cut ahead or about to join it. */
  readonly #doubled = new Set<number>();

  constructor(table: Table) {
    this.#table = table;
  }

  isCancelled(slot: number): boolean {
    return slot >= 0 && (this.#table.marks(slot) & DETACHED) !== 0;
  }

  /** The ticket of a cancelled slot has left its line. */
  leaveLine(slot: number): void {
    this.#table.unmark(slot, WAITING);
  }

  /** What the slot's ticket stands for now: its newest state, and a delete once that has expired. */
  take(slot: number, firstVersion: number): Item {
    const table = this.#table;
    if ((table.marks(slot) & IN_FLIGHT) !== 0) this.#doubled.add(slot);
    table.mark(slot, IN_FLIGHT);
    table.unmark(slot, WAITING);
    const value = table.liveValue(slot);
    const version = table.version(slot);
    return newItem({
      type: value === undefined ? "delete" : "put",
      key: table.key(slot),
      value,
      version,
      expiresAt: table.expiresAt(slot),
      firstVersion,
      slot,
    });
  }

  /** One item is no longer under way; a second item of the slot keeps the mark. */
  letGo(slot: number): void {
    if (slot >= 0 && !this.#doubled.delete(slot)) this.#table.unmark(slot, IN_FLIGHT);
  }

  /** The older item's place is taken by the newer one's, mostly in the same slot. */
  superseded(older: number, newer: number): void {
    this.letGo(older === newer ? -1 : older);
    this.#doubled.delete(newer);
  }
}
