/**
 * Planted bugs that show in the order of calls: at an abort, beside another write, when a batch is sent again.
 */

import { AdapterError } from "@leakdb/core/adapter";
import { type Batch, type BrokenAdapter, never, remembered, turn, writeUnowned } from "./broken-adapter.js";

const abortedOf = remembered(() => new Set<number>());

export const brokenCalls: readonly BrokenAdapter[] = [
  {
    bug: "acknowledges before it writes",
    caughtBy: ["a put is there as soon as the write has resolved"],
    plant: ({ inner }) => ({
      write: async (batch, options) => {
        setImmediate(() => void inner.write(batch, options).catch(() => undefined));
        return { bytes: 0 };
      },
    }),
  },
  {
    bug: "lets a write land after the close",
    caughtBy: ["nothing sent before a close lands after it"],
    plant: ({ backend }) => ({
      write: async (batch) => {
        for (let turns = 0; turns < 5; turns += 1) await turn();
        await writeUnowned(backend, batch);
        return { bytes: 0 };
      },
    }),
  },
  {
    bug: "lets an aborted write land after the close",
    caughtBy: ["what an aborted write has not stored by the close never lands after it"],
    plant: ({ backend, inner }) => ({
      write: async (batch, options) => {
        await turn();
        if (!options.signal.aborted) return inner.write(batch, options);
        for (let turns = 0; turns < 5; turns += 1) await turn();
        await writeUnowned(backend, batch);
        return { bytes: 0 };
      },
    }),
  },
  {
    bug: "ignores an abort while it waits for its answer",
    hangs: true,
    caughtBy: ["a write that is aborted under way settles, and can be sent again after a reopening"],
    plant: ({ inner }) => ({
      write: async (batch, options) => {
        await turn();
        return options.signal.aborted ? never() : inner.write(batch, options);
      },
    }),
  },
  {
    bug: "answers an abort with success, and stores nothing",
    caughtBy: ["a write that is already aborted settles, and says truly whether it was stored"],
    plant: ({ inner }) => ({
      write: async (batch, options) => (options.signal.aborted ? { bytes: 0 } : inner.write(batch, options)),
    }),
  },
  {
    bug: "keeps an aborted batch from ever being sent again",
    caughtBy: [
      "an aborted write that rejects as transient can be sent again at once",
      "any history of batches sent twice or aborted leaves what one sending leaves",
    ],
    plant: ({ inner, backend }) => {
      const aborted = abortedOf(backend);
      return {
        write: async (batch, options) => {
          const [first] = batch;
          if (options.signal.aborted && first !== undefined) aborted.add(first.version);
          if (first !== undefined && aborted.has(first.version) && !options.signal.aborted)
            return { bytes: 0 };
          return inner.write(batch, options);
        },
      };
    },
  },
  {
    bug: "hangs when a write is aborted",
    hangs: true,
    caughtBy: ["a write that is already aborted settles, and says truly whether it was stored"],
    plant: ({ inner }) => ({
      write: (batch, options) => (options.signal.aborted ? never() : inner.write(batch, options)),
    }),
  },
  {
    bug: "says that nothing was applied, and has applied it",
    caughtBy: ["a write that is already aborted settles, and says truly whether it was stored"],
    plant: ({ inner }) => ({
      write: async (batch, options) => {
        const result = await inner.write(batch, { signal: new AbortController().signal });
        if (options.signal.aborted) throw new AdapterError("aborted", { kind: "permanent" });
        return result;
      },
    }),
  },
  {
    bug: "mixes up batches that are written at once",
    caughtBy: ["as many writes as there are lanes, sent at once, are all stored"],
    plant: ({ inner }) => {
      let current: Batch = [];
      return {
        write: async (batch, options) => {
          current = batch;
          await turn();
          return inner.write(current, options);
        },
      };
    },
  },
  {
    bug: "rejects a batch that is sent again",
    caughtBy: ["a batch sent again changes nothing and is not rejected"],
    plant: ({ inner, backend }) => ({
      write: async (batch, options) => {
        const known = batch.findIndex(
          (mutation) =>
            mutation.type === "put" && backend.records.get(mutation.key)?.version === mutation.version,
        );
        const result = await inner.write(batch, options);
        return known < 0 ? result : { ...result, rejected: [{ index: known, error: new Error("exists") }] };
      },
    }),
  },
];
