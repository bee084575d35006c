/** Compares what reads and iterations answer with the model. */

import { baseOf, keyOf } from "./arguments.js";
import { checkOutcome, checkValue, must, show } from "./check-content.js";
import type { Command, Place } from "./command.js";
import { fullKey, type ValuePolicy } from "./expectation.js";
import { byUtf8 } from "./hostile-keys.js";
import type { Model, ModelEntry } from "./model.js";
import {
  type AnyStorage,
  iterate,
  type ListCommand,
  perform,
  type ReadCommand,
  type Setting,
} from "./perform.js";
import { attempt } from "./settled.js";

export interface Reading {
  readonly storage: AnyStorage;
  readonly model: Model;
  readonly policyOf: (place: Place) => ValuePolicy;
}

type WalkCommand = Extract<Command, { op: "walk" }>;

export function checkRead({ model, policyOf }: Reading, command: ReadCommand, setting: Setting): undefined {
  const outcome = attempt(() => perform(command, setting));
  const policy = policyOf(command);
  const specs = command.op === "getMulti" ? command.keys : [command.key];
  const keys = specs.map((key) => fullKey(command, key));
  if (keys.includes(undefined)) return checkOutcome(outcome, { is: "mistake" }, 0) as undefined;
  must("value" in outcome, () => `threw ${show((outcome as { error: unknown }).error)}`);
  const actual = outcome.value;
  if (command.op === "getMulti") return checkMulti(actual as Map<string, unknown>, command, model, policy);
  const entry = model.live(keys[0] as string);
  if (command.op === "has") must(actual === (entry !== undefined), () => `answered ${show(actual)}`);
  else if (entry === undefined) must(actual === undefined, () => `found ${show(actual)} instead of nothing`);
  else if (command.op === "get") checkValue(actual, entry, policy);
  else {
    const found = actual as { value: unknown; version: number; expiresAt: number | undefined } | undefined;
    must(found !== undefined, () => "found nothing");
    checkValue(found.value, entry, policy);
    const expiresAt = entry.expiresAt || undefined;
    must(found.version === entry.version && found.expiresAt === expiresAt, () => `found ${show(found)}`);
  }
  return undefined;
}

function checkMulti(
  actual: Map<string, unknown>,
  command: Extract<Command, { op: "getMulti" }>,
  model: Model,
  policy: ValuePolicy,
): undefined {
  const present = new Map<string, ModelEntry>();
  for (const spec of command.keys) {
    const entry = model.live(fullKey(command, spec) as string);
    if (entry !== undefined) present.set(keyOf(spec), entry);
  }
  must(actual.size === present.size, () => `found ${actual.size} keys instead of ${present.size}`);
  for (const [key, entry] of present) checkValue(actual.get(key), entry, policy);
}

export function checkList({ model, policyOf }: Reading, command: ListCommand, setting: Setting): undefined {
  const opened = attempt(() => iterate(command, setting));
  if (command.range.invalid !== undefined) return checkOutcome(opened, { is: "mistake" }, 0) as undefined;
  must("value" in opened, () => `threw ${show((opened as { error: unknown }).error)}`);
  const actual = [...(opened.value as Iterable<unknown>)];
  const expected = inRange(model, command);
  const limit = command.range.limit ?? Number.POSITIVE_INFINITY;
  const visited = isOrdered(command) ? expected.slice(0, limit) : expected;
  const count = Math.min(limit, visited.length);
  must(
    actual.length === count,
    () => `visited ${actual.length} entries instead of ${count}: ${show(actual)}`,
  );
  if (command.op === "values") {
    // Values alone say which entry they belong to by their order only.
    if (isOrdered(command))
      for (const [at, value] of actual.entries())
        checkValue(value, visited[at]?.[1] as ModelEntry, policyOf(command));
    return undefined;
  }
  const keys = actual.map((each) =>
    command.op === "keys" ? (each as string) : (each as [string, unknown])[0],
  );
  must(new Set(keys).size === keys.length, () => `visited a key twice: ${show(keys)}`);
  const byKey = new Map(visited);
  for (const [at, key] of keys.entries()) {
    const entry = isOrdered(command) && visited[at]?.[0] !== key ? undefined : byKey.get(key);
    must(
      entry !== undefined,
      () => `visited ${show(keys)} instead of ${show(visited.map(([each]) => each))}`,
    );
    if (command.op === "entries") checkValue((actual[at] as [string, unknown])[1], entry, policyOf(command));
  }
  return undefined;
}

