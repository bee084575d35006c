/**
 * The part of a store that a view shows: the keys with its prefix. Turns the keys of a call into those of the table
 * and back.
 */

import { checkKey, checkKeyPart, checkPrefix } from "../key.js";
import type { KeyOptions, RangeOptions } from "./operations.js";
import type { ValuePolicy } from "./options.js";

export class Scope {
  readonly prefix: string;
  readonly values: ValuePolicy;

  constructor(prefix: string, values: ValuePolicy) {
    this.prefix = prefix;
    this.values = values;
  }

  /** The key as the table has it. Without any prefix it is not looked at: the store checks what is new to it. */
  keyOf(key: string, options: KeyOptions | undefined): string {
    const keyPrefix = options?.keyPrefix;
    if (keyPrefix === undefined && this.prefix === "") return key;
    if (typeof key !== "string" || key.length === 0) checkKey(key);
    return this.prefixOf(options) + key;
  }

  /** What stands before the keys of the call. */
  prefixOf(options: KeyOptions | undefined): string {
    const keyPrefix = options?.keyPrefix;
    if (keyPrefix === undefined) return this.prefix;
    checkPrefix(keyPrefix);
    return this.prefix + keyPrefix;
  }
}

/** The range of the table's keys that a call asks for; `undefined` where it asks for all, in no order. */
export function tableRange(scope: Scope, options: RangeOptions | undefined): RangeOptions | undefined {
  const base = scope.prefixOf(options);
  if (options === undefined) return base === "" ? undefined : { prefix: base };
  const { prefix, gt, gte, lt, lte, reverse } = options;
  for (const [name, bound] of Object.entries({ prefix, gt, gte, lt, lte })) {
    if (bound !== undefined) checkKeyPart(name, bound);
  }
  if (reverse !== undefined && typeof reverse !== "boolean")
    throw new TypeError("reverse must be true or false");
  const isOrdered = [prefix, gt, gte, lt, lte, reverse].some((bound) => bound !== undefined);
  if (!isOrdered && base === "") return undefined;
  const bound = (key: string | undefined): string | undefined => (key === undefined ? undefined : base + key);
  return {
    prefix: base + (prefix ?? "") || undefined,
    gt: bound(gt),
    gte: bound(gte),
    lt: bound(lt),
    lte: bound(lte),
    reverse,
  };
}

/** @throws TypeError, RangeError */
export function checkLimit(limit: number | undefined): number {
  if (limit === undefined) return Infinity;
  if (typeof limit !== "number") throw new TypeError("limit must be a number");
  if (limit !== Infinity && (!Number.isSafeInteger(limit) || limit < 0)) {
    throw new RangeError("limit must be a non-negative integer");
  }
  return limit;
}
