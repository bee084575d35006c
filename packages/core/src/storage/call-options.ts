/**
 * The options of single calls, by name: what is no object or has an unknown name is refused, since `clear("a")` taken
 * for `clear()` would delete everything, and a misspelt `ttl` would keep for ever what should expire. The rule is that
 * of all options, in `option-names.ts`.
 */

import { type OptionNames, optionsMistake } from "../option-names.js";

const KEY = ["keyPrefix"];
const WAIT = ["timeout", "signal"];

export const KEY_OPTIONS: OptionNames = new Set(KEY);
export const SET_OPTIONS: OptionNames = new Set([...KEY, "ttl", "expiresAt"]);
export const INCR_OPTIONS: OptionNames = new Set([...SET_OPTIONS, "delta", "initialValue"]);
export const CLEAR_OPTIONS: OptionNames = new Set([...KEY, "prefix"]);
export const RANGE_OPTIONS: OptionNames = new Set([
  ...KEY,
  ...["prefix", "gt", "gte", "lt", "lte", "reverse", "limit"],
]);
export const NAMESPACE_OPTIONS: OptionNames = new Set(["values"]);
export const WAIT_OPTIONS: OptionNames = new Set(WAIT);
export const PERSISTED_OPTIONS: OptionNames = new Set([...WAIT, ...KEY, "key"]);
export const FLUSH_OPTIONS: OptionNames = new Set([...WAIT, "upTo", "level"]);
export const CLOSE_OPTIONS: OptionNames = new Set(["timeout"]);
export const SIGNAL_OPTIONS: OptionNames = new Set(["signals", "timeout", "onClosed"]);

/** What is wrong with the options of a call, if anything is. */
export function callMistake(options: object | undefined, names: OptionNames): TypeError | undefined {
  return options === undefined ? undefined : optionsMistake(options, names);
}

/** @throws TypeError */
export function checkOptions(options: object | undefined, names: OptionNames): void {
  const mistake = callMistake(options, names);
  if (mistake !== undefined) throw mistake;
}
