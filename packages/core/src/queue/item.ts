/**
 * One mutation on its way from memory to the backend, from the moment it leaves the table until it is settled. In
 * a coalescing queue an item is made when its batch is cut; otherwise at the call.
 */
export interface Item {
  readonly type: "put" | "delete" | "clear";
  /** The key; of a clear, its prefix. */
  readonly key: string;
  /** As stored in the table, until the sink has encoded it; `undefined` for deletes and clears. */
  value: unknown;
  readonly version: number;
  /** Milliseconds since 1970, 0 for never. */
  readonly expiresAt: number;
  /** The version at which the key became dirty: every mutation of the key from it to `version` is in this item. */
  firstVersion: number;
  /** The slot of the table that the item holds, -1 for none. */
  readonly slot: number;
  /** Its size as prepared by the sink, -1 until then. */
  bytes: number;
  /** Failed tries that count towards the dead letter; they live with the item, not with its batch. */
  attempts: number;
  /** Milliseconds since 1970: when the mutation was made. */
  readonly date: number;
  /** The mutations of one `setMulti` that must share a batch; `value` is unused then. */
  readonly parts?: readonly Item[];
}

export function newItem(
  state: Pick<Item, "type" | "key" | "value" | "version" | "expiresAt"> &
    Partial<Pick<Item, "date" | "firstVersion" | "slot" | "bytes" | "parts">>,
): Item {
  const { type, key, value, version, expiresAt, firstVersion = version, slot = -1 } = state;
  // A version is the moment of its mutation, in microseconds.
  const { date = Math.floor(version / 1_000), bytes = -1, parts } = state;
  const item: Item = { type, key, value, version, expiresAt, firstVersion, slot, bytes, attempts: 0, date };
  return parts === undefined ? item : { ...item, parts };
}
