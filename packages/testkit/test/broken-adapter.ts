/**
 * An adapter broken on purpose, in one way, with the case that must catch it: a suite that misses a planted bug
 * proves nothing.
 */

import type { Adapter, Mutation } from "@leakdb/core/adapter";
import { type ReferenceBackend, referenceAdapter } from "../src/index.js";

export type Batch = readonly Mutation[];

/** What a planted bug may change of the reference adapter. */
export interface Planted {
  readonly backend: ReferenceBackend;
  readonly inner: Adapter;
}

export interface BrokenAdapter {
  readonly bug: string;
  /** The name of a case that must fail. */
  readonly caughtBy: string;
  readonly plant: (planted: Planted) => Partial<Adapter>;
  /** What the case rejects with, where the adapter's own error says enough. Default: an `AssertionError`. */
  readonly failsWith?: RegExp;
  /** What a kill does besides, with the backend as it was when the adapter opened. */
  readonly loseAtKill?: boolean;
}

/** The reference adapter with one bug planted in it. */
export function plantBug(broken: BrokenAdapter, backend: ReferenceBackend): Adapter {
  const inner = referenceAdapter({ backend });
  const planted = broken.plant({ backend, inner });
  return {
    name: inner.name,
    capabilities: inner.capabilities,
    open: (context) => inner.open(context),
    write: (batch, options) => inner.write(batch, options),
    load: (asked) => inner.load(asked),
    scan: (range) => inner.scan(range),
    sync: () => inner.sync(),
    close: () => inner.close(),
    ...planted,
  };
}
