/** What the write-behind pipeline still needs of its journal: everything that is not settled, and its dead letters. */

import { markedSlots } from "../memory/marked-slots.js";
import { IN_FLIGHT, WAITING } from "../memory/marks.js";
import type { Table } from "../memory/table.js";
import type { Backpressure } from "../queue/backpressure.js";
import type { Dead, DeadLetters } from "../queue/dead-letters.js";
import type { Item } from "../queue/item.js";
import type { Lanes } from "../worker/lanes.js";
import type { JournaledOwner } from "./journaled-owner.js";

export interface JournaledWorkParts {
  readonly table: Table;
  readonly lanes: Lanes;
  readonly deadLetters: DeadLetters;
  readonly backpressure: Backpressure;
  storedUpTo(): number;
  sync(): Promise<void>;
  makeDue(): void;
}

export class JournaledWork implements JournaledOwner {
  readonly #parts: JournaledWorkParts;
  readonly backpressure: Backpressure;

  constructor(parts: JournaledWorkParts) {
    this.#parts = parts;
    this.backpressure = parts.backpressure;
  }

  settledUpTo(): number {
    return this.#parts.storedUpTo();
  }

  syncBackend(): Promise<void> {
    return this.#parts.sync();
  }

  /** Where keys do not coalesce no slot is ever marked. */
  liveSlots(): Iterator<number> {
    return markedSlots(this.#parts.table, WAITING | IN_FLIGHT);
  }

  /** What holds a slot is told by it. */
  *liveItems(): Generator<Item, void, undefined> {
    for (const item of this.#parts.lanes.unsettledItems()) if (item.slot < 0) yield item;
  }

  letters(): Iterable<Dead> {
    return this.#parts.deadLetters.all();
  }

  encoded(): void {
    // The dead letter goes when the newer state is stored.
  }

  failure(): undefined {
    return undefined;
  }

  journaled(): void {
    // Its own depth goes down when it is stored.
  }

  /** The lane finds the same soon, and makes a dead letter of it. */
  unencodable(): void {
    this.#parts.makeDue();
  }
}
