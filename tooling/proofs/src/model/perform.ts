/** Carries a command out on a storage: the one place that calls the public API with what a command says. */

import type { DefaultStorage, PersistentQueueStorage, PersistentStorage, QueueStorage } from "@leakdb/core";
import { deltaOf, keyOf, optionsOf, rangeOf } from "./arguments.js";
import type { Command } from "./command.js";
import { entriesOf, fullKey, THROWN_BY_FN, type ValuePolicy } from "./expectation.js";
import { makeValue } from "./value-spec.js";

export type AnyStorage =
  | DefaultStorage<unknown>
  | QueueStorage<unknown>
  | PersistentStorage<unknown>
  | PersistentQueueStorage<unknown>;

/** What the calls are made with beside the command. */
export interface Setting {
  readonly storage: AnyStorage;
  readonly nowMs: number;
  readonly namespacePolicy: ValuePolicy | undefined;
  /** The version that a `cas` names. */
  readonly casVersion: number;
  /** The values of the call, made by whoever must compare them later. */
  readonly given: readonly unknown[];
}

export type ReadCommand = Extract<Command, { op: "get" | "has" | "getEntry" | "getMulti" }>;
export type ListCommand = Extract<Command, { op: "keys" | "values" | "entries" }>;
export type DataCommand = Exclude<
  Command,
  ListCommand | { op: "walk" | "advance" | "step" | "turn" | "reopen" | "flush" | "persisted" | "burst" }
>;
export type WriteCommand = Exclude<DataCommand, ReadCommand>;

/** The values a command is called with. */
export function valuesOf(command: Command): unknown[] {
  if (command.op === "setMulti") return entriesOf(command).map(([, spec]) => makeValue(spec));
  return "value" in command ? [makeValue(command.value)] : [];
}

/** The result or a promise of it; throws what the call throws. */
export function perform(command: DataCommand, setting: Setting): unknown {
  const view = viewOf(command, setting);
  const options = optionsOf(command, "expiry" in command ? command.expiry : "none", setting.nowMs);
  const [given] = setting.given;
  switch (command.op) {
    case "get":
    case "has":
    case "getEntry":
    case "delete":
    case "touch":
      return view[command.op](keyOf(command.key), options);
    case "set":
    case "add":
    case "replace":
      return view[command.op](keyOf(command.key), given, options);
    case "cas": {
      const version = command.version === "text" ? ("7" as unknown as number) : setting.casVersion;
      return view.cas(keyOf(command.key), given, version, options);
    }
    case "update":
      return view.update(keyOf(command.key), updateFunction(command, setting), options);
    case "incr":
    case "decr": {
      const counts = { ...options, ...countsOf(command) };
      return view[command.op](keyOf(command.key), Object.keys(counts).length === 0 ? undefined : counts);
    }
    case "getMulti":
    case "deleteMulti":
      return view[command.op](command.keys.map(keyOf), options);
    case "setMulti":
      return view.setMulti(multiOf(command, setting.given), options);
    case "clear":
      return view.clear(command.prefix === undefined ? options : { ...options, prefix: command.prefix });
  }
}

export function iterate(command: ListCommand, setting: Setting): IterableIterator<unknown> {
  return viewOf(command, setting)[command.op](rangeOf(command, command.range));
}

export function viewOf(
  { namespace }: { readonly namespace: string },
  { storage, namespacePolicy }: Setting,
): AnyStorage {
  if (namespace === "") return storage;
  const options = namespacePolicy === undefined ? undefined : { values: namespacePolicy };
  return storage.namespace(namespace, options) as unknown as AnyStorage;
}

function countsOf(command: Extract<Command, { op: "incr" | "decr" }>): object {
  const delta = deltaOf(command.delta);
  const initialValue = deltaOf(command.initial);
  return {
    ...(delta === undefined ? {} : { delta }),
    ...(initialValue === undefined ? {} : { initialValue }),
  };
}

function multiOf(
  command: Extract<Command, { op: "setMulti" }>,
  given: readonly unknown[],
): Map<string, unknown> {
  const pairs = entriesOf(command).map(([key], index) => [keyOf(key), given[index]] as const);
  const input = (): unknown => {
    if (command.form === "map") return new Map(pairs);
    if (command.form === "pairs") return pairs;
    if (command.form === "object") return Object.fromEntries(pairs);
    return pairs.length === 0 ? 5 : [...pairs, ["a key without value"]];
  };
  return input() as Map<string, unknown>;
}

function updateFunction(
  command: Extract<Command, { op: "update" }>,
  { storage, given }: Setting,
): (value: unknown) => unknown {
  const [value] = given;
  const key = fullKey(command, command.key) ?? "";
  switch (command.with) {
    case "nothing":
      return () => undefined;
    case "promise":
      return () => Promise.resolve(value);
    case "no-function":
      return 5 as unknown as () => unknown;
    case "throws":
      return () => {
        throw new Error(THROWN_BY_FN);
      };
    case "same-key":
      return () => {
        const inner = storage.set(key, "changed from inside");
        // Where this is a promise, it must be refused all the same.
        if (inner instanceof Promise)
          void inner.then(() => Promise.reject(new Error(SAME_KEY_TAKEN)), ignoreTypeError);
        return value;
      };
    default:
      return () => value;
  }
}

const SAME_KEY_TAKEN = "a write of the key that is being updated was taken";

/** Anything else is an unhandled rejection, which fails the test. */
function ignoreTypeError(error: unknown): void {
  if (!(error instanceof TypeError)) throw error;
}
