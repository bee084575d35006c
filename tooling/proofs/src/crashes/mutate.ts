/** Carries out one mutation and notes in the ledger what it made. */

import { isLeakDBError } from "@leakdb/core";
import { ALL_KEYS, MANY, type MutationStep } from "./crash-plan.js";
import type { Ledger } from "./ledger.js";
import type { Subject } from "./open-subject.js";

/** What a mutator may throw, beside what is the caller's mistake. */
const DOCUMENTED: readonly string[] = ["LEAKDB_QUEUE_FULL", "LEAKDB_READ_ONLY", "LEAKDB_CLOSED"];
/** Of big values: so many times as long. */
const BIG = 40;

export function mutate(storage: Subject, step: MutationStep, isBig: boolean, ledger: Ledger): void {
  const { version } = storage;
  try {
    perform(storage, step, isBig ? BIG : 1, ledger);
  } catch (error) {
    if (!isLeakDBError(error)) throw error;
    if (!DOCUMENTED.includes(error.code))
      ledger.breaches.push(`I10: ${step.op} threw ${error.code}: ${error.message}`);
    if (storage.version !== version)
      ledger.breaches.push(`I8: ${step.op} threw ${error.code}, and gave a version`);
  }
}

function perform(storage: Subject, step: MutationStep, times: number, ledger: Ledger): void {
  switch (step.op) {
    case "set":
      storage.set(step.key, ledger.nextValue(step.pad * times), { ttl: step.ttl });
      return notePuts(storage, [step.key], ledger);
    case "setMulti":
      storage.setMulti(step.keys.map((key) => [key, ledger.nextValue(step.pad * times)] as const));
      return notePuts(storage, step.keys, ledger);
    case "setMany":
      storage.setMulti(MANY.map((key) => [key, ledger.nextValue(times)] as const));
      return notePuts(storage, MANY, ledger);
    case "incr":
      storage.incr(step.key, { initialValue: 100 });
      return notePuts(storage, [step.key], ledger);
    case "update":
      storage.update(step.key, () => ledger.nextValue(step.pad * times));
      return notePuts(storage, [step.key], ledger);
    case "touch":
      if (storage.touch(step.key, { ttl: step.ttl })) notePuts(storage, [step.key], ledger);
      return;
    case "delete":
      if (storage.delete(step.key)) ledger.deleted(step.key, storage.version);
      return;
    case "deleteMulti": {
      const present = [...new Set(step.keys)].filter((key) => storage.has(key));
      const count = storage.deleteMulti(step.keys);
      if (count !== present.length) ledger.breaches.push(`deleteMulti deleted ${count} of ${present.length}`);
      for (const [index, key] of present.entries())
        ledger.deleted(key, storage.version - present.length + 1 + index);
      return;
    }
    case "clear": {
      const covered = ALL_KEYS.filter((key) => key.startsWith(step.prefix) && storage.has(key));
      storage.clear({ prefix: step.prefix });
      ledger.cleared(step.prefix, covered, storage.version);
    }
  }
}

function notePuts(storage: Subject, keys: readonly string[], ledger: Ledger): void {
  for (const key of new Set(keys)) {
    const entry = storage.getEntry(key);
    if (entry === undefined) ledger.breaches.push(`${key} was set, and is not there`);
    else ledger.put(key, { value: entry.value, version: entry.version, expiresAt: entry.expiresAt ?? 0 });
  }
}
