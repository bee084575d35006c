/**
 * What must come of a command: changes the model as the contract says and answers with the result to expect. Written
 * from the table of operations in the public documentation, not from the code behind it.
 */

import { baseOf, deltaOf, keyOf } from "./arguments.js";
import type { Command, Expiry, KeySpec, Place } from "./command.js";
import type { Model, ModelEntry } from "./model.js";
import { isEncodable, isValue, makeValue, type ValueSpec } from "./value-spec.js";

export type ValuePolicy = "reference" | "copied";

export interface Rules {
  readonly policyOf: (place: Place) => ValuePolicy;
  /** True where a mutator answers with a promise once the backend has acknowledged it. */
  readonly isThrough: boolean;
}

export type Expected =
  | { readonly is: "value"; readonly value: unknown; readonly entry?: ModelEntry }
  /** The version that was issued. */
  | { readonly is: "version" }
  /** A `TypeError` or `RangeError`, as programmer mistakes are. */
  | { readonly is: "mistake" }
  | { readonly is: "error"; readonly code: string }
  /** What the user's own function threw. */
  | { readonly is: "thrown"; readonly message: string };

/** How many versions a command issues; `maybe` for a clear that finds nothing. */
export type Issued = "none" | "one" | "some" | "maybe";

export interface Expectation {
  readonly expected: Expected;
  readonly issued: Issued;
}

export const THROWN_BY_FN = "thrown by the function of update";

const MISTAKE: Expectation = { expected: { is: "mistake" }, issued: "none" };
const VERSION: Expectation = { expected: { is: "version" }, issued: "one" };

type WriteCommand = Extract<
  Command,
  {
    op:
      | ("set" | "add" | "replace" | "cas" | "update" | "incr" | "decr" | "touch")
      | ("setMulti" | "delete" | "deleteMulti" | "clear");
  }
>;

/** `given` is the object that the call is made with; the model keeps it where the table must hold it. */
export function expectWrite(
  model: Model,
  rules: Rules,
  command: WriteCommand,
  given: unknown[],
): Expectation {
  switch (command.op) {
    case "setMulti":
      return expectSetMulti(model, rules, command, given);
    case "deleteMulti":
      return expectDeleteMulti(model, command);
    case "clear":
      return { expected: value(model.clear(baseOf(command) + (command.prefix ?? ""))), issued: "maybe" };
    default:
  }
  const key = fullKey(command, command.key);
  if (key === undefined) return MISTAKE;
  if (command.op === "delete") return expectDelete(model, key);
  const expiresAt = expiryOf(command.expiry, model.nowMs);
  if (expiresAt === "invalid") return MISTAKE;
  const current = model.live(key);
  switch (command.op) {
    case "touch":
      if (current === undefined) return unchanged(false);
      model.put(key, { ...current, expiresAt: expiresAt ?? 0 });
      return { expected: value(true), issued: "one" };
    case "incr":
    case "decr":
      return expectCount(model, rules, command, key, expiresAt);
    case "update":
      return expectUpdate(model, rules, command, key, expiresAt, given);
    default:
      return expectPut(model, rules, command, key, expiresAt ?? 0, given);
  }
}

/** The key in the table, `undefined` for what is no key. */
export function fullKey(place: Place, spec: KeySpec): string | undefined {
  return typeof spec === "string" ? baseOf(place) + spec : undefined;
}

export function unchanged(result: unknown): Expectation {
  return { expected: value(result), issued: "none" };
}

/** The moment in milliseconds since 1970, 0 for never, `undefined` when nothing is said. */
export function expiryOf(expiry: Expiry, nowMs: number): number | undefined | "invalid" {
  if (expiry === "none") return undefined;
  if ("invalid" in expiry) return "invalid";
  const moment = nowMs + ("ttl" in expiry ? expiry.ttl : expiry.at);
  if (moment > Number.MAX_SAFE_INTEGER) return 0;
  return Math.max(1, Math.ceil(moment));
}

function value(result: unknown): Expected {
  return { is: "value", value: result };
}

type PutCommand = Extract<Command, { op: "set" | "add" | "replace" | "cas" }>;

function expectPut(
  model: Model,
  rules: Rules,
  command: PutCommand,
  key: string,
  expiresAt: number,
  given: unknown[],
): Expectation {
  if (!isValue(command.value)) return MISTAKE;
  if (command.op === "cas" && command.version === "text") return MISTAKE;
  const current = model.live(key);
  const isMet =
    command.op === "set" ||
    (command.op === "add" && current === undefined) ||
    (command.op === "replace" && current !== undefined) ||
    (command.op === "cas" && command.version === "current" && current !== undefined && !isUnknown(current));
  if (!isMet) return unchanged(undefined);
  if (mustEncode(rules, command) && !isEncodable(command.value)) return encodeFailed(rules);
  put(model, rules, command, key, command.value, expiresAt, given[0]);
  return VERSION;
}

/** Through the backend, encoding comes after the version was issued; the number is lost, and nothing else. */
function encodeFailed({ isThrough }: Rules): Expectation {
  return { expected: { is: "error", code: "LEAKDB_ENCODE_FAILED" }, issued: isThrough ? "maybe" : "none" };
}

/** Written in the same burst: the version that the caller knows is an older one. */
function isUnknown(entry: ModelEntry): boolean {
  return Number.isNaN(entry.version);
}

/** Whether what the codec refuses is refused by the operation itself. */
function mustEncode(rules: Rules, place: Place): boolean {
  return rules.isThrough || rules.policyOf(place) === "copied";
}

