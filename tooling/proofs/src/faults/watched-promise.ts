/**
 * A promise whose state can be looked at: tests move the clock and then ask whether, and how, it has settled. A
 * rejection that is watched is no unhandled one.
 */

import type { ErrorCode } from "@leakdb/core";

export interface WatchedPromise<T> {
  readonly state: "pending" | "resolved" | "rejected";
  readonly value: T | undefined;
  readonly error: unknown;
  /** The error's code, `"resolved"`, `"pending"`, or the name of an error without a code. */
  readonly outcome: ErrorCode | string;
}

export function watched<T>(promise: Promise<T>): WatchedPromise<T> {
  let state: WatchedPromise<T>["state"] = "pending";
  let value: T | undefined;
  let error: unknown;
  promise.then(
    (answer) => {
      state = "resolved";
      value = answer;
    },
    (reason: unknown) => {
      state = "rejected";
      error = reason;
    },
  );
  return {
    get state() {
      return state;
    },
    get value() {
      return value;
    },
    get error() {
      return error;
    },
    get outcome() {
      if (state !== "rejected") return state;
      const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
      return String(code ?? name);
    },
  };
}

/** The name of what `run` throws, synchronously or as a rejection; `"nothing"` when it doesn't. */
export async function nameThrownBy(run: () => unknown): Promise<string> {
  try {
    await run();
  } catch (error) {
    return String((error as { name?: unknown }).name);
  }
  return "nothing";
}

/** What `run` throws, synchronously or as a rejection; fails when it throws nothing. */
export async function thrownBy(run: () => unknown): Promise<Error & { code?: string }> {
  try {
    await run();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

/** The code, or else the name, of what `run` throws; `"nothing"` when it doesn't. */
export function codeThrownBy(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    const { code, name } = error as { code?: unknown; name?: unknown };
    return String(code ?? name);
  }
  return "nothing";
}
