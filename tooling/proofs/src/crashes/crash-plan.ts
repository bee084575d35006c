/**
 * What a run of crashes is made of: a storage with its options, and its lives, one after the other on one disk. fast-check
 * draws, shrinks and prints it. Whatever is random within a run hangs on a seed in here.
 */

import fc from "fast-check";

export type StorageKind = "default" | "queue" | "behind";

export interface Setup {
  readonly kind: StorageKind;
  readonly sync: "always" | "interval" | "never";
  readonly maxMib: number;
  /** Values large enough that segments are left, released and written again all the time. */
  readonly isBig: boolean;
  readonly coalesce: boolean;
  readonly values: "reference" | "copied";
  readonly workers: number;
  readonly maxSize: number;
  readonly batchMax: number;
  readonly writeDelay: number;
  readonly maxAttempts: number;
  /** The queue's worker takes batches. */
  readonly takesBatches: boolean;
  /** The backend promises `synced` apart from `stored`; else every batch of it is on its disk. */
  readonly isSyncedApart: boolean;
  /** What each operation of the disk takes; 0 is a turn of the event loop. */
  readonly diskMs: number;
  /** Faults of backend or worker by chance. */
  readonly faultSeed: number | undefined;
}

export type Death = "kill" | "cut";

export type MutationStep =
  | { readonly op: "set"; readonly key: string; readonly pad: number; readonly ttl: number | undefined }
  | { readonly op: "setMulti"; readonly keys: readonly string[]; readonly pad: number }
  /** So many keys that a group of the journal is filled in slices. */
  | { readonly op: "setMany" }
  | { readonly op: "incr"; readonly key: string }
  | { readonly op: "update"; readonly key: string; readonly pad: number }
  | { readonly op: "touch"; readonly key: string; readonly ttl: number | undefined }
  | { readonly op: "delete"; readonly key: string }
  | { readonly op: "deleteMulti"; readonly keys: readonly string[] }
  | { readonly op: "clear"; readonly prefix: string };

export type DiskFaultStep = {
  readonly op: "fault";
  readonly operation: "write" | "sync" | "create" | "syncDirectory" | "remove";
  readonly nth: number;
  readonly times: number;
  readonly partBytes: number;
  readonly isApplied: boolean;
};

export type OtherStep =
  | { readonly op: "turns"; readonly count: number }
  | { readonly op: "advance"; readonly ms: number }
  | {
      readonly op: "persisted";
      readonly level: "journaled" | "stored" | "synced";
      readonly key: string | undefined;
      /** Whoever waited sets this key at once. */
      readonly next: string | undefined;
    }
  | { readonly op: "flush"; readonly level: "journaled" | "stored" | "synced" }
  | { readonly op: "retry" | "discard"; readonly pick: number }
  | { readonly op: "poison" | "cure"; readonly key: string }
  | { readonly op: "down" | "up" }
  | { readonly op: "full"; readonly bytes: number }
  | DiskFaultStep
  /** The end comes at that operation of the disk. */
  | { readonly op: "arm"; readonly how: Death; readonly after: number; readonly seed: number };

export type Step = MutationStep | OtherStep;

/** An opening that does not come to its end. */
export type FailedOpening =
  | { readonly how: Death; readonly after: number; readonly seed: number }
  | {
      readonly how: "fault";
      readonly operation: "open" | "read" | "write" | "sync" | "create";
      readonly nth: number;
    };

export interface Life {
  readonly openings: readonly FailedOpening[];
  readonly steps: readonly Step[];
  readonly end:
    | { readonly how: Death; readonly seed: number }
    | {
        readonly how: "close";
        readonly timeout: number;
        readonly isDown: boolean;
        readonly isKilledAfter: boolean;
      };
}

export interface Plan {
  readonly setup: Setup;
  readonly lives: readonly Life[];
}

export const KEYS = ["a", "ab", "abc", "b", "ba", "c"] as const;
export const COUNTERS = ["n", "nb"] as const;
export const MANY: readonly string[] = Array.from({ length: 24 }, (_, index) => `m${index}`);
export const ALL_KEYS: readonly string[] = [...KEYS, ...COUNTERS, ...MANY];

const key = fc.constantFrom<string[]>(...KEYS);
const counter = fc.constantFrom<string[]>(...COUNTERS);
const anyKey = fc.oneof({ weight: 5, arbitrary: key }, { weight: 1, arbitrary: counter });
const keys = fc.array(anyKey, { minLength: 1, maxLength: 4 });
const pad = fc.constantFrom(0, 0, 10, 300, 1_000);
const ttl = fc.constantFrom(undefined, undefined, undefined, 5, 40, 300, 10_000);
const seed = fc.integer({ min: 0, max: 0x7fff_ffff });
const death = fc.constantFrom<Death[]>("kill", "cut", "cut");

function op<Name extends Step["op"], Rest extends object>(
  name: Name,
  rest: { [Field in keyof Rest]: fc.Arbitrary<Rest[Field]> },
): fc.Arbitrary<{ op: Name } & Rest> {
  return fc.record({ op: fc.constant(name), ...rest }) as fc.Arbitrary<{ op: Name } & Rest>;
}

const level = fc.constantFrom(
  "journaled" as const,
  "journaled" as const,
  "stored" as const,
  "synced" as const,
);

