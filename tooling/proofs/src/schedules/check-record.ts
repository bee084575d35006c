/**
 * Judges a record by the invariants. Each checker returns one line for each breach, so that a failure shows all of
 * them, and a planted fault shows which checker sees it.
 */

import type { Mutation } from "@leakdb/core/adapter";
import { checkDurability } from "./check-durability.js";
import { type FinalEntry, type Happening, nameOf, type Of, overlap } from "./happening.js";

export interface Bounds {
  readonly lanes: number;
  readonly batchMax: number;
  readonly batchBytesMax: number;
}

export function checkRecord(record: readonly Happening[], bounds: Bounds): string[] {
  return [
    ...checkOrder(record),
    ...checkFlight(record, bounds.lanes),
    ...checkBatches(record, bounds),
    ...checkDurability(record),
    ...checkDeadlines(record),
    ...checkReports(record),
    ...checkFinals(record),
  ];
}

/**
 * I1: one key's mutations are first sent in version order, over restarts too. What is sent again is the same, and
 * nothing newer has been acknowledged by then.
 */
export function checkOrder(record: readonly Happening[]): string[] {
  const breaches: string[] = [];
  const sent = new Map<number, Mutation>();
  const acknowledged: Mutation[] = [];
  const batches = new Map<number, readonly Mutation[]>();
  /** A clear that users send again by hand spares whatever is newer, so it may come late. */
  const deadClears = new Set<number>();
  for (const happening of record) {
    if (happening.type === "dead" && happening.operation === "clear") deadClears.add(happening.version);
    if (happening.type === "answered" && happening.isStored) {
      const batch = batches.get(happening.call) ?? [];
      acknowledged.push(...batch.filter((_, index) => !happening.refused.includes(index)));
    }
    if (happening.type !== "sent") continue;
    batches.set(happening.call, happening.batch);
    for (const mutation of happening.batch) {
      const earlier = sent.get(mutation.version);
      const before = deadClears.has(mutation.version) ? [] : earlier ? acknowledged : [...sent.values()];
      const newer = before.find((other) => other.version > mutation.version && overlap(other, mutation));
      if (newer) breaches.push(`I1: ${nameOf(mutation)} was sent after ${nameOf(newer)}`);
      if (earlier && !isSame(earlier, mutation))
        breaches.push(`I1: ${nameOf(mutation)} is not what was sent before`);
      sent.set(mutation.version, mutation);
    }
  }
  return breaches;
}

function isSame(a: Mutation, b: Mutation): boolean {
  if (nameOf(a) !== nameOf(b)) return false;
  return a.type !== "put" || b.type !== "put" || Buffer.compare(a.value, b.value) === 0;
}

/** I2: a key has one write in flight, which ends with its answer or with a close; and no more lanes than agreed. */
export function checkFlight(record: readonly Happening[], lanes: number): string[] {
  const breaches: string[] = [];
  const inFlight = new Map<number, readonly Mutation[]>();
  for (const happening of record) {
    if (happening.type === "closed") inFlight.clear();
    if (happening.type === "answered") inFlight.delete(happening.call);
    if (happening.type !== "sent") continue;
    for (const mutation of happening.batch) {
      const other = [...inFlight.values()].flat().find((each) => overlap(each, mutation));
      if (other) breaches.push(`I2: ${nameOf(mutation)} was sent while ${nameOf(other)} was in flight`);
    }
    inFlight.set(happening.call, happening.batch);
    if (inFlight.size > lanes)
      breaches.push(`I5: ${inFlight.size} writes were in flight, with ${lanes} lanes`);
  }
  return breaches;
}

/** I5: batches keep their limits; a single value may be larger. */
export function checkBatches(record: readonly Happening[], { batchMax, batchBytesMax }: Bounds): string[] {
  return record.flatMap((happening) => {
    if (happening.type !== "sent") return [];
    const { call, batch } = happening;
    const bytes = batch.reduce(
      (sum, mutation) => sum + (mutation.type === "put" ? mutation.value.length : 0),
      0,
    );
    const breaches: string[] = [];
    if (batch.length > batchMax) breaches.push(`I5: call ${call} has ${batch.length} mutations`);
    if (batch.length > 1 && bytes > batchBytesMax) breaches.push(`I5: call ${call} has ${bytes} bytes`);
    return breaches;
  });
}

