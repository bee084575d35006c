/**
 * What the operations of a write-through storage were answered, and so what a key may hold at the end: the value of
 * the last operation that succeeded, or of one after it that was perhaps applied. What was refused left nothing (I8).
 */

import { isLeakDBError } from "@leakdb/core";

interface Call {
  readonly concerns: (key: string) => boolean;
  /** `undefined` for a delete or a clear. */
  readonly value: unknown;
  outcome: "pending" | "stored" | "refused" | "perhaps";
}

const REFUSALS = new Set([
  ...["LEAKDB_ADAPTER_REJECTED", "LEAKDB_ADAPTER_UNAVAILABLE", "LEAKDB_TIMEOUT", "LEAKDB_QUEUE_FULL"],
  ...["LEAKDB_CLOSED"],
]);

export class ThroughCalls {
  readonly #calls: Call[] = [];

  /** In the order of the calls, which is that of each key. */
  begin(concerns: (key: string) => boolean, value: unknown): (error: unknown, isStored: boolean) => void {
    const call: Call = { concerns, value, outcome: "pending" };
    this.#calls.push(call);
    return (error, isStored) => {
      call.outcome = isStored ? "stored" : outcomeOf(error);
    };
  }

  /** One line for each key that holds what no operation left there. */
  check(values: ReadonlyMap<string, unknown>, keys: Iterable<string>): string[] {
    const breaches: string[] = [];
    for (const key of keys) {
      const calls = this.#calls.filter((call) => call.concerns(key) && call.outcome !== "refused");
      const lastStored = calls.findLastIndex((call) => call.outcome === "stored");
      const allowed = calls.slice(Math.max(0, lastStored)).map((call) => call.value);
      if (lastStored < 0) allowed.push(undefined);
      const value = values.get(key);
      if (!allowed.includes(value))
        breaches.push(`I8: ${key} holds ${value}, which is none of ${allowed.join(", ")}`);
    }
    return breaches;
  }
}

function outcomeOf(error: unknown): Call["outcome"] {
  if (!isLeakDBError(error)) return "perhaps";
  const { applied } = error as { applied?: readonly string[] };
  return REFUSALS.has(error.code) && (applied === undefined || applied.length === 0) ? "refused" : "perhaps";
}
