/**
 * Which keys have mutations under way that the table's marks do not tell of: clears, and every mutation where keys do
 * not coalesce. Answers whoever waits for one key.
 */

import type { Item } from "../queue/item.js";

export class UnsettledKeys {
  readonly #coalesce: boolean;
  readonly #counts = new Map<string, number>();
  readonly #clears = new Set<Item>();

  constructor(coalesce: boolean) {
    this.#coalesce = coalesce;
  }

  has(key: string): boolean {
    if (this.#counts.has(key)) return true;
    for (const clear of this.#clears) if (key.startsWith(clear.key)) return true;
    return false;
  }

  add(item: Item): void {
    if (item.type === "clear") this.#clears.add(item);
    else if (!this.#coalesce) this.#counts.set(item.key, (this.#counts.get(item.key) ?? 0) + 1);
  }

  remove(item: Item): void {
    if (item.type === "clear") {
      this.#clears.delete(item);
      return;
    }
    if (this.#coalesce) return;
    const left = (this.#counts.get(item.key) ?? 0) - 1;
    if (left > 0) this.#counts.set(item.key, left);
    else this.#counts.delete(item.key);
  }
}
