/**
 * The highest version of each partition that was acknowledged to this process. A server acknowledges a write before its
 * replicas have it, so a failover may lose it; who looks at what the mark says next, sees that it has.
 */

import { AdapterError } from "@leakdb/core/adapter";

export class Acknowledged {
  readonly storeId: string;
  readonly #highs: number[];

  constructor(storeId: string, highs: readonly number[]) {
    this.storeId = storeId;
    this.#highs = [...highs];
  }

  get highest(): number {
    return Math.max(...this.#highs);
  }

  highOf(partition: number): number {
    return this.#highs[partition] ?? 0;
  }

  note(partition: number, version: number): void {
    if (version > this.highOf(partition)) this.#highs[partition] = version;
  }

  /** @param highs of the marks now. @returns what the user has to be told, where they were higher before */
  lostSince(highs: readonly number[]): Loss | undefined {
    const loss = new Loss();
    for (const [partition, high] of highs.entries()) loss.note(high, this.highOf(partition));
    return loss.isNone ? undefined : loss;
  }
}

/** What was acknowledged, and is not there. */
export class Loss {
  #partitions = 0;
  #found = Number.POSITIVE_INFINITY;
  #acknowledged = 0;

  /** @param found the highest version that a mark knows. @param acknowledged what it knew before */
  note(found: number, acknowledged: number): void {
    if (found >= acknowledged) return;
    this.#partitions += 1;
    this.#found = Math.min(this.#found, found);
    this.#acknowledged = Math.max(this.#acknowledged, acknowledged);
  }

  get isNone(): boolean {
    return this.#partitions === 0;
  }

  error(store: string): AdapterError {
    const where = this.#partitions === 1 ? "a mark" : `${this.#partitions} marks`;
    const message = `${store}: a failover has lost writes that were acknowledged: ${where} of the store should know versions to ${this.#acknowledged}, and one of them knows none above ${this.#found}; set those keys again`;
    return new AdapterError(message, { kind: "permanent", code: "LEAKDB_CORRUPTION" });
  }
}
