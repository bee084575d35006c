/** The user's worker of a queue: does, fails, is slow or silent, by a seed; and of a life that is over, never answers. */

import type { QueueItem, WorkerContext } from "@leakdb/core";
import type { Clock } from "@leakdb/core/adapter";
import { SeededRandom } from "@leakdb/testkit";
import type { Ledger } from "./ledger.js";
import type { Value } from "./open-subject.js";

const OUTCOMES = ["done", "done", "done", "done", "done", "slow", "slow", "false", "throw", "hang"] as const;
const SLOW_MAX_MS = 60;

export class DrawnWorker {
  readonly #clock: Clock;
  readonly #ledger: Ledger;
  readonly #takesBatches: boolean;
  readonly #poisoned = new Set<string>();
  #random: SeededRandom | undefined;
  #isDead = false;
  isDown = false;

  constructor(clock: Clock, ledger: Ledger, takesBatches: boolean, seed: number | undefined) {
    this.#takesBatches = takesBatches;
    this.#clock = clock;
    this.#ledger = ledger;
    this.#random = seed === undefined ? undefined : new SeededRandom(seed + ledger.life);
  }

  poison(key: string): void {
    this.#poisoned.add(key);
  }

  cure(key: string): void {
    this.#poisoned.delete(key);
  }

  heal(): void {
    this.#poisoned.clear();
    this.#random = undefined;
    this.isDown = false;
  }

  end(): void {
    this.#isDead = true;
  }

  async process(item: QueueItem<Value>, context: WorkerContext): Promise<boolean> {
    return (await this.processBatch([item], context))[0] === true;
  }

  async processBatch(items: readonly QueueItem<Value>[], { signal }: WorkerContext): Promise<boolean[]> {
    if (this.#isDead) return new Promise(() => undefined);
    this.#ledger.deliveries.delivered(items, this.#ledger.now, this.#takesBatches);
    const outcome = this.isDown ? "throw" : (this.#random?.pick(OUTCOMES) ?? "done");
    if (outcome === "throw") throw new Error("the worker fails");
    if (outcome === "hang") await new Promise((resolve) => signal.addEventListener("abort", resolve));
    if (outcome === "slow") {
      const delayMs = this.#random?.integer(1, SLOW_MAX_MS) ?? 0;
      await new Promise<void>((resolve) => void this.#clock.setTimeout(resolve, delayMs));
    }
    const answers = items.map(({ key }) => outcome !== "false" && !this.#poisoned.has(key));
    if (this.#isDead || signal.aborted) return answers;
    for (const [index, { version }] of items.entries())
      if (answers[index]) this.#ledger.deliveries.done(version, this.#ledger.now);
    return answers;
  }
}
