/**
 * Planted bugs that change batches on their way in.
 */

import type { Mutation } from "@leakdb/core/adapter";
import type { Batch, BrokenAdapter, Planted } from "./broken-adapter.js";

type Put = Extract<Mutation, { type: "put" }>;

/** Rewrites the batch on its way in. */
function batchBug(
  bug: string,
  caughtBy: string | readonly string[],
  rewrite: (batch: Batch, planted: Planted) => Batch,
): BrokenAdapter {
  return {
    bug,
    caughtBy: [caughtBy].flat(),
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
  batchBug(
    "transfers the caller's bytes away",
    [
      "the batch and its bytes are the same after the write, and still the caller's",
      "a value that is a view into larger memory is stored as the view alone",
    ],
    (batch) =>
      putsChanged(batch, (put) => {
        const { buffer, byteOffset, byteLength } = put.value;
        const moved = structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
        return { ...put, value: new Uint8Array(moved, byteOffset, byteLength) };
      }),
  ),
  {
    bug: "keeps the caller's bytes instead of a copy",
    caughtBy: ["changing the caller's bytes after the write changes nothing stored"],
    plant: ({ inner, backend }) => ({
      write: async (batch, options) => {
        const result = await inner.write(batch, options);
        for (const mutation of batch) if (mutation.type === "put") backend.put(mutation);
        return result;
      },
    }),
  },
  batchBug(
    "keeps an older expiry when a put has none",
    "a put without expiry takes an older expiry away",
    (batch, { backend }) =>
      putsChanged(batch, (put) => {
        const expiresAt = put.expiresAt || (backend.records.get(put.key)?.expiresAt ?? 0);
        return { ...put, expiresAt };
      }),
  ),
  batchBug(
    "deletes below a version, not up to it",
    "a put that expired before it was sent again may come as a delete of its version",
    (batch, { backend }) =>
      batch.filter(
        ({ type, key, version }: Keyed) =>
          type !== "delete" || backend.records.get(key ?? "")?.version !== version,
      ),
  ),
  batchBug("ignores deletes", "a delete removes its key and no other", (batch) =>
    batch.filter(({ type }) => type !== "delete"),
  ),
  batchBug(
    "loses empty values",
    "values that look like text, literals or nothing come back as their bytes",
    (batch) => batch.filter((mutation) => mutation.type !== "put" || mutation.value.byteLength > 0),
  ),
  batchBug(
    "refuses values over 64 KiB, and says nothing of it",
    "values of every size around the powers of two are stored, and the empty one",
    (batch) => batch.filter((mutation) => mutation.type !== "put" || mutation.value.byteLength <= 65_536),
  ),
  batchBug(
    "remembers how long a value was, and cuts the next one there",
    "a put replaces value and version of an older record whole",
    (batch, { backend }) =>
      putsChanged(batch, (put) => ({
        ...put,
        value: put.value.slice(0, backend.records.get(put.key)?.value.byteLength ?? put.value.byteLength),
      })),
  ),
  {
    bug: "rejects a value as large as it says it takes",
    caughtBy: ["a value of exactly maxValueBytes is stored"],
    plant: ({ inner }) => ({
      capabilities: { ...inner.capabilities, maxValueBytes: 65_536 },
      write: async (batch, options) => {
        const index = batch.findIndex(
          ({ type, value }: Keyed) => type === "put" && value?.byteLength === 65_536,
        );
        const result = await inner.write(index < 0 ? batch : batch.toSpliced(index, 1), options);
        return index < 0 ? result : { ...result, rejected: [{ index, error: new Error("too large") }] };
      },
    }),
  },
  {
    bug: "rejects a mutation that isn't in the batch",
    caughtBy: ["a put is there as soon as the write has resolved"],
    plant: ({ inner }) => ({
      write: async (batch, options) => {
        const result = await inner.write(batch, options);
        return { ...result, rejected: [{ index: batch.length, error: new Error("too large") }] };
      },
    }),
  },
];

interface Keyed {
  readonly type: Mutation["type"];
  readonly key?: string;
  readonly value?: Uint8Array;
  readonly version: number;
}
