/**
 * Planted bugs that confuse keys, and that change what loads and scans answer.
 */

import type { StoredRecord } from "@leakdb/core/adapter";
import type { BrokenAdapter } from "./broken-adapter.js";

type Page = readonly StoredRecord[];

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

const brokenKeys: readonly BrokenAdapter[] = [
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

export const brokenReads: readonly BrokenAdapter[] = [...brokenKeys, ...brokenScans];
