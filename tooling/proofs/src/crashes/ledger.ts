/** What a run knows: every state, every item, what was acknowledged, and what went wrong. */

import type { Death, Setup } from "./crash-plan.js";
import { Deliveries, type Now } from "./deliveries.js";
import { type Found, History } from "./history.js";

export class Ledger {
  readonly history = new History();
  readonly deliveries: Deliveries;
  readonly breaches: string[] = [];
  readonly #isQueue: boolean;
  readonly #nowMs: () => number;
  life = 0;
  /** Turns of the event loop so far. */
  turn = 0;
  #values = 0;

  constructor({ kind, coalesce }: Setup, nowMs: () => number) {
    this.#isQueue = kind === "queue";
    this.deliveries = new Deliveries(coalesce);
    this.#nowMs = nowMs;
  }

  get now(): Now {
    return { life: this.life, turn: this.turn, nowMs: this.#nowMs(), burst: this.history.burst };
  }

  nextValue(pad: number): string {
    this.#values += 1;
    return `${this.#values}${".".repeat(pad)}`;
  }

  put(key: string, found: Found): void {
    this.history.put(key, found);
    if (this.#isQueue) this.deliveries.made({ ...found, type: "put", key }, this.now);
  }

  deleted(key: string, version: number): void {
    this.history.gone(key, version);
    if (this.#isQueue)
      this.deliveries.made({ type: "delete", key, version, value: undefined, expiresAt: 0 }, this.now);
  }

  cleared(prefix: string, keys: readonly string[], version: number): void {
    for (const key of keys) this.history.gone(key, version);
    const item = { type: "clear", key: prefix, version, value: undefined, expiresAt: 0 } as const;
    if (this.#isQueue) this.deliveries.made(item, this.now);
  }

  acknowledge(deaths: readonly Death[], version: number, key?: string): void {
    for (const how of deaths) {
      this.history.acknowledge(how, version, key);
      if (this.#isQueue) this.deliveries.acknowledge(how, version, key);
    }
  }
}
