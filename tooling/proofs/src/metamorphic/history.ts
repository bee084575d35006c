/**
 * One history of operations, carried out on any storage: what users could do to it, refusals included, while time is
 * moved by hand. The same history must leave the same content behind everywhere.
 */

import { msgpackCodec } from "@leakdb/core";
import type { ManualClock } from "@leakdb/testkit";
import type fc from "fast-check";
import { type Command, writeLists } from "../model/command.js";
import { fullKey } from "../model/expectation.js";
import { type AnyStorage, type DataCommand, perform, valuesOf } from "../model/perform.js";
import { isEncodable, type ValueSpec } from "../model/value-spec.js";

const CODEC = msgpackCodec();

/**
 * Histories that every storage must agree about. Left out is what they differ in on purpose: values that only memory
 * can hold, a clock that steps back over an expiry, and an `update` whose function changes its own key: that throws at once, or rejects a promise which nobody looks at.
 */
export function histories(): fc.Arbitrary<Command[]> {
  const isCommon = (command: Command): boolean =>
    command.op !== "step" &&
    !(command.op === "update" && command.with === "same-key") &&
    valueSpecsOf(command).every(isEncodable);
  return writeLists().map((commands) => commands.filter(isCommon));
}

function valueSpecsOf(command: Command): readonly ValueSpec[] {
  if (command.op === "setMulti") return command.entries.map(([, spec]) => spec);
  return "value" in command ? [command.value] : [];
}

/** What each operation came to: the result without versions, which differ, or the name of the error. */
export async function carryOut(
  history: readonly Command[],
  storage: AnyStorage,
  clock: ManualClock,
): Promise<string[]> {
  const outcomes: string[] = [];
  for (const command of history) {
    if (command.op === "advance") await clock.advance(command.ms);
    else if (command.op === "turn") await new Promise((resolve) => setImmediate(resolve));
    else outcomes.push(`${command.op}: ${await outcomeOf(command as DataCommand, storage, clock)}`);
  }
  return outcomes;
}

async function outcomeOf(command: DataCommand, storage: AnyStorage, clock: ManualClock): Promise<string> {
  try {
    const result = await perform(command, {
      storage,
      nowMs: clock.now(),
      namespacePolicy: undefined,
      casVersion: command.op === "cas" ? casVersionOf(command, storage) : 0,
      given: valuesOf(command),
    });
    return ANSWERS_WITH_A_VERSION.has(command.op) ? typeof result : contentOf(result);
  } catch (error) {
    return (error as Error).name;
  }
}

const ANSWERS_WITH_A_VERSION = new Set(["set", "setMulti", "add", "replace", "cas"]);

function casVersionOf(command: Extract<DataCommand, { op: "cas" }>, storage: AnyStorage): number {
  const key = fullKey(command, command.key);
  const current = (key === undefined ? undefined : storage.getEntry(key)?.version) ?? 1;
  return command.version === "current" ? current : current - 1;
}

const STEP_MS = 10;

/**
 * Waits for what needs both the backend's real time and the clock's: a write that a jump of the clock overtook has
 * timed out, and is tried again after a pause.
 */
export async function lettingTimePass<T>(clock: ManualClock, promise: Promise<T>): Promise<T> {
  let isPending = true;
  const ended = promise.finally(() => {
    isPending = false;
  });
  // Its rejection is met by whoever awaits what is returned.
  ended.catch(() => undefined);
  while (isPending) {
    await clock.advance(STEP_MS);
    // Ten times as fast as real time: no real write or opening takes as long as a deadline then.
    await new Promise((resolve) => setTimeout(resolve, STEP_MS / 10));
  }
  return ended;
}

/** Every entry with its value's bytes and its expiry, one line each, in the order of the keys. */
export function contentsOf(storage: AnyStorage): string[] {
  return [...storage.keys({ reverse: false })].map((key) => {
    const entry = storage.getEntry(key);
    return `${JSON.stringify(key)} = ${contentOf(entry?.value)}, expires ${entry?.expiresAt ?? "never"}`;
  });
}

/** Values are compared as they are stored: by their bytes. */
function contentOf(value: unknown): string {
  return value === undefined ? "nothing" : Buffer.from(CODEC.encode(value)).toString("hex");
}
