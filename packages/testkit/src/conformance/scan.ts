/**
 * Conformance: scanning. Every record of the range once, whatever the page size, and nothing else.
 */

import assert from "node:assert/strict";
import type { CaseDefinition, CaseGroup } from "./conformance-case.js";
import { FIRST_VERSION, numberedPuts, put, remove } from "./mutations.js";
import type { OpenStore, ScanRange } from "./open-store.js";
import { assertLines, describeKey } from "./records.js";
import { needsOrder } from "./requirements.js";

/** More than any adapter should put on one page. */
const MANY = 9_000;

async function mustScanKeys(store: OpenStore, range: ScanRange, expected: readonly string[]): Promise<void> {
  const keys = (await store.scanKeys(range)).map(describeKey).sort();
  assertLines(keys, expected.map(describeKey).sort(), `a scan of ${JSON.stringify(range)}`);
}

/** How many records the adapter puts on its first page of many. */
async function pageSize(store: OpenStore): Promise<number> {
  for await (const page of store.adapter.scan({})) if (page.length > 0) return page.length;
  return 0;
}

const ranges: readonly CaseDefinition[] = [
  {
    name: "an empty backend yields no record",
    body: async (run) => {
      const store = await run.open();
      await mustScanKeys(store, {}, []);
      await mustScanKeys(store, { prefix: "a", after: "ab" }, []);
    },
  },
  {
    name: "every record comes with value, version and expiry",
    body: async (run) => {
      const store = await run.open();
      const expected = [put("a", "one", 1), put("b", "", 2), put("c", "three", 3, run.now() + 3_600_000)];
      await store.write(...expected);
      await store.mustScan({}, expected, "three records");
    },
  },
  {
    name: "a prefix selects the keys that start with it, itself included",
    body: async (run) => {
      const store = await run.open();
      const keys = ["a", "ab", "ab:1", "abc", "ac", "b", "ba", "B"];
      await store.write(...keys.map((key, index) => put(key, key, index + 1)));
      await mustScanKeys(store, { prefix: "ab" }, ["ab", "ab:1", "abc"]);
      await mustScanKeys(store, { prefix: "b" }, ["b", "ba"]);
      await mustScanKeys(store, { prefix: "abcd" }, []);
      await mustScanKeys(store, { prefix: "" }, keys);
    },
  },
  {
    name: "a prefix that ends in the last character of its kind selects no more than its own",
    body: async (run) => {
      const store = await run.open();
      const keys = [
        "a\u{10ffff}",
        "a\u{10ffff}b",
        "b",
        "\u{10ffff}",
        "\u{10ffff}\u{10ffff}",
        "a\uffff",
        "a\uffffb",
      ];
      await store.write(...keys.map((key, index) => put(key, key, index + 1)));
      await mustScanKeys(store, { prefix: "a\u{10ffff}" }, ["a\u{10ffff}", "a\u{10ffff}b"]);
      await mustScanKeys(store, { prefix: "\u{10ffff}" }, ["\u{10ffff}", "\u{10ffff}\u{10ffff}"]);
      await mustScanKeys(store, { prefix: "a\uffff" }, ["a\uffff", "a\uffffb"]);
    },
  },
  {
    name: "after leaves out its own key and all before it, there or not",
    body: async (run) => {
      const store = await run.open();
      await store.write(put("a", "one", 1), put("b", "two", 2), put("d", "four", 4));
      await mustScanKeys(store, { after: "b" }, ["d"]);
      await mustScanKeys(store, { after: "c" }, ["d"]);
      await mustScanKeys(store, { after: "0" }, ["a", "b", "d"]);
      await mustScanKeys(store, { after: "d" }, []);
      await mustScanKeys(store, { after: "a\0" }, ["b", "d"]);
    },
  },
  {
    name: "prefix and after narrow each other",
    body: async (run) => {
      const store = await run.open();
      const keys = ["a", "ab1", "ab2", "ab3", "b"];
      await store.write(...keys.map((key, index) => put(key, key, index + 1)));
      await mustScanKeys(store, { prefix: "ab", after: "ab1" }, ["ab2", "ab3"]);
      await mustScanKeys(store, { prefix: "ab", after: "a" }, ["ab1", "ab2", "ab3"]);
      await mustScanKeys(store, { prefix: "ab", after: "ab3" }, []);
      await mustScanKeys(store, { prefix: "ab", after: "b" }, []);
    },
  },
  {
    name: "after outside of the prefix selects all of the prefix, or nothing",
    body: async (run) => {
      const store = await run.open();
      const keys = ["a", "m", "m\0", "m:1", "m:2", "m\u{10ffff}", "n", "z"];
      await store.write(...keys.map((key, index) => put(key, key, index + 1)));
      const all = ["m", "m\0", "m:1", "m:2", "m\u{10ffff}"];
      for (const after of ["\0", "a", "l", "l\u{10ffff}", "M"])
        await mustScanKeys(store, { prefix: "m", after }, all);
      await mustScanKeys(store, { prefix: "m", after: "m" }, all.slice(1));
      for (const after of ["m\u{10ffff}", "n", "z", "\u{10ffff}"])
        await mustScanKeys(store, { prefix: "m", after }, []);
    },
  },
  {
    name: "after goes by the UTF-8 bytes of keys, in whatever order they come",
    body: async (run) => {
      const store = await run.open();
      const keys = ["a", "\u00e9", "\uff5e", "\uffff", "\u{1f600}", "\u{10ffff}"];
      await store.write(...keys.map((key, index) => put(key, key, index + 1)));
      for (const [index, after] of keys.entries())
        await mustScanKeys(store, { after }, keys.slice(index + 1));
    },
  },
];

