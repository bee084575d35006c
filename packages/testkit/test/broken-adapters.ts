/**
 * Adapters broken on purpose, each in one way, with the case that must catch it: a suite that misses a planted bug
 * proves nothing.
 */

import {
  type Adapter,
  AdapterError,
  type AdapterState,
  type Mutation,
  type StoredRecord,
} from "@leakdb/core/adapter";
import { type ReferenceBackend, referenceAdapter } from "../src/index.js";

type Batch = readonly Mutation[];
type Page = readonly StoredRecord[];
type Put = Extract<Mutation, { type: "put" }>;

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
  /** What a kill does besides, with the backend as it was when the adapter opened. */
  readonly loseAtKill?: boolean;
}

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

/** Confuses keys, on the way in and in loads. */
function keyBug(bug: string, caughtBy: string, confuse: (key: string) => string): BrokenAdapter {
  return {
    bug,
    caughtBy,
    plant: ({ inner }) => ({
      write: (batch, options) =>
        inner.write(
          batch.map((mutation) =>
            mutation.type === "clear" ? mutation : { ...mutation, key: confuse(mutation.key) },
          ),
          options,
        ),
      load: async (keys) => {
        const records = await inner.load(keys.map(confuse));
        return records.map((record, index) => record && { ...record, key: keys[index] as string });
      },
    }),
  };
}

function pageBug(
  bug: string,
  caughtBy: string,
  rewrite: (pages: readonly Page[]) => readonly Page[],
): BrokenAdapter {
  return {
    bug,
    caughtBy,
    plant: ({ inner }) => ({
      async *scan(range) {
        const pages: Page[] = [];
        for await (const page of inner.scan(range)) pages.push(page);
        yield* rewrite(pages);
      },
    }),
  };
}

function putsChanged(batch: Batch, change: (put: Put) => Put): Batch {
  return batch.map((mutation) => (mutation.type === "put" ? change(mutation) : mutation));
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

const batches: readonly BrokenAdapter[] = [
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

const keys: readonly BrokenAdapter[] = [
  keyBug("merges keys that normalise alike", "keys that normalise alike are kept apart", (key) =>
    key.normalize("NFC"),
  ),
  keyBug("cuts keys at NUL", "keys with NUL in them are kept whole", (key) => key.split("\0")[0] as string),
  keyBug("folds the case of keys", "keys that differ in case alone are kept apart", (key) =>
    key.toLowerCase(),
  ),
  keyBug("trims keys", "keys that differ in spaces alone are kept apart", (key) => key.trimEnd()),
  keyBug("takes keys for numbers", "keys that look like numbers are kept apart as text", (key) =>
    key.trim() === "" || Number.isNaN(Number(key)) ? key : String(Number(key)),
  ),
  keyBug("cuts long keys", "the longest keys are stored, and kept apart by their last byte", (key) =>
    key.slice(0, 1_000),
  ),
];

const scans: readonly BrokenAdapter[] = [
  pageBug(
    "skips a record at each border of a page",
    "every key comes once around the border of a page",
    (pages) => pages.map((page, index) => (index === 0 ? page : page.slice(1))),
  ),
  pageBug(
    "repeats a record at each border of a page",
    "every key comes once around the border of a page",
    (pages) => pages.map((page, index) => [...(pages[index - 1]?.slice(-1) ?? []), ...page]),
  ),
  pageBug("orders keys by UTF-16", "characters past U+FFFF come after all others", (pages) => [
    pages.flat().sort((a, b) => (a.key < b.key ? -1 : 1)),
  ]),
  {
    bug: "includes the key that a scan starts after",
    caughtBy: "after leaves out its own key and all before it, there or not",
    plant: ({ inner }) => ({
      async *scan({ after, ...range }) {
        if (after !== undefined) yield (await inner.load([after])).filter((record) => record !== undefined);
        yield* inner.scan(after === undefined ? range : { ...range, after });
      },
    }),
  },
  {
    bug: "answers a key asked for twice once",
    caughtBy: "a key asked for twice is answered twice",
    plant: ({ inner }) => ({ load: (asked) => inner.load([...new Set(asked)]) }),
  },
  {
    bug: "hands out the stored bytes themselves",
    caughtBy: "changing loaded or scanned bytes changes nothing stored",
    plant: ({ backend }) => ({ load: async (asked) => asked.map((key) => backend.records.get(key)) }),
  },
];

const times: readonly BrokenAdapter[] = [
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

const lives: readonly BrokenAdapter[] = [
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
    bug: "takes writes after its close without a word",
    caughtBy: "a write after close rejects and stores nothing",
    plant: ({ inner }) => ({
      write: (batch, options) => inner.write(batch, options).catch(() => ({ bytes: 0 })),
    }),
  },
];

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

export const brokenAdapters: readonly BrokenAdapter[] = [...batches, ...keys, ...scans, ...times, ...lives];

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
