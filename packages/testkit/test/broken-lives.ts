/**
 * Planted bugs that show over time: in the order of calls, at an abort, a close, a kill or a reopening.
 */

import { AdapterError, type AdapterState, type StoredRecord } from "@leakdb/core/adapter";
import { type ReferenceBackend, referenceAdapter } from "../src/index.js";
import type { Batch, BrokenAdapter } from "./broken-adapter.js";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

const brokenCalls: readonly BrokenAdapter[] = [
  {
    bug: "acknowledges before it writes",
    caughtBy: "a put is there as soon as the write has resolved",
    plant: ({ inner }) => ({
      write: async (batch, options) => {
        setImmediate(() => void inner.write(batch, options).catch(() => undefined));
        return { bytes: 0 };
      },
    }),
  },
  {
    bug: "lands after the close",
    caughtBy: "nothing sent before a close lands after it",
    plant: ({ backend }) => ({
      write: async (batch, options) => {
        for (let turns = 0; turns < 5; turns += 1) await turn();
        const owner = backend.owner;
        backend.owner = undefined;
        const unowned = referenceAdapter({ backend });
        await unowned.open({ clock: { now: () => 0 } as never, signal: options.signal } as never);
        const result = await unowned.write(batch, options);
        backend.owner = owner;
        return result;
      },
    }),
  },
  {
    bug: "keeps writes in memory until the close",
    caughtBy: "what was acknowledged is there after a kill, deletes and clears included",
    plant: () => ({}),
    loseAtKill: true,
  },
  {
    bug: "hangs when a write is aborted",
    caughtBy: "a write that is already aborted settles, and says truly whether it was stored",
    plant: ({ inner }) => ({
      write: (batch, options) =>
        options.signal.aborted ? new Promise(() => undefined) : inner.write(batch, options),
    }),
  },
  {
    bug: "says that nothing was applied, and has applied it",
    caughtBy: "a write that is already aborted settles, and says truly whether it was stored",
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
    caughtBy: "as many writes as there are lanes, sent at once, are all stored",
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
    caughtBy: "a batch sent again changes nothing and is not rejected",
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

const brokenOpenings: readonly BrokenAdapter[] = [
  {
    bug: "brings deleted records back at a reopening",
    caughtBy: "what was deleted or cleared doesn't come back by a reopening",
    plant: ({ inner, backend }) => {
      const deleted = graveyard(backend);
      return {
        write: (batch, options) => {
          for (const { type, key } of batch.filter((mutation) => mutation.type !== "clear")) {
            const record = backend.records.get(key);
            if (type === "delete" && record !== undefined) deleted.push(record);
          }
          return inner.write(batch, options);
        },
        open: (context) => {
          for (const record of deleted) backend.put(record);
          return inner.open(context);
        },
      };
    },
  },
  openBug("makes a store id at each opening", "the store id stays over reopenings", (state) => ({
    ...state,
    storeId: String(Math.random()),
  })),
  openBug(
    "forgets versions with the records that had them",
    "the high version counts deletes, of absent keys too",
    (state, { records }) => ({
      ...state,
      highVersion: Math.max(0, ...[...records.values()].map(({ version }) => version)),
    }),
  ),
  openBug(
    "tells no size",
    "the size is an integer from 0 after every batch and at every opening",
    (state) => ({
      ...state,
      bytes: Number.NaN,
    }),
  ),
  {
    bug: "lets two owners in",
    caughtBy: "a second owner is refused with LEAKDB_LOCKED, and the first goes on",
    plant: ({ inner, backend }) => ({
      open: (context) => {
        backend.owner = undefined;
        return inner.open(context);
      },
    }),
  },
  {
    bug: "keeps its lock when an opening is aborted",
    caughtBy: "an opening that is already aborted settles and, if refused, holds nothing back",
    failsWith: /open elsewhere/,
    plant: ({ inner }) => ({
      open: async (context) => {
        const state = await inner.open({ ...context, signal: new AbortController().signal });
        context.signal.throwIfAborted();
        return state;
      },
    }),
  },
  {
    bug: "fails at a second close",
    caughtBy: "a second close resolves too",
    failsWith: /not open/,
    plant: ({ inner, backend }) => ({
      close: async () => {
        if (backend.owner !== inner) throw new Error("not open");
        await inner.close();
      },
    }),
  },
  {
    bug: "waits at its close for a scan that was left early",
    caughtBy: "a scan that is left early hinders nobody",
    plant: ({ inner }) => {
      let scans = 0;
      return {
        async *scan(range) {
          scans += 1;
          yield* inner.scan(range);
          scans -= 1;
        },
        close: () => (scans > 0 ? new Promise(() => undefined) : inner.close()),
      };
    },
  },
  {
    bug: "takes writes after its close without a word",
    caughtBy: "a write after close rejects and stores nothing",
    plant: ({ inner }) => ({
      write: (batch, options) => inner.write(batch, options).catch(() => ({ bytes: 0 })),
    }),
  },
];

export const brokenLives: readonly BrokenAdapter[] = [...brokenCalls, ...brokenOpenings];

function openBug(
  bug: string,
  caughtBy: string,
  change: (state: AdapterState, backend: ReferenceBackend) => AdapterState,
): BrokenAdapter {
  return {
    bug,
    caughtBy,
    plant: ({ inner, backend }) => ({
      open: async (context) => change(await inner.open(context), backend),
    }),
  };
}

const graveyards = new WeakMap<ReferenceBackend, StoredRecord[]>();

function graveyard(backend: ReferenceBackend): StoredRecord[] {
  const records = graveyards.get(backend) ?? [];
  graveyards.set(backend, records);
  return records;
}
