/**
 * The operations of the public API as plain data: what fast-check draws, shrinks and prints. `perform.ts` carries a
 * command out on a storage, `model.ts` says what must come of it.
 */

import fc from "fast-check";
import { INVALID_KEYS, type InvalidKey, keys, prefixes } from "./hostile-keys.js";
import { type ValueSpec, valueSpecs } from "./value-spec.js";

/** Which view an operation goes through; the key in the table is `namespace + keyPrefix + key`. */
export interface Place {
  readonly namespace: string;
  readonly keyPrefix: string | undefined;
}

export type KeySpec = string | { readonly invalid: InvalidKey };

/** `at` is relative to the clock, because commands are drawn before time is known. */
export type Expiry =
  | "none"
  | { readonly ttl: number }
  | { readonly at: number }
  | { readonly invalid: "zero" | "negative" | "nan" | "text" | "both" | "nan-moment" };

interface Keyed extends Place {
  readonly key: KeySpec;
}

export type DeltaSpec = number | "1n" | "-7n" | "nan" | "infinite" | "text" | "absent";
export type CasVersion = "current" | "stale" | "never" | "text";
export type UpdateWith = "value" | "nothing" | "promise" | "same-key" | "throws" | "no-function";
export type Bounds = { readonly [Name in "prefix" | "gt" | "gte" | "lt" | "lte"]?: string };
export type RangeSpec = Bounds & {
  readonly reverse?: boolean;
  readonly limit?: number;
  readonly invalid?: "limit" | "fraction" | "prefix" | "gt";
};

export type Command =
  | ({ readonly op: "get" | "has" | "getEntry" } & Keyed)
  | ({ readonly op: "delete" } & Keyed)
  | ({ readonly op: "getMulti"; readonly keys: readonly KeySpec[] } & Place)
  | ({ readonly op: "deleteMulti"; readonly keys: readonly KeySpec[] } & Place)
  | ({ readonly op: "set" | "add" | "replace"; readonly value: ValueSpec; readonly expiry: Expiry } & Keyed)
  | ({
      readonly op: "cas";
      readonly value: ValueSpec;
      readonly version: CasVersion;
      readonly expiry: Expiry;
    } & Keyed)
  | ({
      readonly op: "update";
      readonly value: ValueSpec;
      readonly with: UpdateWith;
      readonly expiry: Expiry;
    } & Keyed)
  | ({
      readonly op: "incr" | "decr";
      readonly delta: DeltaSpec;
      readonly initial: DeltaSpec;
      readonly expiry: Expiry;
    } & Keyed)
  | ({ readonly op: "touch"; readonly expiry: Expiry } & Keyed)
  | ({
      readonly op: "setMulti";
      readonly entries: readonly (readonly [KeySpec, ValueSpec])[];
      readonly form: "map" | "pairs" | "object" | "no-pairs";
      readonly expiry: Expiry;
    } & Place)
  | ({ readonly op: "clear"; readonly prefix: string | undefined } & Place)
  | ({ readonly op: "keys" | "values" | "entries"; readonly range: RangeSpec } & Place)
  /** Visits some entries, deletes `key`, sets `added`, and visits the rest. */
  | ({
      readonly op: "walk";
      readonly range: RangeSpec;
      readonly after: number;
      readonly added: string;
    } & Keyed)
  | { readonly op: "advance" | "step"; readonly ms: number }
  | { readonly op: "turn" | "reopen" }
  | { readonly op: "flush"; readonly level: "memory" | "stored" | "synced"; readonly isEarlier: boolean }
  | {
      readonly op: "persisted";
      readonly level: "memory" | "stored" | "synced";
      readonly key: string | undefined;
    }
  /** Asked for in one go, without waiting for each other: of interest where operations answer with promises. */
  | { readonly op: "burst"; readonly commands: readonly Command[] };

const places = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Place>({ namespace: "", keyPrefix: undefined }) },
  {
    weight: 3,
    arbitrary: fc.record({ namespace: prefixes(), keyPrefix: fc.option(prefixes(), { nil: undefined }) }),
  },
);

const invalidKeys = fc
  .constantFrom(...(Object.keys(INVALID_KEYS) as InvalidKey[]))
  .map((invalid) => ({ invalid }));
