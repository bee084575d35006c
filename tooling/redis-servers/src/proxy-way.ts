/**
 * One way of one connection through a proxy: what comes in at `from` goes out at `to`, unless it was told otherwise.
 *
 *     from ──▶ [trigger: stops at its place] ──▶ pass ──▶ (delay) ──▶ to
 *                                            ──▶ drop     taken and thrown away
 *                                            ──▶ freeze   not taken: it waits in the system's buffers
 *
 * Keeps the order of bytes whatever the delays are, and gives its end only after all bytes before it. Never holds
 * more than the other side has room for, but for what a delay keeps.
 */

import type { Socket } from "node:net";
import type { ProxyTrigger } from "./proxy-trigger.js";

export type WayMode = "pass" | "drop" | "freeze";

interface Delayed {
  readonly dueMs: number;
  /** `undefined` for the end of the stream. */
  readonly chunk: Buffer | undefined;
}

export interface ArmedTrigger {
  readonly trigger: ProxyTrigger;
  fire(): void;
}

export class ProxyWay {
  delayMs = 0;
  armed: ArmedTrigger | undefined;
  /** Whether the end of `from` is told to `to`. Not when half-open. */
  passesEnd = true;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #count: (bytes: number, isDropped: boolean) => void;
  readonly #delayed: Delayed[] = [];
  #timer: NodeJS.Timeout | undefined;
  #mode: WayMode = "pass";

  /** `count` is told of the bytes that were handed on, and of those that were thrown away. */
  constructor(from: Socket, to: Socket, count: (bytes: number, isDropped: boolean) => void) {
    this.#from = from;
    this.#to = to;
    this.#count = count;
    from.on("data", (chunk: Buffer) => this.#take(chunk));
    from.on("end", () => this.#hand(undefined));
    to.on("drain", () => this.#flow());
    // A connection that breaks is seen by its "close", which the owner of both sockets listens to.
    from.on("error", () => undefined);
    from.on("close", () => clearTimeout(this.#timer));
  }

  get mode(): WayMode {
    return this.#mode;
  }

  set mode(mode: WayMode) {
    this.#mode = mode;
    this.#flow();
  }

  #take(chunk: Buffer): void {
    const { armed } = this;
    const place = this.#mode === "pass" ? armed?.trigger.look(chunk) : undefined;
    if (armed === undefined || place === undefined) return this.#hand(chunk);
    this.armed = undefined;
    if (place > 0) this.#hand(chunk.subarray(0, place));
    armed.fire();
    const rest = chunk.subarray(place);
    if (rest.length === 0 || this.#from.destroyed) return;
    // What was read can't wait in the system's buffers, but in those of the stream it can.
    if (this.#mode === "freeze") this.#from.unshift(rest);
    else this.#hand(rest);
  }

  #hand(chunk: Buffer | undefined): void {
    if (chunk === undefined && !this.passesEnd) return;
    if (chunk !== undefined && this.#mode === "drop") return this.#count(chunk.length, true);
    if (this.delayMs === 0 && this.#delayed.length === 0) return this.#give(chunk);
    this.#delayed.push({ dueMs: performance.now() + this.delayMs, chunk });
    this.#wait();
  }

  #give(chunk: Buffer | undefined): void {
    if (!this.#to.writable) return;
    if (chunk === undefined) {
      this.#to.end();
      return;
    }
    this.#count(chunk.length, false);
    if (!this.#to.write(chunk)) this.#from.pause();
  }

  #wait(): void {
    const [first] = this.#delayed;
    if (first === undefined || this.#timer !== undefined || this.#mode === "freeze") return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#giveDue();
        this.#wait();
      },
      Math.max(0, first.dueMs - performance.now()),
    );
  }

  #giveDue(): void {
    if (this.#mode === "freeze") return;
    while (this.#delayed.length > 0 && this.#delayed[0]!.dueMs <= performance.now()) {
      this.#give(this.#delayed.shift()!.chunk);
    }
  }

  #flow(): void {
    if (this.#mode === "freeze") this.#from.pause();
    else if (!this.#to.writableNeedDrain || this.#mode === "drop") this.#from.resume();
    this.#wait();
  }
}
