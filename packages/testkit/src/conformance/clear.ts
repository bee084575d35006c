/**
 * Conformance: clearing. A clear removes exactly the older keys that start with its prefix, at its place in the
 * batch.
 */

import type { Mutation } from "@leakdb/core/adapter";
import type { CaseDefinition, CaseGroup } from "./conformance-case.js";
import { clear as clearOf, FIRST_VERSION, numberedPuts, put, remove } from "./mutations.js";

/** A case that writes keys, clears a prefix, and expects exactly the keys without it to be left. */
function prefixCase(
  name: string,
  prefix: string,
  cleared: readonly string[],
  kept: readonly string[],
): CaseDefinition {
  return {
    name,
    body: async (run) => {
      const store = await run.open();
      const keys = [...cleared, ...kept];
      const puts = keys.map((key, index) => put(key, key, index + 1));
      await store.write(...puts);
      await store.write(clearOf(prefix, keys.length + 1));
      await store.mustHold(puts.slice(cleared.length), `after a clear of ${JSON.stringify(prefix)}`);
    },
  };
}

/** A case that starts from old keys under `p:` and one beside, and sends one batch around a clear of `p:`. */
function batchCase(name: string, batch: readonly Mutation[], left: readonly Mutation[]): CaseDefinition {
  return {
    name,
    body: async (run) => {
      const store = await run.open();
      await store.write(put("p:old", "old", 1), put("q", "beside", 2));
      await store.write(...batch);
      const puts = left.filter((mutation) => mutation.type === "put");
      await store.mustHold([put("q", "beside", 2), ...puts], "after a batch with a clear in it");
    },
  };
}

const prefixes: readonly CaseDefinition[] = [
  prefixCase("a clear of everything leaves nothing", "", ["a", "b", "\0", "\u{10ffff}", " "], []),
  prefixCase(
    "a prefix clears its own keys alone",
    "a",
    ["a", "aa", "ab", "a\u{10ffff}"],
    ["A", "b", "ba", "`", "á"],
  ),
  prefixCase(
    "a prefix longer than a key leaves that key",
    "abc",
    ["abc", "abcd"],
    ["a", "ab", "abd", "abb\u{10ffff}"],
  ),
  prefixCase("a prefix that nothing starts with clears nothing", "zz", [], ["z", "y", "za", "zy", "{"]),
  prefixCase(
    "a prefix that ends in U+10FFFF or U+FFFF clears its own keys alone",
    "a\u{10ffff}",
    ["a\u{10ffff}", "a\u{10ffff}b"],
    ["a", "a\uffff", "b", "b\u{10ffff}", "\u{10ffff}"],
  ),
  prefixCase(
    "a prefix that ends in U+FFFF leaves what comes after it",
    "\uffff",
    ["\uffff", "\uffffa"],
    ["😀", "a"],
  ),
  prefixCase("an emoji as prefix leaves one that shares half of it", "😀", ["😀", "😀a"], ["😁", "😁a", "a"]),
  prefixCase(
    "a prefix with NUL clears what follows it alone",
    "a\0",
    ["a\0", "a\0b"],
    ["a", "ab", "a\u0001"],
  ),
];

const inBatches: readonly CaseDefinition[] = [
  batchCase("a clear removes the puts before it in its batch", [put("p:1", "one", 3), clearOf("p:", 4)], []),
  batchCase(
    "a clear leaves the puts after it in its batch",
    [clearOf("p:", 3), put("p:1", "one", 4)],
    [put("p:1", "one", 4)],
  ),
  batchCase(
    "a clear stands between the puts of one batch, and a key may be on both sides",
    [
      put("p:1", "one", 3),
      put("p:2", "two", 4),
      clearOf("p:", 5),
      put("p:2", "again", 6),
      put("p:3", "three", 7),
    ],
    [put("p:2", "again", 6), put("p:3", "three", 7)],
  ),
  batchCase(
    "two clears in one batch, one inside the other's prefix, each take their turn",
    [
      put("p:a:1", "one", 3),
      clearOf("p:a:", 4),
      put("p:a:2", "two", 5),
      clearOf("p:", 6),
      put("p:a:3", "three", 7),
    ],
    [put("p:a:3", "three", 7)],
  ),
  batchCase(
    "puts, a delete and a clear of one key in one batch leave what came last",
    [put("p:1", "one", 3), clearOf("p:", 4), put("p:1", "two", 5), clearOf("r", 6), remove("p:1", 7)],
    [],
  ),
  batchCase(
    "a clear of everything in the middle of a batch leaves newer keys",
    [clearOf("p", 3), put("r", "one", 4)],
    [put("r", "one", 4)],
  ),
];

const wholes: readonly CaseDefinition[] = [
  {
    name: "clears of an empty backend, and twice, are no error",
    body: async (run) => {
      const store = await run.open();
      await store.write(clearOf("", 1), clearOf("a", 2));
      await store.write(put("a", "one", 3), put("b", "two", 4));
      await store.write(clearOf("a", 5));
      await store.write(clearOf("a", 6));
      await store.mustHold([put("b", "two", 4)], "after a prefix was cleared twice");
    },
  },
  {
    name: "thousands of keys are cleared by one mutation, their neighbours kept",
    body: async (run) => {
      const store = await run.open();
      const kept = [put("many", "before", 1), put("many;", "after", 2)];
      await store.send([...kept, ...numberedPuts(8_000, FIRST_VERSION, "many:")]);
      await store.write(clearOf("many:", FIRST_VERSION + 8_000));
      await store.mustHold(kept, "after a clear of 8,000 keys");
    },
  },
  {
    name: "what was cleared stays gone after a reopening",
    body: async (run) => {
      const first = await run.open();
      await first.write(put("a:1", "one", 1), put("b:1", "two", 2));
      await first.write(clearOf("a:", 3));
      const second = await run.reopen(first);
      await second.mustHold([put("b:1", "two", 2)], "after a clear and a reopening");
    },
  },
];

export const clear: CaseGroup = { group: "clear", cases: [...prefixes, ...inBatches, ...wholes] };
