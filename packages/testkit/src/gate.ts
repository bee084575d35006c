/**
 * A gate that calls of a {@link FaultyAdapter} pass twice: before they reach the wrapped adapter ("call") and before
 * their answer reaches core ("answer"). A test holds it to decide itself in which order calls land and answer.
 *
 * ```
 * core ── write ──▶ [call] ──▶ wrapped adapter ──▶ [answer] ──▶ core
 * ```
 *
 * Invariants:
 * - Open, it lets everything pass at once; held, nothing passes until the test releases it.
 * - Held calls are listed in the order of their arrival; releasing one releases no other.
 */

import type { Mutation } from "@leakdb/core/adapter";
import type { AdapterOperation } from "./recording-adapter.js";

export type GateSide = "call" | "answer";

/** A call that waits at the gate. */
export interface HeldCall {
  readonly operation: AdapterOperation;
  readonly side: GateSide;
  /** What a `write` was sent; empty for other operations. */
  readonly batch: readonly Mutation[];
  /** Lets this call alone go on. */
  release(): void;
}

export interface HoldOptions {
  /** Default `"write"`. */
  operation?: AdapterOperation | undefined;
  /** Default `"call"`. */
  side?: GateSide | undefined;
}

interface Arrival {
  readonly count: number;
  readonly resolve: () => void;
}

export class Gate {
  readonly #held = new Set<string>();
  readonly #waiting: HeldCall[] = [];
  #arrivals: Arrival[] = [];

  /** The calls that wait, the first to arrive first. */
  get waiting(): readonly HeldCall[] {
    return [...this.#waiting];
  }

  /** From now on calls of the operation wait on that side. */
  hold(options: HoldOptions = {}): void {
    this.#held.add(place(options));
  }

  /** Opens the gate for the operation on that side and lets what waits there go on, in order of arrival. */
  release(options: HoldOptions = {}): void {
    this.#held.delete(place(options));
    for (const call of this.waiting) if (place(call) === place(options)) call.release();
  }

  /** Opens the gate for all operations on both sides. */
  releaseAll(): void {
    this.#held.clear();
    for (const call of this.waiting) call.release();
  }

  /** Resolves as soon as at least `count` calls wait. */
  async reached(count = 1): Promise<void> {
    if (this.#waiting.length >= count) return;
    await new Promise<void>((resolve) => this.#arrivals.push({ count, resolve }));
  }

  /** What the faulty adapter awaits on each side of each call. */
  async pass(operation: AdapterOperation, side: GateSide, batch: readonly Mutation[] = []): Promise<void> {
    if (!this.#held.has(place({ operation, side }))) return;
    await new Promise<void>((resolve) => {
      const call: HeldCall = {
        operation,
        side,
        batch,
        release: () => {
          const index = this.#waiting.indexOf(call);
          if (index >= 0) this.#waiting.splice(index, 1);
          resolve();
        },
      };
      this.#waiting.push(call);
      this.#announce();
    });
  }

  #announce(): void {
    const count = this.#waiting.length;
    const reached = this.#arrivals.filter((arrival) => arrival.count <= count);
    this.#arrivals = this.#arrivals.filter((arrival) => arrival.count > count);
    for (const arrival of reached) arrival.resolve();
  }
}

function place({ operation = "write", side = "call" }: HoldOptions): string {
  return `${operation} ${side}`;
}
