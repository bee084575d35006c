/**
 * What each conditional operation makes of the entry it finds: pure functions from the current entry to a decision.
 * The synchronous writer carries a decision out at once, the write-through one when the backend has acknowledged it;
 * the rules are written once, here.
 */

import type { ExpiryOptions, IncrOptions } from "./operations.js";

/** The entry an operation finds; `expiresAt` is 0 for never. */
export interface Current {
  readonly value: unknown;
  readonly version: number;
  readonly expiresAt: number;
}

export type Decision<Result> =
  | { readonly change: "none"; readonly result: Result }
  /** `value` is the user's. */
  | {
      readonly change: "put";
      readonly value: unknown;
      readonly expiresAt: number;
      readonly result: Answer<Result>;
    }
  /** `stored` is as the table holds it, made at the call; without it the value stays what it is. */
  | {
      readonly change: "store";
      readonly stored?: unknown;
      readonly expiresAt: number;
      readonly result: Answer<Result>;
    }
  | { readonly change: "delete"; readonly result: Answer<Result> };

type Answer<Result> = (version: number) => Result;

/**
 * The moment of expiry in milliseconds since 1970, 0 for never, `undefined` when the options say nothing.
 * @throws TypeError when both are given or one is no number; RangeError when it can be no expiry
 */
export function expiryOf(options: ExpiryOptions | undefined, now: number): number | undefined {
  const ttl = options?.ttl;
  const expiresAt = options?.expiresAt;
  if (ttl === undefined && expiresAt === undefined) return undefined;
  if (ttl !== undefined && expiresAt !== undefined) throw new TypeError("give ttl or expiresAt, not both");
  if (ttl !== undefined) {
    if (typeof ttl !== "number") throw new TypeError("ttl must be a number of milliseconds");
    if (!(ttl > 0)) throw new RangeError("ttl must be greater than 0 milliseconds");
    return moment(now + ttl);
  }
  if (typeof expiresAt !== "number") throw new TypeError("expiresAt must be milliseconds since 1970");
  if (Number.isNaN(expiresAt)) throw new RangeError("expiresAt must be milliseconds since 1970, not NaN");
  return moment(expiresAt);
}

/** Whole milliseconds; beyond what a safe integer can say is never, before 1970 is the first moment there is. */
function moment(ms: number): number {
  if (ms > Number.MAX_SAFE_INTEGER) return 0;
  return Math.max(1, Math.ceil(ms));
}

const put = <Result>(
  value: unknown,
  expiresAt: number,
  result: (version: number) => Result,
): Decision<Result> => ({
  change: "put",
  value,
  expiresAt,
  result,
});

const same = (version: number): number => version;

const store = (stored: unknown, expiresAt: number): Decision<number> => ({
  change: "store",
  stored,
  expiresAt,
  result: same,
});

const NOTHING = { change: "none", result: undefined } as const;

export function decideAdd(
  current: Current | undefined,
  stored: unknown,
  expiresAt: number,
): Decision<number | undefined> {
  return current === undefined ? store(stored, expiresAt) : NOTHING;
}

export function decideReplace(
  current: Current | undefined,
  stored: unknown,
  expiresAt: number,
): Decision<number | undefined> {
  return current === undefined ? NOTHING : store(stored, expiresAt);
}

export function decideCas(
  current: Current | undefined,
  stored: unknown,
  expected: number,
  expiresAt: number,
): Decision<number | undefined> {
  return current !== undefined && current.version === expected ? store(stored, expiresAt) : NOTHING;
}

/** `value` is what the user's function returned. @throws TypeError when that is a promise */
export function decideUpdate(
  current: Current | undefined,
  value: unknown,
  expiresAt: number | undefined,
): Decision<unknown> {
  if (value === undefined) return NOTHING;
  if (typeof (value as { then?: unknown } | null)?.then === "function") {
    throw new TypeError("the function of update must be synchronous: it returned a promise");
  }
  return put(value, expiresAt ?? current?.expiresAt ?? 0, () => value);
}

export function decideDelete(current: Current | undefined): Decision<boolean> {
  return current === undefined ? { change: "none", result: false } : { change: "delete", result: () => true };
}

export function decideTouch(current: Current | undefined, expiresAt: number): Decision<boolean> {
  return current === undefined
    ? { change: "none", result: false }
    : { change: "store", expiresAt, result: () => true };
}

/** `sign` is 1 for incr, -1 for decr. @throws TypeError, RangeError */
export function decideIncr(
  current: Current | undefined,
  sign: 1 | -1,
  options: IncrOptions | undefined,
  expiresAt: number | undefined,
): Decision<number | bigint> {
  const { delta, initialValue } = options ?? {};
  if (delta !== undefined) checkNumber("delta", delta);
  if (initialValue !== undefined) checkNumber("initialValue", initialValue);
  const next =
    current === undefined ? firstCount(sign, delta, initialValue) : nextCount(current.value, sign, delta);
  return put(next, current === undefined ? (expiresAt ?? 0) : current.expiresAt, () => next);
}

function firstCount(
  sign: 1 | -1,
  delta: number | bigint | undefined,
  initialValue: number | bigint | undefined,
): number | bigint {
  if (initialValue !== undefined) return initialValue;
  return typeof delta === "bigint" ? BigInt(sign) * delta : 0 + sign * (delta ?? 1);
}

function nextCount(value: unknown, sign: 1 | -1, delta: number | bigint | undefined): number | bigint {
  if (typeof value === "bigint") {
    const step = delta ?? 1n;
    if (typeof step !== "bigint") throw new TypeError("the value is a bigint: delta must be one too");
    return value + BigInt(sign) * step;
  }
  if (typeof value !== "number") {
    throw new TypeError("incr and decr need a number or bigint: the value is neither");
  }
  const step = delta ?? 1;
  if (typeof step !== "number") throw new TypeError("the value is a number: delta must be one too");
  const next = value + sign * step;
  if (!(Math.abs(next) <= Number.MAX_SAFE_INTEGER)) {
    throw new RangeError("the result would leave the safe integers: use bigint for counters of this size");
  }
  return next;
}

function checkNumber(name: string, value: unknown): void {
  if (typeof value === "bigint") return;
  if (typeof value !== "number") throw new TypeError(`${name} must be a number or a bigint`);
  if (!(Math.abs(value) <= Number.MAX_SAFE_INTEGER)) {
    throw new RangeError(`${name} must be within the safe integers`);
  }
}
