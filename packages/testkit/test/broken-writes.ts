/**
 * Planted bugs that change batches on their way in.
 */

import type { Mutation } from "@leakdb/core/adapter";
import type { Batch, BrokenAdapter, Planted } from "./broken-adapter.js";

type Put = Extract<Mutation, { type: "put" }>;

/** Rewrites the batch on its way in. */
function batchBug(
  bug: string,
  caughtBy: string,
  rewrite: (batch: Batch, planted: Planted) => Batch,
): BrokenAdapter {
  return {
    bug,
    caughtBy,
    plant: (planted) => ({
      write: (batch, options) => planted.inner.write(rewrite(batch, planted), options),
    }),
  };
}

function putsChanged(batch: Batch, change: (put: Put) => Put): Batch {
  return batch.map((mutation) => (mutation.type === "put" ? change(mutation) : mutation));
}

export const brokenWrites: readonly BrokenAdapter[] = [
  batchBug(
    "drops the last mutation of a batch",
    "the first and the last of a batch are kept, whatever its size",
    (batch) => batch.slice(0, -1),
  ),
  batchBug(
    "applies an older version over a newer one",
    "an older put never goes over a newer one",
    (batch, { backend }) => {
      for (const mutation of batch) if (mutation.type === "put") backend.remove(mutation.key);
      return batch;
    },
  ),
  batchBug("loses the expiry", "a moment to come is kept to the millisecond, over a reopening too", (batch) =>
    putsChanged(batch, (put) => ({ ...put, expiresAt: 0 })),
  ),
  batchBug("rounds the expiry to seconds", "the last moment there is is kept too", (batch) =>
    putsChanged(batch, (put) => ({ ...put, expiresAt: Math.floor(put.expiresAt / 1_000) * 1_000 })),
  ),
  batchBug(
    "applies clears before everything else in the batch",
    "a clear stands between the puts of one batch, and a key may be on both sides",
    (batch) => [...batch].sort((a, b) => Number(b.type === "clear") - Number(a.type === "clear")),
  ),
  batchBug(
    "applies clears after everything else in the batch, whatever their version",
    "a clear leaves the puts after it in its batch",
    (batch) =>
      [...batch]
        .sort((a, b) => Number(a.type === "clear") - Number(b.type === "clear"))
        .map((mutation) => (mutation.type === "clear" ? { ...mutation, version: 2 ** 53 - 1 } : mutation)),
  ),
  batchBug(
    "clears without looking at versions",
    "a clear removes what is older than itself, and nothing of its own version or newer",
    (batch, { backend }) => {
      for (const mutation of batch) {
        if (mutation.type !== "clear") continue;
        for (const key of backend.records.keys()) if (key.startsWith(mutation.prefix)) backend.remove(key);
      }
      return batch;
    },
  ),
  batchBug("clears too much", "a prefix clears its own keys alone", (batch) =>
    batch.map((mutation) =>
      mutation.type === "clear" ? { ...mutation, prefix: mutation.prefix.slice(0, -1) } : mutation,
    ),
  ),
  batchBug(
    "takes a percent sign in a prefix for a wildcard",
    "wildcards in a prefix match nothing but themselves",
    (batch) =>
      batch.map((mutation) =>
        mutation.type === "clear" ? { ...mutation, prefix: mutation.prefix.replace(/%.*/, "") } : mutation,
      ),
  ),
  batchBug(
    "keeps 32 bits of a version",
    "a version comes back exactly, up to the largest safe integer",
    (batch) => putsChanged(batch, (put) => ({ ...put, version: put.version >>> 0 })),
  ),
  batchBug(
    "stores the memory around a view",
    "a value that is a view into larger memory is stored as the view alone",
    (batch) => putsChanged(batch, (put) => ({ ...put, value: new Uint8Array(put.value.buffer) })),
  ),
  batchBug("stores values as text", "values that are no valid UTF-8 come back as their bytes", (batch) =>
    putsChanged(batch, (put) => ({ ...put, value: Buffer.from(Buffer.from(put.value).toString()) })),
  ),
  batchBug(
    "fills the caller's bytes with zeros when it is done with them",
    "the batch and its bytes are the same after the write, and still the caller's",
    (batch) =>
      putsChanged(batch, (put) => {
        const value = new Uint8Array(put.value);
        put.value.fill(0);
        return { ...put, value };
      }),
  ),
];