const pages: readonly CaseDefinition[] = [
  {
    name: "every key comes once around the border of a page",
    body: async (run) => {
      const store = await run.open();
      const puts = numberedPuts(MANY);
      await store.send(puts);
      await store.mustScan({}, puts, `${MANY} records`);
      const page = await pageSize(store);
      let version = FIRST_VERSION + MANY;
      for (const count of [2 * page + 1, 2 * page, page + 1, page, page - 1, 1]) {
        if (count >= MANY || count < 1) continue;
        // Smaller from round to round, so that deletes alone bring the next size about.
        const gone = puts.splice(count);
        await store.send(gone.map(({ key }) => remove(key, ++version)));
        await store.mustScan({}, puts, `${count} records, where a page holds ${page}`);
      }
    },
  },
  {
    name: "a scan resumed after the last key of each page has no gaps and no repeats",
    requires: needsOrder,
    body: async (run) => {
      const store = await run.open();
      const puts = numberedPuts(2_000);
      await store.send(puts);
      const seen: string[] = [];
      for (let after: string | undefined = ""; after !== undefined; ) {
        const range: ScanRange = after === "" ? {} : { after };
        after = undefined;
        for await (const page of store.adapter.scan(range)) {
          seen.push(...page.map(({ key }) => key));
          assert.ok(seen.length <= puts.length, `${describeKey(seen.at(-1) ?? "")} came more than once`);
          after = page.at(-1)?.key;
          if (after !== undefined) break;
        }
      }
      assertLines(
        seen,
        puts.map(({ key }) => key),
        "pages fetched by a scan each",
      );
    },
  },
  {
    name: "a scan that is left early hinders nobody",
    body: async (run) => {
      const store = await run.open();
      const puts = numberedPuts(3_000);
      await store.send(puts);
      for (let round = 0; round < 20; round += 1) {
        for await (const page of store.adapter.scan({})) if (page.length > 0) break;
      }
      await run.settles(
        store.write(put("another", "one", FIRST_VERSION + 9_999)),
        "a write after scans left early",
      );
      await run.close(store);
    },
  },
  {
    name: "a scan that nobody reads hinders nobody",
    body: async (run) => {
      const store = await run.open();
      await store.write(put("a", "one", 1));
      store.adapter.scan({});
      await run.settles(store.write(put("b", "two", 2)), "a write beside a scan that nobody reads");
      await run.close(store);
    },
  },
  {
    name: "two scans at once don't disturb each other",
    body: async (run) => {
      const store = await run.open();
      const puts = numberedPuts(2_000);
      const some = puts.filter(({ key }) => key.startsWith("key-01"));
      await store.send(puts);
      const scans = [
        store.mustScan({}, puts, "the first"),
        store.mustScan({ prefix: "key-01" }, some, "the second"),
      ];
      await run.settles(Promise.all(scans), "two scans at once");
    },
  },
  {
    name: "keys nobody touches come once, while others are written between the pages",
    body: async (run) => {
      const store = await run.open();
      const still = numberedPuts(2_000, FIRST_VERSION, "still-");
      const moving = numberedPuts(2_000, FIRST_VERSION + 2_000, "moving-");
      await store.send([...still, ...moving]);
      const seen: string[] = [];
      let version = FIRST_VERSION + 10_000;
      for await (const page of store.adapter.scan({})) {
        seen.push(...page.map(({ key }) => key).filter((key) => key.startsWith("still-")));
        assert.ok(seen.length <= still.length, `${describeKey(seen.at(-1) ?? "")} came more than once`);
        const gone = moving.splice(0, 20).map(({ key }) => remove(key, ++version));
        const added = put(`moving-new-${version}`, "new", ++version);
        await run.settles(store.send([...gone, added]), "a write between two pages");
      }
      assertLines(
        seen.sort(),
        still.map(({ key }) => key),
        "keys that nobody touched during the scan",
      );
    },
  },
  {
    name: "two scans of the same records yield the same",
    body: async (run) => {
      const store = await run.open();
      await store.send(numberedPuts(1_500));
      const { ordered } = store.adapter.capabilities;
      // A backend without an order may change its own at any time, as a hash table does when it grows.
      const scanned = async (): Promise<string[]> =>
        ordered ? store.scanKeys() : (await store.scanKeys()).sort();
      assert.deepEqual(await scanned(), await scanned());
    },
  },
];

export const scan: CaseGroup = { group: "scan", cases: [...ranges, ...pages] };
