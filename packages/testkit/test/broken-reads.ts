/**
 * Planted bugs that confuse keys, and that change what loads and scans answer.
 */

import type { StoredRecord } from "@leakdb/core/adapter";
import { type BrokenAdapter, never } from "./broken-adapter.js";

type Page = readonly StoredRecord[];

/** Confuses keys, on the way in and in loads. */
function keyBug(
  bug: string,
  caughtBy: string | readonly string[],
  confuse: (key: string) => string,
): BrokenAdapter {
  return {
    bug,
    caughtBy: [caughtBy].flat(),
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
  caughtBy: string | readonly string[],
  rewrite: (pages: readonly Page[]) => readonly Page[],
): BrokenAdapter {
  return {
    bug,
    caughtBy: [caughtBy].flat(),
    plant: ({ inner }) => ({
      async *scan(range) {
        const pages: Page[] = [];
        for await (const page of inner.scan(range)) pages.push(page);
        yield* rewrite(pages);
      },
    }),
  };
}

function loadBug(
  bug: string,
  caughtBy: string,
  rewrite: (records: readonly (StoredRecord | undefined)[]) => (StoredRecord | undefined)[],
): BrokenAdapter {
  return {
    bug,
    caughtBy: [caughtBy],
    plant: ({ inner }) => ({ load: async (keys) => rewrite(await inner.load(keys)) }),
  };
}

const brokenKeys: readonly BrokenAdapter[] = [
  keyBug("merges keys that normalise alike", "keys that normalise alike are kept apart", (key) =>
    key.normalize("NFC"),
  ),
  keyBug("cuts keys at NUL", "keys with NUL in them are kept whole", (key) => key.split("\0")[0] as string),
  keyBug("folds the case of keys", "keys that differ in case alone are kept apart", (key) =>
    key.toLowerCase(),
  ),
  keyBug("trims keys", "keys that differ in spaces alone are kept apart", (key) => key.trimEnd()),
  keyBug('merges "1" with 1, 01 and 1.0', "keys that look like numbers are kept apart as text", (key) =>
    key.trim() === "" || Number.isNaN(Number(key)) ? key : String(Number(key)),
  ),
  keyBug("cuts long keys", "the longest keys are stored, and kept apart by their last byte", (key) =>
    key.slice(0, 1_000),
  ),
];

const brokenLoads: readonly BrokenAdapter[] = [
  {
    bug: "keeps records in a plain object, where __proto__ is none",
    caughtBy: ["keys named like members of objects are ordinary keys"],
    plant: ({ inner }) => ({
      load: async (keys) => {
        const found: Record<string, StoredRecord> = {};
        for (const record of await inner.load(keys)) if (record !== undefined) found[record.key] = record;
        return keys.map((key) => found[key]);
      },
    }),
  },
  loadBug(
    "answers loads in an order of its own",
    "answers in the order of the keys asked for, not of those stored",
    (records) => [...records].sort((a, b) => ((a?.key ?? "") < (b?.key ?? "") ? -1 : 1)),
  ),
  loadBug("leaves misses out of its answer", "a missing key is undefined in its place", (records) =>
    records.filter((record) => record !== undefined),
  ),
  loadBug(
    "gives two answers the same bytes",
    "the keys asked for stay the caller's, and each answer has bytes of its own",
    (records) => records.map((record) => records.find((other) => other?.key === record?.key)),
  ),
  {
    bug: "answers loads after its close",
    caughtBy: ["a load, a scan and a sync after close reject"],
    plant: ({ backend }) => ({ load: async (keys) => keys.map((key) => backend.records.get(key)) }),
  },
];

const brokenScans: readonly BrokenAdapter[] = [
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
  pageBug("ends a scan at its first page", "every key comes once around the border of a page", (pages) =>
    pages.slice(0, 1),
  ),
  pageBug(
    "scans in no order, and declares one",
    "thousands of random keys come in the order of their bytes, also after rewrites and a reopening",
    (pages) => [...pages].reverse().map((page) => [...page].reverse()),
  ),
  {
    bug: "yields its first page for ever",
    caughtBy: ["every record comes with value, version and expiry"],
    plant: ({ inner }) => ({
      async *scan(range) {
        for await (const page of inner.scan(range)) while (page.length > 0) yield page;
      },
    }),
  },
  {
    bug: "never answers a scan of an empty range",
    hangs: true,
    caughtBy: ["an empty backend yields no record"],
    plant: ({ inner }) => ({
      async *scan(range) {
        let isEmpty = true;
        for await (const page of inner.scan(range)) {
          isEmpty = false;
          yield page;
        }
        if (isEmpty) await never();
      },
    }),
  },
  {
    bug: "finds its next page by counting what it has yielded",
    caughtBy: ["keys nobody touches come once, while others are written between the pages"],
    plant: ({ inner }) => ({
      async *scan(range) {
        for (let skipped = 0, isMore = true; isMore; skipped += 100) {
          const all: StoredRecord[] = [];
          for await (const page of inner.scan(range)) all.push(...page);
          yield all.slice(skipped, skipped + 100);
          isMore = all.length > skipped + 100;
        }
      },
    }),
  },
  {
    bug: "forgets the prefix of a scan that starts after a key",
    caughtBy: ["prefix and after narrow each other", "any range of any keys scans those keys, each once"],
    plant: ({ inner }) => ({
      scan: ({ after, ...range }) => inner.scan(after === undefined ? range : { after }),
    }),
  },
  {
    bug: "forgets where to start when that lies outside of the prefix",
    caughtBy: ["after outside of the prefix selects all of the prefix, or nothing"],
    plant: ({ inner }) => ({
      scan: ({ prefix = "", after }) =>
        inner.scan(after?.startsWith(prefix) === true ? { prefix, after } : { prefix }),
    }),
  },
  {
    bug: "compares with the key to start after by UTF-16",
    caughtBy: ["after goes by the UTF-8 bytes of keys, in whatever order they come"],
    plant: ({ inner }) => ({
      async *scan({ after = "", ...range }) {
        for await (const page of inner.scan(range)) yield page.filter(({ key }) => key > after);
      },
    }),
  },
  {
    bug: "includes the key that a scan starts after",
    caughtBy: [
      "after leaves out its own key and all before it, there or not",
      "a scan resumed after the last key of each page has no gaps and no repeats",
    ],
    plant: ({ inner }) => ({
      async *scan({ after, ...range }) {
        if (after !== undefined) yield (await inner.load([after])).filter((record) => record !== undefined);
        yield* inner.scan(after === undefined ? range : { ...range, after });
      },
    }),
  },
  {
    bug: "answers a key asked for twice once",
    caughtBy: ["a key asked for twice is answered twice"],
    plant: ({ inner }) => ({ load: (asked) => inner.load([...new Set(asked)]) }),
  },
  {
    bug: "hands out the stored bytes themselves",
    caughtBy: ["changing loaded or scanned bytes changes nothing stored"],
    plant: ({ backend }) => ({ load: async (asked) => asked.map((key) => backend.records.get(key)) }),
  },
];

export const brokenReads: readonly BrokenAdapter[] = [...brokenKeys, ...brokenLoads, ...brokenScans];
