/**
 * Which keys have mutations under way that the table's marks do not tell of: clears, and every mutation where keys do
 * not coalesce. Answers whoever waits for one key.
 */

import type { Item } from "../queue/item.js";

export class UnsettledKeys {
  readonly #coalesce: boolean;
  readonly #byKey = new Map<string, { count: number; newest: number }>();
  /** Each with the first-dirty version of what it may have cancelled. */
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

  /** The smallest first-dirty version that a clear under way covers, `Infinity` for none. */
  get clearsFrom(): number {
    return this.#clears.size === 0 ? Infinity : Math.min(...this.#clears.values());
  }

  /** `coveredFrom` is of clears. */
  add(item: Item, coveredFrom = item.firstVersion): void {
    if (item.type === "clear") {
      this.#clears.set(item, coveredFrom);
    } else if (!this.#coalesce) {
      const count = this.#byKey.get(item.key)?.count ?? 0;
      this.#byKey.set(item.key, { count: count + 1, newest: item.version });
    }
  }

  /** What the item covered from, as `add` was told. */
  remove(item: Item): number {
    const coveredFrom = this.#clears.get(item) ?? item.firstVersion;
    this.#clears.delete(item);
    const known = item.type === "clear" ? undefined : this.#byKey.get(item.key);
    if (known !== undefined) {
      known.count -= 1;
      if (known.count === 0) this.#byKey.delete(item.key);
    }
    return coveredFrom;
  }
}
