/**
 * The context of core as an adapter on a thread sees it. Its clock shows the time that came with the last message,
 * and its timers are kept by the clock of the main side, so that time has one source.
 */

import type { MessagePort } from "node:worker_threads";
import type { AdapterContext, Clock, TimerHandle } from "../adapter.js";
import type { FromThread } from "./messages.js";
import { toWire } from "./wire-error.js";

export class ServedClock implements Clock {
  readonly #port: MessagePort;
  readonly #callbacks = new Map<number, () => void>();
  #nowMs = 0;
  #lastTimer = 0;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  now(): number {
    return this.#nowMs;
  }

  setTimeout(callback: () => void, delayMs: number, idle = false): TimerHandle {
    this.#lastTimer += 1;
    const timer = this.#lastTimer;
    this.#callbacks.set(timer, callback);
    this.#port.postMessage({ type: "setTimeout", timer, delayMs, idle } satisfies FromThread);
    return timer;
  }

  clearTimeout(handle: TimerHandle): void {
    if (typeof handle !== "number" || !this.#callbacks.delete(handle)) return;
    this.#port.postMessage({ type: "clearTimeout", timer: handle } satisfies FromThread);
  }

  /** Time as the main side gave it with a message. */
  set(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  /** A timer of the main side has run out; one that was cleared meanwhile is ignored. */
  fire(timer: number): void {
    const callback = this.#callbacks.get(timer);
    this.#callbacks.delete(timer);
    callback?.();
  }
}

export function servedContext(
  port: MessagePort,
  clock: Clock,
  signal: AbortSignal,
  limits: AdapterContext["limits"],
): AdapterContext {
  return {
    clock,
    signal,
    limits,
    report: (error) => port.postMessage({ type: "report", error: toWire(error) } satisfies FromThread),
  };
}
