/** The rows of a table that carry marks: what somebody outside holds, found by a walk over all rows. */

import { DETACHED } from "./marks.js";
import type { Table } from "./table.js";

/**
 * The slots that carry any of `marks` when the walk comes to them, those a clear has detached left out. Rows that get or
 * lose the marks meanwhile may be visited or not.
 */
export function* markedSlots(table: Table, marks: number): Generator<number, void, undefined> {
  for (let slot = 0; slot < table.slotsUsed; slot += 1) {
    const found = table.marks(slot);
    if ((found & marks) !== 0 && (found & DETACHED) === 0) yield slot;
  }
}
