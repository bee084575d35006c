/** Turns the plain data of a command into the arguments of the call it stands for. */

import type { DeltaSpec, Expiry, KeySpec, Place, RangeSpec } from "./command.js";
import { INVALID_KEYS } from "./hostile-keys.js";

/** Typed as a key although it need not be one: bad input is what is tried. */
export function keyOf(spec: KeySpec): string {
  return typeof spec === "string" ? spec : (INVALID_KEYS[spec.invalid] as string);
}

/** What stands before a key in the table. */
export function baseOf({ namespace, keyPrefix }: Place): string {
  return namespace + (keyPrefix ?? "");
}

export function deltaOf(spec: DeltaSpec): number | bigint | undefined {
  switch (spec) {
    case "absent":
      return undefined;
    case "1n":
      return 1n;
    case "-7n":
      return -7n;
    case "nan":
      return Number.NaN;
    case "infinite":
      return Number.POSITIVE_INFINITY;
    case "text":
      return "1" as unknown as number;
    default:
      return spec;
  }
}

export interface Options {
  keyPrefix?: string;
  ttl?: number;
  expiresAt?: number;
}

/** `undefined` where no option is given, so that this way in is tried too. */
export function optionsOf(place: Place, expiry: Expiry, nowMs: number): Options | undefined {
  const options: Options = {};
  if (place.keyPrefix !== undefined) options.keyPrefix = place.keyPrefix;
  if (typeof expiry === "object") Object.assign(options, expiryOptions(expiry, nowMs));
  return Object.keys(options).length === 0 ? undefined : options;
}

function expiryOptions(expiry: Exclude<Expiry, "none">, nowMs: number): Options {
  if ("ttl" in expiry) return { ttl: expiry.ttl };
  if ("at" in expiry) return { expiresAt: nowMs + expiry.at };
  switch (expiry.invalid) {
    case "zero":
      return { ttl: 0 };
    case "negative":
      return { ttl: -1 };
    case "nan":
      return { ttl: Number.NaN };
    case "text":
      return { ttl: "5" as unknown as number };
    case "both":
      return { ttl: 5, expiresAt: nowMs + 5 };
    case "nan-moment":
      return { expiresAt: Number.NaN };
  }
}

export function rangeOf(place: Place, { invalid, ...range }: RangeSpec): Record<string, unknown> | undefined {
  const options: Record<string, unknown> = { ...range };
  if (place.keyPrefix !== undefined) options["keyPrefix"] = place.keyPrefix;
  if (invalid === "limit") options["limit"] = -1;
  if (invalid === "fraction") options["limit"] = 1.5;
  if (invalid === "prefix") options["prefix"] = 5;
  if (invalid === "gt") options["gt"] = null;
  return Object.keys(options).length === 0 ? undefined : options;
}