const keySpecs = fc.oneof<fc.MaybeWeightedArbitrary<KeySpec>[]>(
  { weight: 40, arbitrary: keys() },
  { weight: 1, arbitrary: invalidKeys },
);

const expiries = fc.oneof<fc.MaybeWeightedArbitrary<Expiry>[]>(
  { weight: 12, arbitrary: fc.constant<Expiry>("none") },
  {
    weight: 5,
    arbitrary: fc
      .constantFrom(0.5, 1, 5, 50, 150, 1_500, 1e9, Number.POSITIVE_INFINITY)
      .map((ttl) => ({ ttl })),
  },
  { weight: 2, arbitrary: fc.constantFrom(-1e13, -1, 0, 1, 120, 5_000, 1e16).map((at) => ({ at })) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(...(["zero", "negative", "nan", "text", "both", "nan-moment"] as const))
      .map((invalid) => ({ invalid })),
  },
);

const deltas = fc.oneof<fc.MaybeWeightedArbitrary<DeltaSpec>[]>(
  { weight: 8, arbitrary: fc.constantFrom<DeltaSpec>("absent", "absent", 1, -2, 0, 0.5, 5) },
  { weight: 3, arbitrary: fc.constantFrom<DeltaSpec>("1n", "-7n") },
  {
    weight: 1,
    arbitrary: fc.constantFrom<DeltaSpec>(Number.MAX_SAFE_INTEGER, 2 ** 53, "nan", "infinite", "text"),
  },
);

const bound = fc.option(fc.oneof(keys(), fc.constant("")), { nil: undefined, freq: 3 });
const ranges: fc.Arbitrary<RangeSpec> = fc
  .record({
    prefix: fc.option(fc.oneof(keys(), fc.constant("")), { nil: undefined, freq: 1 }),
    gt: bound,
    gte: bound,
    lt: bound,
    lte: bound,
    reverse: fc.constantFrom(undefined, undefined, true, false),
    limit: fc.constantFrom(undefined, undefined, undefined, 0, 1, 3, Number.POSITIVE_INFINITY),
    invalid: fc.oneof(
      { weight: 30, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constantFrom(...(["limit", "fraction", "prefix", "gt"] as const)) },
    ),
  })
  .map((range) => {
    const given = Object.entries(range).filter(
      ([name, value]) => value !== undefined && keepsBound(name, range),
    );
    return Object.fromEntries(given) as RangeSpec;
  });

/** A range with all four bounds is nearly always empty: three of four draws keep one side alone. */
function keepsBound(
  name: string,
  range: { readonly limit: number | undefined; readonly reverse: unknown },
): boolean {
  if (range.limit === 3) return name !== "gt" && name !== "lt";
  if (range.reverse === true) return name !== "gte" && name !== "lte";
  return true;
}

const keyed = { place: places, key: keySpecs };

function flat<T extends object>(
  arbitrary: fc.Arbitrary<T & { readonly place: Place }>,
): fc.Arbitrary<Command> {
  return arbitrary.map(({ place, ...rest }) => ({ ...place, ...rest }) as unknown as Command);
}

const op = <Name extends Command["op"]>(...names: Name[]): fc.Arbitrary<Name> => fc.constantFrom(...names);
const value = valueSpecs();
const expiry = expiries;

