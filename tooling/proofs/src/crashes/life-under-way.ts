/**
 * One life: a process with its clock, its connection to the backend and its worker, the storage once it is open, and every
 * promise that was asked of it.
 */

import { isLeakDBError } from "@leakdb/core";
import { type FaultyAdapter, faultyAdapter, type ManualClock } from "@leakdb/testkit";
import type { Death, Setup } from "./crash-plan.js";
import { DrawnWorker } from "./drawn-worker.js";
import type { Ledger } from "./ledger.js";
import type { MortalAdapter, MortalBackend } from "./mortal-backend.js";
import { MortalClock } from "./mortal-clock.js";
import type { Subject } from "./open-subject.js";
import type { Planted } from "./planted-faults.js";

/** What waiting for a level, or a close, may come to. */
const DOCUMENTED: readonly string[] = [
  ...["LEAKDB_FLUSH_FAILED", "LEAKDB_TIMEOUT", "LEAKDB_CLOSED", "LEAKDB_CLOSE_INCOMPLETE"],
];

export interface Watched {
  readonly what: string;
  readonly deadlineMs: number;
  outcome: "pending" | "resolved" | { readonly error: unknown };
}

export class LifeUnderWay {
  readonly clock: MortalClock;
  readonly adapter: FaultyAdapter;
  readonly worker: DrawnWorker;
  readonly #mortal: MortalAdapter;
  readonly #ledger: Ledger;
  readonly #now: ManualClock;
  readonly #watched: Watched[] = [];
  storage: Subject | undefined;
  isOver = false;

  constructor(
    setup: Setup,
    now: ManualClock,
    backend: MortalBackend,
    ledger: Ledger,
    isFaulty: boolean,
    planted: Planted["adapter"],
  ) {
    const seed = isFaulty ? setup.faultSeed : undefined;
    this.#now = now;
    this.#ledger = ledger;
    this.clock = new MortalClock(now);
    this.#mortal = backend.adapter();
    const life = ledger.life;
    this.adapter = faultyAdapter(planted?.(this.#mortal) ?? this.#mortal, {
      clock: this.clock,
      seed: seed === undefined ? undefined : seed + life,
    });
    this.worker = new DrawnWorker(this.clock, ledger, setup.takesBatches, seed);
  }

  get hasJournalFailed(): boolean {
    return this.storage?.stats().journal?.failure !== undefined;
  }

  end(): void {
    this.isOver = true;
    this.clock.end();
    this.#mortal.end();
    this.worker.end();
  }

  goDown(): void {
    this.adapter.goDown();
    this.worker.isDown = true;
  }

  goUp(): void {
    this.adapter.goUp();
    this.worker.isDown = false;
  }

  /** Which deaths a state survives that has reached this level by now. */
  survives(level: string, setup: Setup): Death[] {
    const isKept = setup.sync !== "never" && !this.hasJournalFailed;
    if (level === "synced" || level === "journaled") return ["kill", "cut"];
    if (level === "stored" && !setup.isSyncedApart) return ["kill", "cut"];
    return isKept ? ["kill", "cut"] : ["kill"];
  }

  /** `onResolved` is told at once, unless this life is over. */
  watch(promise: Promise<unknown>, what: string, timeoutMs: number, onResolved?: () => void): Watched {
    const watched: Watched = { what, deadlineMs: this.#now.now() + timeoutMs, outcome: "pending" };
    this.#watched.push(watched);
    promise.then(
      () => {
        if (!this.isOver) onResolved?.();
        watched.outcome = "resolved";
      },
      (error: unknown) => {
        watched.outcome = { error };
        const isDocumented = isLeakDBError(error) && DOCUMENTED.includes(error.code);
        if (!this.isOver && !isDocumented && what !== "open")
          this.#ledger.breaches.push(`I10: ${what} was rejected with ${String(error)}`);
      },
    );
    return watched;
  }

  /** What should have settled by now, and has not. */
  unsettled(): string[] {
    return this.#watched
      .filter(({ outcome, deadlineMs }) => outcome === "pending" && deadlineMs < this.#now.now())
      .map(({ what }) => `I10: ${what} never settled`);
  }
}
