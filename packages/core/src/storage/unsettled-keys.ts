/**
 * Which keys have mutations under way that the table's marks do not tell of: clears, and every mutation where keys do
 * not coalesce. Answers whoever waits for one key.
 */

import type { Item } from "../queue/item.js";

export class UnsettledKeys {
  readonly #coalesce: boolean;
  readonly #byKey = new Map<string, { count: number; newest: number }>();
  /** Each with the smallest first-dirty version of what it has cancelled and stands for, `Infinity` for none. */
  readonly #clears = new Map<Item, number>();

  constructor(coalesce: boolean) {
    this.#coalesce = coalesce;
  }

  /** The version of the key's newest mutation under way, `undefined` for none that is known of here. */
  newest(key: string): number | undefined {
    let newest = this.#byKey.get(key)?.newest;
    for (const { key: prefix, version } of this.#clears.keys()) {
      if (key.startsWith(prefix)) newest = Math.max(newest ?? 0, version);
    }
    return newest;
  }

  /** The smallest first-dirty version that a clear under way stands for, `Infinity` for none. */
  get clearsFrom(): number {
    return this.#clears.size === 0 ? Infinity : Math.min(...this.#clears.values());
  }

  add(item: Item): void {
    if (item.type === "clear") {
      this.#clears.set(item, Infinity);
    } else if (!this.#coalesce) {
      const count = this.#byKey.get(item.key)?.count ?? 0;
      this.#byKey.set(item.key, { count: count + 1, newest: item.version });
    }
  }

  /**
   * What became dirty at `firstVersion` will never be sent, since a clear has cancelled it: from now on that clear
   * stands for it, so that nobody takes it for stored before the clear is (I6).
   */
  cancelled(key: string, firstVersion: number): void {
    for (const [clear, coveredFrom] of this.#clears) {
      if (clear.version <= firstVersion || !key.startsWith(clear.key)) continue;
      this.#clears.set(clear, Math.min(coveredFrom, firstVersion));
      return;
    }
  }

  /** The smallest first-dirty version that the item, which is no longer under way, stands for. */
  remove(item: Item): number {
    const coveredFrom = Math.min(this.#clears.get(item) ?? Infinity, item.firstVersion);
    this.#clears.delete(item);
    const known = item.type === "clear" ? undefined : this.#byKey.get(item.key);
    if (known !== undefined) {
      known.count -= 1;
      if (known.count === 0) this.#byKey.delete(item.key);
    }
    return coveredFrom;
  }
}
