/**
 * Planted bugs that show over an adapter's life: at an opening, a close, a reopening, and who owns the backend.
 */

import type { AdapterState, StoredRecord } from "@leakdb/core/adapter";
import type { ReferenceBackend } from "../src/index.js";
import { type BrokenAdapter, never, remembered, turn, writeUnowned } from "./broken-adapter.js";

export const brokenLives: readonly BrokenAdapter[] = [
  {
    bug: "brings deleted records back at a reopening",
    caughtBy: ["what was deleted or cleared doesn't come back by a reopening"],
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
  {
    bug: "applies an older version over a newer one after a reopening",
    caughtBy: ["an older put never goes over a newer one after a reopening either"],
    plant: ({ inner, backend }) => {
      const old = keysOf(backend);
      return {
        open: async (context) => {
          for (const key of backend.records.keys()) old.add(key);
          return inner.open(context);
        },
        write: (batch, options) => {
          for (const mutation of batch) {
            if (mutation.type === "put" && old.delete(mutation.key)) backend.remove(mutation.key);
          }
          return inner.write(batch, options);
        },
      };
    },
  },
  {
    bug: "counts the time to live anew at each reopening",
    caughtBy: [
      "a moment to come is kept to the millisecond, over a reopening too",
      "any history with expiries loses no live record and shifts none",
    ],
    plant: ({ inner, backend }) => ({
      open: async (context) => {
        for (const record of [...backend.records.values()]) {
          if (record.expiresAt > 1) backend.put({ ...record, expiresAt: record.expiresAt + 1 });
        }
        return inner.open(context);
      },
    }),
  },
  {
    bug: "removes at a reopening what was deleted before it and put again",
    caughtBy: ["any history of puts, deletes, clears and reopenings leaves what the contract says"],
    plant: ({ inner, backend }) => {
      const deleted = keysOf(backend);
      return {
        write: (batch, options) => {
          for (const mutation of batch) if (mutation.type === "delete") deleted.add(mutation.key);
          return inner.write(batch, options);
        },
        open: (context) => {
          for (const key of deleted) backend.remove(key);
          deleted.clear();
          return inner.open(context);
        },
      };
    },
  },
  {
    bug: "remembers as its highest version that of a batch's last mutation",
    caughtBy: ["the high version is the highest of a batch, wherever it stands"],
    plant: ({ inner, backend }) => ({
      write: async (batch, options) => {
        const result = await inner.write(batch, options);
        backend.highVersion = batch.at(-1)?.version ?? backend.highVersion;
        return result;
      },
    }),
  },
  {
    bug: "counts no clear in its highest version",
    caughtBy: ["the high version counts clears, of nothing too, and outlives the keys they removed"],
    plant: ({ inner, backend }) => ({
      write: async (batch, options) => {
        const before = backend.highVersion;
        const result = await inner.write(batch, options);
        if (batch.every(({ type }) => type === "clear")) backend.highVersion = before;
        return result;
      },
    }),
  },
  {
    bug: "promises more once it is open",
    caughtBy: ["the capabilities keep the contract's types and are the same before open and after"],
    plant: ({ inner }) => {
      let isOpen = false;
      return {
        get capabilities() {
          return isOpen ? { ...inner.capabilities, lanesMax: 8 } : inner.capabilities;
        },
        open: (context) => {
          isOpen = true;
          return inner.open(context);
        },
      };
    },
  },
  {
    bug: "reports each close as a fault",
    caughtBy: ["a healthy run reports nothing from the background"],
    plant: ({ inner }) => {
      let report: (error: Error) => void = () => undefined;
      return {
        open: (context) => {
          report = (error) => context.report(error);
          return inner.open(context);
        },
        close: async () => {
          report(new Error("connection ended"));
          await inner.close();
        },
      };
    },
  },
  {
    bug: "doesn't give its lock back",
    caughtBy: ["the store id stays over reopenings", "the same adapter opens again after it was closed"],
    failsWith: /open elsewhere/,
    plant: () => ({ close: async () => undefined }),
  },
  {
    bug: "closes what another adapter has open",
    caughtBy: ["a close before any opening resolves, and leaves an owner alone"],
    failsWith: /not open/,
    plant: ({ backend }) => ({
      close: async () => {
        backend.owner = undefined;
      },
    }),
  },
  {
    bug: "looks at its lock first and takes it later",
    caughtBy: ["of two openings at once one wins"],
    plant: ({ backend, inner }) => ({
      open: async (context) => {
        const mayTake = backend.owner === undefined;
        await turn();
        if (mayTake) backend.owner = undefined;
        return inner.open(context);
      },
    }),
  },
  {
    bug: "closes its successor with itself",
    caughtBy: ["closing a fenced adapter leaves the new owner alone"],
    failsWith: /not open/,
    ownership: "fences",
    plant: ({ backend, inner }) => ({
      open: (context) => {
        backend.owner = undefined;
        return inner.open(context);
      },
      close: async () => {
        backend.owner = undefined;
      },
    }),
  },
  {
    bug: "has a name of two lines",
    caughtBy: ["the name is one short readable line, before open and after"],
    plant: ({ inner }) => ({ name: `${inner.name}\nby itself` }),
  },
  {
    bug: "lets a former owner write on",
    caughtBy: ["a second owner takes over, and the first is fenced: its writes fail and never land"],
    ownership: "fences",
    plant: ({ backend, inner }) => ({
      open: (context) => {
        backend.owner = undefined;
        return inner.open(context);
      },
      write: async (batch) => {
        await writeUnowned(backend, batch);
        return { bytes: 0 };
      },
    }),
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
    "counts each opening as a version",
    "the high version is never above the highest that was sent",
    (state) => ({ ...state, highVersion: state.highVersion + 1 }),
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
    caughtBy: ["a second owner is refused with LEAKDB_LOCKED, and the first goes on"],
    plant: ({ inner, backend }) => ({
      open: (context) => {
        backend.owner = undefined;
        return inner.open(context);
      },
    }),
  },
  {
    bug: "has a lock that holds within its process alone",
    caughtBy: [
      "an owner in another process keeps this one out while it lives",
      "an owner here keeps another process out",
    ],
    plant: ({ inner, backend, isElsewhere }) => {
      const owners = ownersOf(backend);
      return {
        open: async (context) => {
          if (owners.isElsewhere !== isElsewhere) backend.owner = undefined;
          const state = await inner.open(context);
          owners.isElsewhere = isElsewhere;
          return state;
        },
      };
    },
  },
  {
    bug: "keeps its lock when an opening is aborted",
    caughtBy: ["an opening that is already aborted settles and, if refused, holds nothing back"],
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
    caughtBy: ["a second close resolves too"],
    failsWith: /not open/,
    plant: ({ inner, backend, reference }) => ({
      close: async () => {
        if (backend.owner !== reference) throw new Error("not open");
        await inner.close();
      },
    }),
  },
  {
    bug: "waits at its close for a scan that was left early",
    hangs: true,
    caughtBy: ["a scan that is left early hinders nobody"],
    plant: ({ inner }) => {
      let scans = 0;
      return {
        async *scan(range) {
          scans += 1;
          yield* inner.scan(range);
          scans -= 1;
        },
        close: () => (scans > 0 ? never() : inner.close()),
      };
    },
  },
  {
    bug: "takes writes after its close without a word",
    caughtBy: ["a write after close rejects and stores nothing"],
    plant: ({ inner }) => ({
      write: (batch, options) => inner.write(batch, options).catch(() => ({ bytes: 0 })),
    }),
  },
];

function openBug(
  bug: string,
  caughtBy: string | readonly string[],
  change: (state: AdapterState, backend: ReferenceBackend) => AdapterState,
): BrokenAdapter {
  return {
    bug,
    caughtBy: [caughtBy].flat(),
    plant: ({ inner, backend }) => ({
      open: async (context) => change(await inner.open(context), backend),
    }),
  };
}

const graveyard = remembered((): StoredRecord[] => []);
const ownersOf = remembered(() => ({ isElsewhere: false }));
const keysOf = remembered(() => new Set<string>());