const reads = flat(fc.record({ op: op("get", "has", "getEntry"), ...keyed }));
const lists = flat(fc.record({ op: op("keys", "values", "entries"), place: places, range: ranges }));
const puts = flat(fc.record({ op: op("set", "set", "set", "add", "replace"), ...keyed, value, expiry }));
const multis = flat(
  fc.record({
    op: op("setMulti"),
    place: places,
    entries: fc.array(fc.tuple(keySpecs, value), { maxLength: 5 }),
    form: fc.constantFrom<("map" | "pairs" | "object" | "no-pairs")[]>(
      "map",
      "pairs",
      "pairs",
      "object",
      "no-pairs",
    ),
    expiry,
  }),
);
const conditional = fc.oneof(
  flat(
    fc.record({
      op: op("cas"),
      ...keyed,
      value,
      version: fc.constantFrom<CasVersion[]>("current", "current", "current", "stale", "never", "text"),
      expiry,
    }),
  ),
  flat(
    fc.record({
      op: op("update"),
      ...keyed,
      value,
      with: fc.constantFrom<UpdateWith[]>(
        ...(["value", "value", "value", "nothing", "promise", "same-key"] as const),
        ...(["throws", "no-function"] as const),
      ),
      expiry,
    }),
  ),
);
const counters = flat(
  fc.record({ op: op("incr", "decr"), ...keyed, delta: deltas, initial: deltas, expiry }),
);
const touches = flat(fc.record({ op: op("touch"), ...keyed, expiry }));
const deletes = flat(fc.record({ op: op("delete"), ...keyed }));
const manyKeys = { place: places, keys: fc.array(keySpecs, { maxLength: 5 }) };
const multiReads = flat(fc.record({ op: op("getMulti"), ...manyKeys }));
const multiDeletes = flat(fc.record({ op: op("deleteMulti"), ...manyKeys }));
const clears = flat(
  fc.record({ op: op("clear"), place: places, prefix: fc.option(keys(), { nil: undefined, freq: 4 }) }),
);
const walks = flat(
  fc.record({
    op: op("walk"),
    place: places,
    key: keys(),
    range: ranges,
    after: fc.integer({ min: 0, max: 4 }),
    added: keys(),
  }),
);
const times = fc.oneof<fc.Arbitrary<Command>[]>(
  fc.record({ op: op("advance"), ms: fc.constantFrom(0, 1, 4, 50, 99, 100, 101, 1_000, 60_000) }),
  fc.record({ op: op("step"), ms: fc.constantFrom(-3_600_000, -1_000, -10, -1, 1, 10, 1_000, 3_600_000) }),
);
const level = fc.constantFrom<("memory" | "stored" | "synced")[]>("memory", "stored", "stored", "synced");
const barriers = fc.oneof<fc.Arbitrary<Command>[]>(
  fc.record({ op: op("flush"), level, isEarlier: fc.boolean() }),
  fc.record({ op: op("persisted"), level, key: fc.option(keys(), { nil: undefined }) }),
);

const writes = fc.oneof(
  { weight: 24, arbitrary: puts },
  { weight: 5, arbitrary: multis },
  { weight: 10, arbitrary: conditional },
  { weight: 7, arbitrary: counters },
  { weight: 3, arbitrary: touches },
  { weight: 8, arbitrary: deletes },
  { weight: 2, arbitrary: multiDeletes },
  { weight: 2, arbitrary: clears },
);

export interface CommandKinds {
  /** Barriers and reopening: of storages with a backend. */
  readonly isPersistent: boolean;
  /** Operations asked for without waiting: of storages that answer with promises. */
  readonly hasBursts: boolean;
}

/** Lists of commands; long ones, about a hundred on the average. */
export function commandLists({ isPersistent, hasBursts }: CommandKinds): fc.Arbitrary<Command[]> {
  const command = fc.oneof(
    { weight: 60, arbitrary: writes },
    { weight: 13, arbitrary: reads },
    { weight: 2, arbitrary: multiReads },
    { weight: 5, arbitrary: lists },
    { weight: 2, arbitrary: walks },
    { weight: 4, arbitrary: times },
    { weight: isPersistent ? 2 : 1, arbitrary: barriers },
    { weight: isPersistent ? 6 : 0, arbitrary: fc.constant<Command>({ op: "turn" }) },
    { weight: isPersistent ? 1 : 0, arbitrary: fc.constant<Command>({ op: "reopen" }) },
    {
      weight: hasBursts ? 4 : 0,
      arbitrary: fc
        .array(writes, { minLength: 2, maxLength: 8 })
        .map((commands): Command => ({ op: "burst", commands })),
    },
  );
  return fc.array(command, { maxLength: 200, size: "max" });
}

/** Only what changes entries, for storages that hand each mutation on. */
export function writeLists(): fc.Arbitrary<Command[]> {
  return fc.array(
    fc.oneof(
      { weight: 30, arbitrary: writes },
      { weight: 3, arbitrary: times },
      { weight: 6, arbitrary: fc.constant<Command>({ op: "turn" }) },
    ),
    { maxLength: 200, size: "max" },
  );
}
