/**
 * An adapter broken on purpose, in one way, with the cases that must catch it: a suite that misses a planted bug
 * proves nothing.
 */

import { type Adapter, type Mutation, systemClock } from "@leakdb/core/adapter";
import {
  type ConformanceHarness,
  type FaultyAdapter,
  faultyAdapter,
  ReferenceBackend,
  referenceAdapter,
} from "../src/index.js";
import { Mishaps } from "./mishaps.js";

export type Batch = readonly Mutation[];

/** What a planted bug may change of the reference adapter. */
export interface Planted {
  readonly backend: ReferenceBackend;
  readonly mishaps: Mishaps;
  /** The reference adapter, with outages and mishaps. */
  readonly inner: Adapter;
  /** The reference adapter itself, as which it stands in `backend.owner`. */
  readonly reference: Adapter;
  isAway(): boolean;
  /** True in what stands for a process of its own. */
  readonly isElsewhere: boolean;
}

export interface BrokenAdapter {
  /** Goes on from "an adapter that". */
  readonly bug: string;
  /** The names of cases, each of which must fail. */
  readonly caughtBy: readonly string[];
  readonly plant: (planted: Planted) => Partial<Adapter>;
  /** What the cases reject with, where the adapter's own error says enough. Default: an `AssertionError`. */
  readonly failsWith?: RegExp;
  /** The cases fail by their deadline, as no others may: a slow machine must not be taken for a caught bug. */
  readonly hangs?: true;
  /** What a kill does besides. */
  readonly atKill?: (backend: ReferenceBackend) => void;
  readonly ownership?: "fences";
}

/** Short, because a bug that hangs is waited for in real time. */
const DEADLINE_MS = 500;

/** A harness as an adapter's author would write it, over the broken adapter. */
export function harnessOf(broken: BrokenAdapter): ConformanceHarness {
  return {
    name: broken.bug,
    deadlineMs: DEADLINE_MS,
    ownership: broken.ownership,
    create: () => {
      const backend = new ReferenceBackend();
      const mishaps = new Mishaps(backend);
      const made: FaultyAdapter[] = [];
      let isAway = false;
      const setAway = (away: boolean) => {
        isAway = away;
        for (const faulty of made) away ? faulty.goDown() : faulty.goUp();
      };
      const make = (isElsewhere: boolean): Adapter => {
        const reference = referenceAdapter({ backend });
        const faulty = faultyAdapter(reference);
        if (isAway) faulty.goDown();
        made.push(faulty);
        const inner = mishaps.around(faulty);
        const planted = { backend, mishaps, inner, reference, isAway: () => isAway, isElsewhere };
        return around(inner, broken.plant(planted));
      };
      const kill = async (): Promise<void> => {
        backend.owner = undefined;
        broken.atKill?.(backend);
      };
      return {
        adapter: () => make(false),
        process: () => ({ ...make(true), kill }),
        kill,
        ...mishaps.fixture,
        outage: { begin: () => setAway(true), end: () => setAway(false) },
        dispose: () => undefined,
      };
    },
  };
}

function around(inner: Adapter, changes: Partial<Adapter>): Adapter {
  const adapter: Adapter = {
    name: inner.name,
    capabilities: inner.capabilities,
    open: (context) => inner.open(context),
    write: (batch, options) => inner.write(batch, options),
    load: (asked) => inner.load(asked),
    scan: (range) => inner.scan(range),
    sync: () => inner.sync(),
    close: () => inner.close(),
  };
  // As they are, so that a getter stays one.
  return Object.defineProperties(adapter, Object.getOwnPropertyDescriptors(changes));
}

/** Writes to the backend past whoever owns it. */
export async function writeUnowned(backend: ReferenceBackend, batch: Batch): Promise<void> {
  const { owner } = backend;
  backend.owner = undefined;
  const unowned = referenceAdapter({ backend });
  const { signal } = new AbortController();
  const limits = { batchMax: batch.length, batchBytesMax: 1 };
  await unowned.open({ clock: systemClock, signal, limits, report: () => undefined });
  await unowned.write(batch, { signal });
  backend.owner = owner;
}

/** What a planted bug remembers of a backend from one adapter to the next. */
export function remembered<T>(make: () => T): (backend: ReferenceBackend) => T {
  const all = new WeakMap<ReferenceBackend, T>();
  return (backend) => {
    const known = all.get(backend) ?? make();
    all.set(backend, known);
    return known;
  };
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
export const never = <T>(): Promise<T> => new Promise<T>(() => undefined);