/** I10: every promise settles by its deadline. */
export function checkDeadlines(record: readonly Happening[]): string[] {
  const settled = new Map<number, Of<"settled">>();
  let endMs = 0;
  for (const happening of record) {
    if (happening.type === "settled") settled.set(happening.barrier, happening);
    if (happening.type === "ended") endMs = happening.atMs;
  }
  return record.flatMap((happening) => {
    if (happening.type !== "asked") return [];
    const { barrier, what, deadlineMs } = happening;
    const atMs = settled.get(barrier)?.atMs;
    if (atMs === undefined && endMs > deadlineMs) return [`I10: ${what} ${barrier} never settled`];
    const lateMs = (atMs ?? 0) - deadlineMs;
    return lateMs > 0 ? [`I10: ${what} ${barrier} settled ${lateMs} ms after its deadline`] : [];
  });
}

/** I10: nothing is swallowed. Each failure is told of after it was made; those that fall together, perhaps together. */
export function checkReports(record: readonly Happening[]): string[] {
  let unreported: string[] = [];
  const closes = new Set<number>();
  for (const happening of record) {
    if (happening.type === "asked" && happening.what === "close") closes.add(happening.barrier);
    // Once the close has given back what is left, nobody listens any more.
    if (happening.type === "settled" && closes.has(happening.barrier)) break;
    if (happening.type === "injected") unreported.push(happening.what);
    if (happening.type === "reported") unreported = [];
  }
  return unreported.map((what) => `I10: a failure of the kind "${what}" was swallowed`);
}

/** I3, I9: at the end memory, the backend and a storage opened anew hold what was last done to each key. */
export function checkFinals(record: readonly Happening[]): string[] {
  const finals = record.filter((happening) => happening.type === "final");
  const [first, ...others] = finals;
  if (first === undefined) return [];
  const breaches = others.flatMap((other) => differences(first, other));
  // Write-through operations that were perhaps applied have no place in the record: see `ThroughCalls`.
  const isComplete = !record.some(
    (happening) => happening.type === "asked" && happening.what === "operation",
  );
  if (first.where === "memory" && isComplete) breaches.push(...lostOrResurrected(record, first.entries));
  return breaches;
}

function differences(first: Of<"final">, other: Of<"final">): string[] {
  const text = ({ key, version, value }: FinalEntry): string => JSON.stringify({ key, version, value });
  const expected = new Set(first.entries.map(text));
  const actual = new Set(other.entries.map(text));
  return [
    ...[...expected].filter((each) => !actual.has(each)).map((each) => `I9: ${other.where} lacks ${each}`),
    ...[...actual].filter((each) => !expected.has(each)).map((each) => `I9: ${other.where} has ${each}`),
  ];
}

function lostOrResurrected(record: readonly Happening[], entries: readonly FinalEntry[]): string[] {
  const mutated = record.filter((happening) => happening.type === "mutated");
  const keys = new Set([...mutated.map(({ key }) => key), ...entries.map(({ key }) => key)]);
  return [...keys].flatMap((key) => {
    const last = mutated
      .filter((each) => (each.operation === "clear" ? key.startsWith(each.key) : each.key === key))
      .reduce<Of<"mutated"> | undefined>(
        (a, b) => (a !== undefined && a.version > b.version ? a : b),
        undefined,
      );
    const entry = entries.find((each) => each.key === key);
    if (last === undefined || last.key !== key)
      return entry && last ? [`I3: ${JSON.stringify(key)} is back`] : [];
    if (last.operation !== "put") return entry ? [`I3: ${JSON.stringify(key)} is back`] : [];
    return entry ? [] : [`I4: ${JSON.stringify(key)} is lost`];
  });
}