/** The entries that a range asks for, without their prefix, in its direction. */
function inRange(model: Model, command: ListCommand | WalkCommand): [string, ModelEntry][] {
  const { prefix = "", gt, gte, lt, lte, reverse = false } = command.range;
  const base = baseOf(command);
  const found = model
    .list(base)
    .map(([key, entry]): [string, ModelEntry] => [key.slice(base.length), entry])
    .filter(
      ([key]) =>
        key.startsWith(prefix) &&
        (gt === undefined || byUtf8(key, gt) > 0) &&
        (gte === undefined || byUtf8(key, gte) >= 0) &&
        (lt === undefined || byUtf8(key, lt) < 0) &&
        (lte === undefined || byUtf8(key, lte) <= 0),
    );
  return reverse ? found.reverse() : found;
}

function isOrdered({ range: { limit: _limit, ...bounds } }: ListCommand | WalkCommand): boolean {
  return Object.keys(bounds).length > 0;
}

/** A key added meanwhile is never visited, one deleted meanwhile is not either, all others are, once. */
export function checkWalk(
  { storage, model }: Reading,
  command: WalkCommand,
  step: (command: Command) => Promise<void> | undefined,
): Promise<void> | undefined {
  if (command.range.invalid !== undefined) return undefined;
  const { limit: _limit, ...range } = command.range;
  const seen = inRange(model, command).map(([key]) => key);
  const place = { namespace: command.namespace, keyPrefix: command.keyPrefix };
  const base = baseOf(place);
  const entries = storage.entries({ ...range, keyPrefix: base });
  const visited: string[] = [];
  const visit = (most: number): void => {
    for (let count = 0; count < most; count += 1) {
      const next = entries.next();
      if (next.done) return;
      visited.push(next.value[0]);
    }
  };
  const finish = (): void => {
    visit(Number.POSITIVE_INFINITY);
    const deleted = base + (command.key as string);
    const isKept = (key: string): boolean => visited.indexOf(key) < first.length || base + key !== deleted;
    const expected = seen.filter((key) => first.includes(key) || base + key !== deleted);
    const actual = isOrdered(command) ? visited : [...visited].sort(byUtf8);
    const wanted = isOrdered(command) ? expected : [...expected].sort(byUtf8);
    must(visited.every(isKept), () => `visited a key that had been deleted: ${show(visited)}`);
    must(show(actual) === show(wanted), () => `visited ${show(actual)} instead of ${show(wanted)}`);
  };
  visit(command.after);
  const first = [...visited];
  // An added key is a new one; the slot of the deleted one is free for it.
  const isNew = model.live(base + command.added) === undefined && command.added !== command.key;
  const steps: Command[] = [{ op: "delete", ...place, key: command.key }];
  if (isNew)
    steps.push({ op: "set", ...place, key: command.added, value: { kind: "true", n: 0 }, expiry: "none" });
  return inTurn(steps, step, finish);
}

function inTurn(
  steps: readonly Command[],
  step: (command: Command) => Promise<void> | undefined,
  finish: () => void,
): Promise<void> | undefined {
  const [next, ...rest] = steps;
  if (next === undefined) {
    finish();
    return undefined;
  }
  const going = step(next);
  return going === undefined ? inTurn(rest, step, finish) : going.then(() => inTurn(rest, step, finish));
}
