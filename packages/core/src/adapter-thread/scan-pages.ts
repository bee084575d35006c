/**
 * The main side's end of a scan: pages that have arrived and are not yet taken. The thread reads ahead by
 * `SCAN_READ_AHEAD_PAGES` and then waits until one is taken, so what is held here is bounded (I5).
 */

import type { ThreadLink } from "./thread-link.js";

export class ScanPages {
  readonly #link: ThreadLink;
  readonly #call: number;
  readonly #arrived: ArrayBuffer[] = [];
  #finished = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(link: ThreadLink, call: number) {
    this.#link = link;
    this.#call = call;
  }

  /** The next page, or `undefined` at the end. @throws AdapterError of the scan, after the pages before it. */
  async next(): Promise<ArrayBuffer | undefined> {
    while (this.#arrived.length === 0) {
      if (this.#error !== undefined) throw this.#error;
      if (this.#finished) return undefined;
      await this.#link.wait(
        new Promise<void>((resolve) => {
          this.#wake = resolve;
        }),
      );
    }
    this.#link.notify({ type: "taken", call: this.#call });
    return this.#arrived.shift();
  }

  /** Tells the thread to stop where it is. */
  stop(): void {
    this.#arrived.length = 0;
    if (!this.#finished) this.#link.notify({ type: "enough", call: this.#call });
  }

  add(buffer: ArrayBuffer): void {
    this.#arrived.push(buffer);
    this.#wake?.();
  }

  finish(error: Error | undefined): void {
    this.#finished = true;
    this.#error = error;
    this.#wake?.();
  }
}
