/** A mutation that a close could not store, given back to whoever closed (nothing is lost in silence, I10). */

import { EncodedValue } from "../codec/encoded-value.js";
import type { Item } from "../queue/item.js";
import type { Unwritten } from "../reports.js";
import type { Store } from "./store.js";

export function unwrittenOf(item: Item, store: Store): Unwritten[] {
  if (item.parts !== undefined) return item.parts.flatMap((part) => unwrittenOf(part, store));
  const { type, key, version, expiresAt } = item;
  return [
    { operation: type, key, value: readValue(item, store), version, expiresAt: expiresAt || undefined },
  ];
}

/** A batch's items have been encoded already; what waits is as the table has it. */
function readValue(item: Item, store: Store): unknown {
  if (item.type !== "put") return undefined;
  if (item.bytes > 0 && item.value instanceof Uint8Array) {
    return store.fromStored(new EncodedValue(item.value), "copied", item.key);
  }
  return store.fromStored(item.value, "reference", item.key);
}
