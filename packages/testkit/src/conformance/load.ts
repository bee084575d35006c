/**
 * Conformance: loading. Every key asked for is answered in its place, exactly, and with what was acknowledged.
 */

import assert from "node:assert/strict";
import type { CaseGroup } from "./conformance-case.js";
import { numberedPuts, put } from "./mutations.js";
import { assertLines, describeRecord } from "./records.js";

export const load: CaseGroup = {
  group: "load",
  cases: [
    {
      name: "answers in the order of the keys asked for, not of those stored",
      body: async (run) => {
        const store = await run.open();
        const [a, b, c] = [put("a", "one", 1), put("b", "two", 2), put("c", "three", 3)] as const;
        await store.write(a, b, c);
        await store.mustLoad([c, a, b], "keys asked for as c, a, b");
      },
    },
    {
      name: "a missing key is undefined in its place",
      body: async (run) => {
        const store = await run.open();
        await store.write(put("a", "one", 1), put("c", "three", 3));
        const found = await store.load("x", "a", "b", "c", "y");
        const lines = found.map((record) => (record === undefined ? "a miss" : describeRecord(record)));
        const expected = ["a miss", "\"a\" @1 = 'one'", "a miss", "\"c\" @3 = 'three'", "a miss"];
        assertLines(lines, expected, "a load of x, a, b, c, y");
      },
    },
    {
      name: "no keys give no records",
      body: async (run) => {
        const store = await run.open();
        await store.write(put("a", "one", 1));
        assert.deepEqual(await store.load(), []);
      },
    },
    {
      name: "a key asked for twice is answered twice",
      body: async (run) => {
        const store = await run.open();
        const [a, b] = [put("a", "one", 1), put("b", "two", 2)] as const;
        await store.write(a, b);
        await store.mustLoad([a, b, a, a, b], "a load of a, b, a, a, b");
        await store.mustMiss(["x", "x"], "a load of an absent key twice");
      },
    },
    {
      name: "the keys asked for stay the caller's, and each answer has bytes of its own",
      body: async (run) => {
        const store = await run.open();
        await store.write(put("a", "one", 1));
        const keys = Object.freeze(["a", "x", "a"]);
        const [first, , second] = await store.adapter.load(keys);
        const [third] = await store.load("a");
        assert.deepEqual(keys, ["a", "x", "a"], "the keys after the load");
        first?.value.fill(9);
        for (const record of [second, third])
          assert.equal(
            record && describeRecord(record),
            "\"a\" @1 = 'one'",
            "another answer to the same key",
          );
      },
    },
    {
      name: "ten thousand keys at once, half of them absent, are each answered",
      body: async (run) => {
        const store = await run.open();
        const puts = numberedPuts(5_000);
        await store.send(puts);
        const keys = puts.flatMap(({ key }) => [key, `${key}-absent`]);
        const found = await store.load(...keys);
        const lines = found.map((record) => (record === undefined ? "a miss" : describeRecord(record)));
        const expected = puts.flatMap((one) => [describeRecord(one), "a miss"]);
        assertLines(lines, expected, "a load of 10,000 keys");
      },
    },
    {
      name: "only the whole key matches",
      body: async (run) => {
        const store = await run.open();
        await store.write(put("key", "one", 1));
        await store.mustMiss(["k", "ke", "key1", "KEY", " key", "key "], "parts and relatives of key");
      },
    },
    {
      name: "each write that has resolved is seen by the next load",
      body: async (run) => {
        const store = await run.open();
        for (let version = 1; version <= 100; version += 1) {
          await store.write(put("a", `value ${version}`, version));
          await store.mustLoad([put("a", `value ${version}`, version)], `after write ${version}`);
        }
      },
    },
    {
      name: "a hundred loads at once each get their own answer",
      body: async (run) => {
        const store = await run.open();
        const puts = numberedPuts(100);
        await store.write(...puts);
        const loads = puts.map((one) => store.mustLoad([one], `a load of ${one.key} among a hundred`));
        await run.settles(Promise.all(loads), "a hundred loads at once");
      },
    },
  ],
};
