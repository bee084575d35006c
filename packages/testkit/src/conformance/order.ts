/**
 * Conformance: the order of keys, by their UTF-8 bytes, for adapters that declare `ordered`.
 */

import { SeededRandom } from "../seeded-random.js";
import { compareUtf8 } from "../utf8-order.js";
import type { CaseDefinition, CaseGroup } from "./conformance-case.js";
import { FIRST_VERSION, put, remove } from "./mutations.js";
import { assertLines, describeKey } from "./records.js";
import { needsOrder } from "./requirements.js";

/** A case that writes keys in the reverse of their order and expects them back in order, whole and after each. */
function orderCase(name: string, keys: readonly string[]): CaseDefinition {
  return {
    name,
    requires: needsOrder,
    body: async (run) => {
      const store = await run.open();
      const puts = keys.map((key, index) => put(key, key, index + 1));
      for (const one of puts.reverse()) await store.write(one);
      const expected = keys.map(describeKey);
      assertLines((await store.scanKeys()).map(describeKey), expected, "a scan of all keys");
      for (const [index, after] of keys.entries()) {
        const rest = (await store.scanKeys({ after })).map(describeKey);
        assertLines(rest, expected.slice(index + 1), `a scan after ${describeKey(after)}`);
      }
    },
  };
}

function randomKeys(count: number, seed: number): string[] {
  const random = new SeededRandom(seed);
  const characters = [
    "\0",
    " ",
    "/",
    "0",
    "A",
    "Z",
    "a",
    "z",
    "~",
    "é",
    "\u0301",
    "中",
    "\uffff",
    "～",
    "😀",
    "𝄞",
  ];
  const keys = new Set<string>();
  while (keys.size < count) {
    keys.add(Array.from({ length: random.integer(1, 6) }, () => random.pick(characters)).join(""));
  }
  return [...keys];
}

export const order: CaseGroup = {
  group: "order",
  cases: [
    orderCase("capitals come before small letters, and digits before both", [
      "0",
      "9",
      "A",
      "Z",
      "_",
      "a",
      "z",
    ]),
    orderCase("digits count as characters, not as numbers", ["1", "10", "11", "2", "20", "9"]),
    orderCase("a key comes before those that it starts", ["a", "a\0", "a\0b", "a ", "aa", "ab", "b"]),
    orderCase("characters past U+FFFF come after all others", [
      "z",
      "é",
      "中",
      "\uff5e",
      "\uffff",
      "😀",
      "\u{10ffff}",
    ]),
    {
      name: "thousands of random keys come in the order of their bytes, also after rewrites and a reopening",
      requires: needsOrder,
      body: async (run) => {
        const first = await run.open();
        const keys = randomKeys(3_000, 3);
        let version = FIRST_VERSION;
        await first.send(keys.map((key) => put(key, "one", ++version)));
        const gone = new Set(keys.filter((_, index) => index % 3 === 0));
        await first.send([...gone].map((key) => remove(key, ++version)));
        const kept = keys.filter((key) => !gone.has(key));
        await first.send(kept.slice(0, 500).map((key) => put(key, "two", ++version)));
        const expected = kept.sort(compareUtf8).map(describeKey);
        assertLines((await first.scanKeys()).map(describeKey), expected, "a scan of the keys of seed 3");
        const second = await run.reopen(first);
        assertLines((await second.scanKeys()).map(describeKey), expected, "the same after a reopening");
      },
    },
    {
      name: "a prefix keeps the order",
      requires: needsOrder,
      body: async (run) => {
        const store = await run.open();
        const keys = randomKeys(500, 4).map((key) => `in:${key}`);
        await store.send(keys.map((key, index) => put(key, "one", index + 1)));
        await store.send(["in", "in;", "io:"].map((key, index) => put(key, "out", 1_000 + index)));
        const expected = keys.sort(compareUtf8).map(describeKey);
        assertLines(
          (await store.scanKeys({ prefix: "in:" })).map(describeKey),
          expected,
          "a scan of prefix in:",
        );
      },
    },
  ],
};
