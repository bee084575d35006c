/**
 * Waiting with a deadline and a way out: what every promise of the public API is made with, so that each one settles
 * (I10). A leaf: it knows nothing of what it waits for.
 */

import type { Clock } from "./clock.js";

export interface WaitOptions {
  readonly clock: Clock;
  /** Milliseconds; `Infinity` waits for ever. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** What the promise rejects with when the time is over. */
  readonly timeoutError: () => Error;
}

export interface Wait {
  readonly promise: Promise<void>;
  /** Idempotent, as is `reject`; both end the deadline. */
  resolve(): void;
  reject(error: unknown): void;
}

/** A promise that is settled by its owner, the deadline or the signal, whichever is first; then calls `onEnd`. */
export function startWait(options: WaitOptions, onEnd?: () => void): Wait {
  const { clock, timeoutMs, signal, timeoutError } = options;
  let resolvePromise!: () => void;
  let rejectPromise!: (error: unknown) => void;
  const promise = new Promise<void>((resolve, reject) => {
    resolvePromise = resolve;
    rejectPromise = reject;
  });
  let ended = false;
  const end = (): boolean => {
    if (ended) return false;
    ended = true;
    if (timer !== undefined) clock.clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    onEnd?.();
    return true;
  };
  const reject = (error: unknown): void => {
    if (end()) rejectPromise(error);
  };
  const onAbort = (): void => reject(signal?.reason);
  const timer =
    timeoutMs === Infinity ? undefined : clock.setTimeout(() => reject(timeoutError()), timeoutMs);
  if (signal?.aborted) onAbort();
  else signal?.addEventListener("abort", onAbort, { once: true });
  return {
    promise,
    reject,
    resolve: () => {
      if (end()) resolvePromise();
    },
  };
}

/**
 * Runs `start` with a signal that is aborted when the time is over; the promise then rejects with `timeoutError`
 * whatever `start` does later. A synchronous throw is a rejection.
 */
export async function withDeadline<T>(
  options: WaitOptions,
  start: (signal: AbortSignal) => Promise<T> | T,
): Promise<T> {
  const controller = new AbortController();
  const wait = startWait(options);
  wait.promise.catch((error: unknown) => controller.abort(error));
  const work = (async () => start(controller.signal))();
  try {
    return (await Promise.race([work, wait.promise])) as T;
  } finally {
    wait.resolve();
  }
}
