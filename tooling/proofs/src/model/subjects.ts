/** The storages that the model is tried against, with the options that a run draws. */

import { DefaultStorage, PersistentQueueStorage, PersistentStorage, QueueStorage } from "@leakdb/core";
import {
  ManualClock,
  type RecordingAdapter,
  ReferenceBackend,
  recordingAdapter,
  referenceAdapter,
} from "@leakdb/testkit";
import fc from "fast-check";
import type { DeliveryLog } from "./delivery.js";
import type { ValuePolicy } from "./expectation.js";
import type { Subject } from "./subject.js";

/** Mid 2026, at a fraction of a millisecond, as `performance.timeOrigin` would have it. */
const START_MS = 1_780_000_000_000;

export interface Policies {
  readonly policy: ValuePolicy;
  readonly namespacePolicy: ValuePolicy | undefined;
}

export interface QueueShape {
  readonly workers: number;
  readonly coalesce: boolean;
  readonly maxSize: number;
  readonly batchMax: number;
  readonly writeDelay: number;
}

export function policies(): fc.Arbitrary<Policies> {
  const policy = fc.constantFrom<ValuePolicy[]>("reference", "reference", "copied");
  const namespacePolicy = fc.constantFrom<(ValuePolicy | undefined)[]>(
    undefined,
    undefined,
    "reference",
    "copied",
  );
  return fc.record({ policy, namespacePolicy });
}

export function queueShapes(): fc.Arbitrary<QueueShape> {
  return fc.record({
    workers: fc.integer({ min: 1, max: 3 }),
    coalesce: fc.boolean(),
    maxSize: fc.constantFrom(1, 2, 5, 10_000),
    batchMax: fc.constantFrom(1, 2, 3, 10_000),
    writeDelay: fc.constantFrom(0, 1, 100),
  });
}

export function memorySubject({ policy, namespacePolicy }: Policies): Subject {
  const clock = new ManualClock(START_MS);
  const open = async () => new DefaultStorage({ clock, values: policy });
  return { clock, open, policy, namespacePolicy, isThrough: false, backend: undefined, writeDelayMs: 0 };
}

export function behindSubject({ policy, namespacePolicy }: Policies, shape: QueueShape): Subject {
  const { recorder, ...parts } = backendOf();
  const open = () =>
    PersistentQueueStorage.open<unknown>({
      adapter: recorder(),
      clock: parts.clock,
      values: policy,
      ...shape,
    });
  const writeDelayMs = shape.writeDelay;
  return { ...parts, recorder, open, policy, namespacePolicy, isThrough: false, writeDelayMs };
}

export function throughSubject(
  { policy, namespacePolicy }: Policies,
  { workers }: Pick<QueueShape, "workers">,
): Subject {
  const { recorder, ...parts } = backendOf();
  const open = () =>
    PersistentStorage.open<unknown>({ adapter: recorder(), clock: parts.clock, values: policy, workers });
  return { ...parts, recorder, open, policy, namespacePolicy, isThrough: true, writeDelayMs: 0 };
}

/** A queue of items for `log`; few attempts, so that dead letters happen. */
export function queueSubject(
  { policy, namespacePolicy }: Policies,
  { coalesce: _coalesce, ...shape }: QueueShape,
  log: DeliveryLog,
  isBatch: boolean,
): Subject & { readonly storage: QueueStorage<unknown> } {
  const clock = new ManualClock(START_MS);
  const worker = isBatch ? { workerProcessBatch: log.batch.bind(log) } : { workerProcess: log.one.bind(log) };
  const retry = { maxAttempts: 3, backoff: 10, maxBackoff: 50 };
  const storage = new QueueStorage<unknown>({ clock, values: policy, retry, ...shape, ...worker });
  const open = async () => storage;
  const writeDelayMs = shape.writeDelay;
  return {
    storage,
    clock,
    open,
    policy,
    namespacePolicy,
    isThrough: false,
    backend: undefined,
    writeDelayMs,
  };
}

/** One recorder for all openings: the promises of core hold over restarts as well. */
function backendOf(): {
  readonly clock: ManualClock;
  readonly backend: ReferenceBackend;
  readonly recorder: () => RecordingAdapter;
} {
  const backend = new ReferenceBackend();
  const recorder = recordingAdapter(referenceAdapter({ backend }));
  return { clock: new ManualClock(START_MS), backend, recorder: () => recorder };
}
