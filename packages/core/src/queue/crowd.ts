/**
 * Those who came to wait in the same millisecond, with the same patience and in the order of their versions: one timer
 * serves them all, and each costs a promise and no more. Thousands may await `journaled` at once, a millisecond each.
 */

import type { TimerHandle } from "../clock.js";
import type { LeakDBError } from "../errors.js";
import type { WaitOptions } from "../wait.js";

let resolvePromise!: () => void;
let rejectPromise!: (error: unknown) => void;
/** One for all promises: it runs before the constructor returns. */
function executor(resolve: () => void, reject: (error: unknown) => void): void {
  resolvePromise = resolve;
  rejectPromise = reject;
}

export class Crowd {
  readonly #options: WaitOptions;
  readonly #startedMs: number;
  readonly #versions: number[] = [];
  readonly #resolves: (() => void)[] = [];
  readonly #rejects: ((error: unknown) => void)[] = [];
  #head = 0;
  #timer: TimerHandle;

  constructor(options: WaitOptions) {
    this.#options = options;
    const { clock, timeoutMs } = options;
    this.#startedMs = clock.now();
    if (timeoutMs === Infinity) return;
    this.#timer = clock.setTimeout(() => this.reject(options.timeoutError()), timeoutMs);
  }

  get isEmpty(): boolean {
    return this.#head === this.#versions.length;
  }

  /** Whether one who waits so for this version may join. */
  takes(version: number, options: WaitOptions): boolean {
    if (options !== this.#options || this.isEmpty) return false;
    return version >= (this.#versions.at(-1) as number) && options.clock.now() === this.#startedMs;
  }

  join(version: number): Promise<void> {
    const promise = new Promise<void>(executor);
    this.#versions.push(version);
    this.#resolves.push(resolvePromise);
    this.#rejects.push(rejectPromise);
    return promise;
  }

  /** Lets those go whose version is at most `upTo`: resolved, or rejected with the failure that concerns them. */
  release(upTo: number, failure: (version: number) => LeakDBError | undefined): void {
    for (; this.#head < this.#versions.length; this.#head += 1) {
      const version = this.#versions[this.#head] as number;
      if (version > upTo) return;
      const error = failure(version);
      if (error === undefined) (this.#resolves[this.#head] as () => void)();
      else (this.#rejects[this.#head] as (error: unknown) => void)(error);
    }
    this.#options.clock.clearTimeout(this.#timer);
  }

  /** Nobody waits any longer. */
  reject(error: unknown): void {
    for (; this.#head < this.#rejects.length; this.#head += 1)
      (this.#rejects[this.#head] as (error: unknown) => void)(error);
    this.#options.clock.clearTimeout(this.#timer);
  }
}