const STEPS: fc.MaybeWeightedArbitrary<Step>[] = [
  { weight: 20, arbitrary: op("set", { key, pad, ttl }) },
  { weight: 5, arbitrary: op("setMulti", { keys: fc.array(key, { minLength: 1, maxLength: 4 }), pad }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("setMany" as const) }) },
  { weight: 4, arbitrary: op("incr", { key: counter }) },
  { weight: 3, arbitrary: op("update", { key, pad }) },
  { weight: 2, arbitrary: op("touch", { key: anyKey, ttl }) },
  { weight: 7, arbitrary: op("delete", { key: anyKey }) },
  { weight: 2, arbitrary: op("deleteMulti", { keys }) },
  { weight: 4, arbitrary: op("clear", { prefix: fc.constantFrom("", "a", "ab", "b", "n", "m", "z") }) },
  { weight: 14, arbitrary: op("turns", { count: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 8, arbitrary: op("advance", { ms: fc.constantFrom(1, 5, 20, 120, 600) }) },
  {
    weight: 7,
    arbitrary: op("persisted", {
      level,
      key: fc.option(anyKey, { nil: undefined, freq: 3 }),
      next: fc.option(key, { nil: undefined, freq: 4 }),
    }),
  },
  { weight: 3, arbitrary: op("flush", { level }) },
  { weight: 1, arbitrary: op("retry", { pick: fc.nat(3) }) },
  { weight: 1, arbitrary: op("discard", { pick: fc.nat(3) }) },
  { weight: 1, arbitrary: op("poison", { key }) },
  { weight: 1, arbitrary: op("cure", { key }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("down" as const) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("up" as const) }) },
];

const FAULTS: fc.MaybeWeightedArbitrary<Step>[] = [
  { weight: 1, arbitrary: op("full", { bytes: fc.integer({ min: 0, max: 4_000 }) }) },
  {
    weight: 3,
    arbitrary: op("fault", {
      operation: fc.constantFrom<DiskFaultStep["operation"][]>(
        "write",
        "sync",
        "create",
        "syncDirectory",
        "remove",
      ),
      nth: fc.integer({ min: 1, max: 6 }),
      times: fc.constantFrom(1, 1, 3, Number.POSITIVE_INFINITY),
      partBytes: fc.integer({ min: 0, max: 200 }),
      isApplied: fc.boolean(),
    }),
  },
];

const setups: fc.Arbitrary<Setup> = fc.record({
  kind: fc.constantFrom<StorageKind[]>("default", "queue", "behind", "behind"),
  sync: fc.constantFrom<Setup["sync"][]>("always", "always", "always", "interval", "interval", "never"),
  maxMib: fc.constantFrom(1, 1, 2, 4),
  isBig: fc.boolean(),
  coalesce: fc.boolean(),
  values: fc.constantFrom<Setup["values"][]>("reference", "copied"),
  workers: fc.integer({ min: 1, max: 4 }),
  maxSize: fc.constantFrom(2, 10_000, 10_000),
  batchMax: fc.constantFrom(1, 3, 10_000),
  writeDelay: fc.constantFrom(0, 20, 100),
  maxAttempts: fc.integer({ min: 1, max: 3 }),
  takesBatches: fc.boolean(),
  isSyncedApart: fc.constantFrom(true, true, false),
  diskMs: fc.constantFrom(0, 0, 0, 3),
  faultSeed: fc.option(seed, { nil: undefined, freq: 2 }),
});

const openings: fc.Arbitrary<FailedOpening> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ how: death, after: fc.integer({ min: 1, max: 24 }), seed }) },
  {
    weight: 1,
    arbitrary: fc.record({
      how: fc.constant("fault" as const),
      operation: fc.constantFrom<("open" | "read" | "write" | "sync" | "create")[]>(
        "open",
        "read",
        "write",
        "sync",
        "create",
      ),
      nth: fc.integer({ min: 1, max: 4 }),
    }),
  },
);

const ends: fc.Arbitrary<Life["end"]> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ how: death, seed }) },
  {
    weight: 2,
    arbitrary: fc.record({
      how: fc.constant("close" as const),
      timeout: fc.constantFrom(0, 50, 10_000, 10_000),
      isDown: fc.boolean(),
      isKilledAfter: fc.boolean(),
    }),
  },
);

/** A life with a fault of the disk in it, with a death that is bound to an operation, with both, or with neither. */
function lives(): fc.Arbitrary<Life> {
  const calm = fc.array(fc.oneof(...STEPS), { maxLength: 45, size: "max" });
  const extra = fc.array(
    fc.oneof<fc.MaybeWeightedArbitrary<Step>[]>(
      { weight: 3, arbitrary: op("arm", { how: death, after: fc.integer({ min: 1, max: 40 }), seed }) },
      { weight: 1, arbitrary: fc.oneof(...FAULTS) },
    ),
    { maxLength: 1 },
  );
  const steps = fc
    .tuple(calm, extra, fc.nat(1_000))
    .map(([before, inserted, at]) => before.toSpliced(at % (before.length + 1), 0, ...inserted));
  return fc.record({
    openings: fc.oneof(
      { weight: 3, arbitrary: fc.constant<FailedOpening[]>([]) },
      { weight: 1, arbitrary: fc.array(openings, { minLength: 1, maxLength: 3 }) },
    ),
    steps,
    end: ends,
  });
}

export function plans(): fc.Arbitrary<Plan> {
  return fc.record({ setup: setups, lives: fc.array(lives(), { minLength: 1, maxLength: 5 }) });
}
