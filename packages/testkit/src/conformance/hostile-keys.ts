/**
 * Conformance: hostile keys. Any well-formed string is a key; none means anything to a backend, and those that look
 * alike are kept apart.
 */

import type { CaseDefinition } from "./conformance-case.js";
import { clear, put, remove } from "./mutations.js";

/** A case that stores keys together, then deletes every other one, and expects each to stand for itself alone. */
function keysCase(name: string, keys: readonly string[]): CaseDefinition {
  return {
    name,
    body: async (run) => {
      const first = await run.open();
      const puts = keys.map((key, index) => put(key, `value ${index}`, index + 1));
      await first.mustMiss(keys, "before anything was written");
      await first.write(...puts);
      await first.mustHold(puts, "after all were put");
      const left = puts.filter((_, index) => index % 2 === 1);
      let version = keys.length;
      for (const { key } of puts.filter((one) => !left.includes(one)))
        await first.write(remove(key, ++version));
      await first.mustHold(left, "after every other one was deleted");
      const second = await run.reopen(first);
      await second.mustHold(left, "after a reopening");
      for (const { key } of left)
        await second.mustScan({ prefix: key }, startingWith(left, key), "each as a prefix");
    },
  };
}

/** A case that scans and clears by prefixes a backend might take for patterns. */
function prefixesCase(name: string, prefixes: readonly string[]): CaseDefinition {
  return {
    name,
    body: async (run) => {
      const store = await run.open();
      let version = 0;
      const plain = ["a", "ab", "abc", "b", "B", "1", "x", "é"].map((key) => put(key, key, ++version));
      const own = prefixes.map((prefix) => put(`${prefix}own`, prefix, ++version));
      await store.write(...plain, ...own);
      let left = [...plain, ...own];
      for (const prefix of prefixes)
        await store.mustScan({ prefix }, startingWith(left, prefix), "before the clears");
      for (const prefix of prefixes) {
        await store.write(clear(prefix, ++version));
        const gone = startingWith(left, prefix);
        left = left.filter((one) => !gone.includes(one));
        await store.mustHold(left, `after a clear of ${JSON.stringify(prefix)}`);
      }
    },
  };
}

function startingWith<T extends { readonly key: string }>(records: readonly T[], prefix: string): T[] {
  return records.filter(({ key }) => key.startsWith(prefix));
}

export const hostileKeys: readonly CaseDefinition[] = [
  keysCase("keys named like members of objects are ordinary keys", [
    "__proto__",
    "constructor",
    "prototype",
    "hasOwnProperty",
    "toString",
    "valueOf",
    "then",
    "__defineGetter__",
    "length",
  ]),
  keysCase("keys that look like numbers are kept apart as text", [
    "1",
    "01",
    "1.0",
    "1e0",
    "+1",
    "0",
    "-0",
    "00",
    "9007199254740993",
    "9007199254740992",
    "0x1",
    "1n",
    "NaN",
    "Infinity",
  ]),
  keysCase("keys that look like literals are text", [
    "null",
    "undefined",
    "true",
    "false",
    "{}",
    "[]",
    '""',
    "NULL",
  ]),
  keysCase("keys with NUL in them are kept whole", [
    "a",
    "a\0",
    "a\0\0",
    "a\0b",
    "a\0c",
    "\0",
    "\0\0",
    "\0a",
    "b",
  ]),
  keysCase("keys with control characters are kept apart", [
    "a",
    "a\n",
    "a\r",
    "a\r\n",
    "a\t",
    "a\x1b[0m",
    "a\x7f",
    "\b",
  ]),
  keysCase("keys that normalise alike are kept apart", [
    "\u00e9",
    "e\u0301",
    "\u212b",
    "\u00c5",
    "A\u030a",
    "\ufb01",
    "fi",
    "\u2126",
    "\u03a9",
    "\u00b5",
    "\u03bc",
  ]),
  keysCase("keys that differ in case alone are kept apart", [
    "a",
    "A",
    "\u00df",
    "ss",
    "SS",
    "\u1e9e",
    "i",
    "I",
    "\u0130",
    "\u0131",
    "\u00e9",
    "\u00c9",
    "k",
    "\u212a",
  ]),
  keysCase("keys that differ in spaces alone are kept apart", [
    "a",
    " a",
    "a ",
    "a  ",
    "\ta",
    "a\u00a0",
    "a\u200b",
    "\ufeffa",
    "\u2003a",
    " ",
    "  ",
  ]),
  keysCase("keys of characters past U+FFFF, and the last of each kind, are kept whole", [
    "😀",
    "😁",
    "👩‍👩‍👧",
    "👩",
    "\u{1f468}\u200d",
    "\u{10000}",
    "\u{10ffff}",
    "\uffff",
    "\ufffd",
    "\ud7ff",
    "\ue000",
    "\uff5e",
  ]),
  keysCase("keys with quotes, backslashes and statements are text", [
    "'",
    '"',
    "`",
    "\\",
    "\\\\",
    "\\0",
    "\\u0000",
    "'; DROP TABLE records; --",
    "a' OR '1'='1",
    "\u0024{a}",
    "%s",
    "%00",
    "$1",
    "?",
    ":a",
  ]),
  keysCase("keys that look like paths are text", [
    "/",
    "a/b",
    "a//b",
    "../a",
    ".",
    "..",
    "C:\\a",
    "a/",
    "/a",
    "~",
  ]),
  keysCase("keys with braces and colons, as servers group by, are text", [
    "{a}b",
    "{a}",
    "a",
    "{}",
    "a{b}c",
    "a:b",
    ":",
  ]),
  keysCase("keys that an adapter might keep for itself are ordinary keys", [
    "storeId",
    "store_id",
    "highVersion",
    "version",
    "epoch",
    "owner",
    "meta",
    "leakdb",
    "leakdb:meta",
    "__leakdb__",
    "\0meta",
    "\0storeId",
    "\0highVersion",
    "\uffffmeta",
    "lock",
  ]),
  prefixesCase("wildcards in a prefix match nothing but themselves", [
    "%",
    "_",
    "*",
    "?",
    "a%",
    "a_",
    "a*",
    "?b",
    "%b%",
  ]),
  prefixesCase("classes and escapes in a prefix match nothing but themselves", [
    "[a-z]",
    "[^x]",
    "[",
    "]",
    "\\",
    "\\%",
    "\\*",
    "^a",
    "a$",
    ".",
    ".*",
    "(a|b)",
    "{a,b}",
    "a|b",
    "'",
    '"',
  ]),
];
