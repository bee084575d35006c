/**
 * The names that a scan has met. `SCAN` may tell a name twice while the server's table changes its size, and so may two
 * nodes between which a slot moves.
 */

/** Below the number at which a `Set` throws. */
const NAMES_MAX = 8_000_000;

export class SeenNames {
  readonly #sets: Set<string>[] = [new Set()];

  /** @returns false when it was there. */
  add(name: string): boolean {
    for (const set of this.#sets) if (set.has(name)) return false;
    let last = this.#sets.at(-1) as Set<string>;
    if (last.size >= NAMES_MAX) {
      last = new Set();
      this.#sets.push(last);
    }
    last.add(name);
    return true;
  }
}
