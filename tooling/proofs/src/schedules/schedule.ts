/** What a schedule is made of: the shape of the storage, and steps that fast-check draws, shrinks and prints. */

import fc from "fast-check";
import type { AnswerKind, OtherCall } from "./held-adapter.js";

export interface Shape {
  readonly isThrough: boolean;
  readonly workers: number;
  readonly coalesce: boolean;
  readonly maxSize: number;
  readonly batchMax: number;
  readonly capacity: number;
  readonly maxAttempts: number;
  readonly writeDelay: number;
}

export type Step =
  | { readonly op: "set"; readonly key: string }
  | { readonly op: "delete"; readonly key: string }
  | { readonly op: "setMulti"; readonly keys: readonly string[] }
  | { readonly op: "clear"; readonly prefix: string }
  | { readonly op: "answer"; readonly pick: number; readonly how: AnswerKind; readonly index: number }
  | { readonly op: "advance"; readonly ms: number }
  | { readonly op: "flush"; readonly isSynced: boolean; readonly timeout: number }
  | {
      readonly op: "persisted";
      readonly isSynced: boolean;
      readonly key: string | undefined;
      readonly timeout: number;
    }
  | { readonly op: "poison"; readonly key: string; readonly how: "named" | "thrown" }
  | { readonly op: "fail"; readonly call: OtherCall }
  | { readonly op: "retry" | "discard"; readonly pick: number };

/** What users do to memory. */
export type WriteStep = Extract<Step, { op: "set" | "delete" | "setMulti" | "clear" }>;

export interface Schedule {
  readonly shape: Shape;
  readonly steps: readonly Step[];
  /** The storage is closed under fire, with this deadline, instead of being healed first. */
  readonly closeTimeout: number | undefined;
}

/** Milliseconds; short, so that schedules meet it. */
export const WRITE_TIMEOUT_MS = 200;
/** The longest deadline of a barrier, in milliseconds. */
export const TIMEOUT_MAX_MS = 60_000;
export const BATCH_BYTES_MAX = 1_000;

const key = fc.constantFrom("a", "ab", "b", "ba", "c");
const small = fc.nat({ max: 5 });
const timeout = fc.constantFrom(0, 50, 500, TIMEOUT_MAX_MS);

const shapes: fc.Arbitrary<Shape> = fc.record({
  isThrough: fc.boolean(),
  workers: fc.integer({ min: 1, max: 4 }),
  coalesce: fc.boolean(),
  maxSize: fc.constantFrom(1, 3, 10_000),
  batchMax: fc.constantFrom(1, 3, 10_000),
  capacity: fc.constantFrom(4, 1_000, 1_000),
  maxAttempts: fc.integer({ min: 1, max: 3 }),
  writeDelay: fc.constantFrom(0, 20),
});

const step = fc.oneof<fc.MaybeWeightedArbitrary<Step>[]>(
  { weight: 15, arbitrary: fc.record({ op: fc.constant("set" as const), key }) },
  { weight: 5, arbitrary: fc.record({ op: fc.constant("delete" as const), key }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant("setMulti" as const),
      keys: fc.array(key, { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant("clear" as const), prefix: fc.constantFrom("", "a", "b") }),
  },
  {
    weight: 16,
    arbitrary: fc.record({
      op: fc.constant("answer" as const),
      pick: small,
      how: fc.constantFrom<AnswerKind[]>(
        ...(["stored", "stored", "stored", "transient", "permanent", "rejected"] as const),
        ...(["ambiguous", "lost-reply", "plain", "slow", "late"] as const),
      ),
      index: small,
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({ op: fc.constant("advance" as const), ms: fc.constantFrom(0, 1, 20, 60, 250) }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("flush" as const), isSynced: fc.boolean(), timeout }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("persisted" as const),
      isSynced: fc.boolean(),
      key: fc.option(key, { nil: undefined }),
      timeout,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant("poison" as const),
      key,
      how: fc.constantFrom<("named" | "thrown")[]>("named", "thrown"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant("fail" as const),
      call: fc.constantFrom<OtherCall[]>("open", "load", "sync"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constantFrom<("retry" | "discard")[]>("retry", "discard"), pick: small }),
  },
);

export function schedules(): fc.Arbitrary<Schedule> {
  return fc.record({
    shape: shapes,
    steps: fc.array(step, { maxLength: 60, size: "max" }),
    closeTimeout: fc.constantFrom(undefined, undefined, undefined, 0, 100, 5_000),
  });
}