function put(
  model: Model,
  rules: Rules,
  place: Place,
  key: string,
  spec: ValueSpec,
  expiresAt: number,
  given: unknown,
): void {
  const ref = rules.policyOf(place) === "reference" ? { value: given } : undefined;
  model.put(key, { expected: makeValue(spec), ref, expiresAt, isEncodable: isEncodable(spec) });
}

function expectSetMulti(
  model: Model,
  rules: Rules,
  command: Extract<Command, { op: "setMulti" }>,
  given: unknown[],
): Expectation {
  const expiresAt = expiryOf(command.expiry, model.nowMs);
  if (expiresAt === "invalid") return MISTAKE;
  if (command.form === "no-pairs") return MISTAKE;
  const entries = entriesOf(command);
  if (entries.some(([key, spec]) => typeof key !== "string" || !isValue(spec))) return MISTAKE;
  if (mustEncode(rules, command) && [...lastOf(entries).values()].some(({ spec }) => !isEncodable(spec))) {
    return encodeFailed(rules);
  }
  for (const [key, { spec, index }] of lastOf(entries)) {
    put(model, rules, command, baseOf(command) + key, spec, expiresAt ?? 0, given[index]);
  }
  return { expected: { is: "version" }, issued: entries.length === 0 ? "none" : "some" };
}

/** The entries as the input's form holds them: a `Map` and an object keep the last of a key, an object texts alone. */
export function entriesOf({
  form,
  entries,
}: Extract<Command, { op: "setMulti" }>): readonly (readonly [KeySpec, ValueSpec])[] {
  if (form !== "map" && form !== "object") return entries;
  const byKey = new Map<unknown, readonly [KeySpec, ValueSpec]>();
  for (const [spec, given] of entries) {
    const key: unknown = keyOf(spec);
    const isKept = form === "map" || typeof key === "string";
    byKey.set(isKept ? key : String(key), [isKept ? spec : String(key), given]);
  }
  return [...byKey.values()];
}

function lastOf(
  entries: readonly (readonly [KeySpec, ValueSpec])[],
): Map<string, { readonly spec: ValueSpec; readonly index: number }> {
  return new Map(entries.map(([key, spec], index) => [key as string, { spec, index }]));
}

function expectDelete(model: Model, key: string): Expectation {
  if (model.live(key) === undefined) return unchanged(false);
  model.delete(key);
  return { expected: value(true), issued: "one" };
}

function expectDeleteMulti(model: Model, command: Extract<Command, { op: "deleteMulti" }>): Expectation {
  const keys = command.keys.map((key) => fullKey(command, key));
  if (keys.includes(undefined)) return MISTAKE;
  const present = [...new Set(keys as string[])].filter((key) => model.live(key) !== undefined);
  for (const key of present) model.delete(key);
  return { expected: value(present.length), issued: present.length === 0 ? "none" : "some" };
}

function expectUpdate(
  model: Model,
  rules: Rules,
  command: Extract<Command, { op: "update" }>,
  key: string,
  expiresAt: number | undefined,
  given: unknown[],
): Expectation {
  const current = model.live(key);
  switch (command.with) {
    case "nothing":
      return unchanged(undefined);
    case "promise":
    case "no-function":
      return MISTAKE;
    case "throws":
      return { expected: { is: "thrown", message: THROWN_BY_FN }, issued: "none" };
    case "same-key":
      // Inside a function that is run later, the refusal is a rejection of the inner call.
      if (!rules.isThrough) return MISTAKE;
      break;
    default:
  }
  if (command.value.kind === "undefined") return unchanged(undefined);
  if (!isValue(command.value)) return MISTAKE;
  if (mustEncode(rules, command) && !isEncodable(command.value)) return encodeFailed(rules);
  put(model, rules, command, key, command.value, expiresAt ?? current?.expiresAt ?? 0, given[0]);
  return { expected: value(makeValue(command.value)), issued: "one" };
}

function expectCount(
  model: Model,
  rules: Rules,
  command: Extract<Command, { op: "incr" | "decr" }>,
  key: string,
  expiresAt: number | undefined,
): Expectation {
  const delta = deltaOf(command.delta);
  const initial = deltaOf(command.initial);
  if (!isCount(delta) || !isCount(initial)) return MISTAKE;
  const current = model.live(key);
  // A missing key counts as 0 of whichever kind the delta is.
  const zero = typeof delta === "bigint" ? 0n : 0;
  const next =
    current === undefined
      ? (initial ?? sum(zero, delta, command.op))
      : sum(current.expected, delta, command.op);
  if (next === undefined) return MISTAKE;
  const ref = rules.policyOf(command) === "reference" ? { value: next } : undefined;
  const keptExpiry = current === undefined ? (expiresAt ?? 0) : current.expiresAt;
  model.put(key, { expected: next, ref, expiresAt: keptExpiry, isEncodable: true });
  return { expected: value(next), issued: "one" };
}

function isCount(count: unknown): boolean {
  if (count === undefined || typeof count === "bigint") return true;
  return typeof count === "number" && Math.abs(count) <= Number.MAX_SAFE_INTEGER;
}

/** `undefined` where the two can't be added. */
function sum(
  base: unknown,
  delta: number | bigint | undefined,
  op: "incr" | "decr",
): number | bigint | undefined {
  if (typeof base === "bigint") {
    const step = delta ?? 1n;
    if (typeof step !== "bigint") return undefined;
    return op === "incr" ? base + step : base - step;
  }
  const step = delta ?? 1;
  if (typeof base !== "number" || typeof step !== "number") return undefined;
  const next = op === "incr" ? base + step : base - step;
  return Math.abs(next) <= Number.MAX_SAFE_INTEGER ? next : undefined;
}
