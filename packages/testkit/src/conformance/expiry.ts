/**
 * Conformance: expiry. Core decides what has expired; a backend keeps the moment exactly, and may drop a record only
 * once that moment has passed.
 */

import assert from "node:assert/strict";
import type { CaseGroup } from "./conformance-case.js";
import { clear, numberedPuts, put, remove } from "./mutations.js";
import { describeRecord } from "./records.js";

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
/** The last moment a JavaScript `Date` can hold. */
const END_OF_TIME_MS = 8_640_000_000_000_000;

export const expiry: CaseGroup = {
  group: "expiry",
  cases: [
    {
      name: "a moment to come is kept to the millisecond, over a reopening too",
      body: async (run) => {
        const first = await run.open();
        const now = run.now();
        const puts = [
          put("never", "one", 1, 0),
          put("hour", "two", 2, now + HOUR_MS),
          put("next", "three", 3, now + HOUR_MS + 1),
          put("century", "four", 4, now + 100 * YEAR_MS),
        ];
        await first.write(...puts);
        await first.mustHold(puts, "records that expire in an hour, in a century, and never");
        const second = await run.reopen(first);
        await second.mustHold(puts, "the same after a reopening");
      },
    },
    {
      name: "the last moment there is is kept too",
      body: async (run) => {
        const first = await run.open();
        const puts = [put("end", "one", 1, END_OF_TIME_MS), put("before", "two", 2, END_OF_TIME_MS - 1)];
        await first.write(...puts);
        const second = await run.reopen(first);
        await second.mustHold(puts, "records that expire at the end of time");
      },
    },
    {
      name: "a put without expiry takes an older expiry away",
      body: async (run) => {
        const first = await run.open();
        await first.write(put("a", "one", 1, run.now() + HOUR_MS));
        await first.write(put("a", "one", 2));
        const second = await run.reopen(first);
        await second.mustHold([put("a", "one", 2)], "after a put without expiry");
      },
    },
    {
      name: "a put changes the expiry alone, later and sooner",
      body: async (run) => {
        const store = await run.open();
        const now = run.now();
        await store.write(put("a", "one", 1));
        for (const [index, expiresAt] of [now + HOUR_MS, now + YEAR_MS, now + 2 * HOUR_MS].entries()) {
          await store.write(put("a", "one", index + 2, expiresAt));
          await store.mustHold([put("a", "one", index + 2, expiresAt)], `after expiry ${index + 1}`);
        }
      },
    },
    {
      name: "an older put changes no expiry, and the same put sent again neither",
      body: async (run) => {
        const store = await run.open();
        const now = run.now();
        const newest = put("a", "one", 5, now + 2 * HOUR_MS);
        await store.write(newest);
        await store.send([put("a", "one", 4, now + HOUR_MS)]);
        await store.send([put("a", "one", 3)]);
        await store.write(newest);
        await store.mustHold([newest], "after older puts with other expiries");
      },
    },
    {
      name: "a thousand expiries are kept apart, over two reopenings",
      body: async (run) => {
        const now = run.now();
        const puts = numberedPuts(1_000).map((one, index) => ({
          ...one,
          expiresAt: now + HOUR_MS + index * 997,
        }));
        const first = await run.open();
        await first.send(puts);
        const third = await run.reopen(await run.reopen(first));
        await third.mustHold(puts, "a thousand records that each expire at another moment");
      },
    },
    {
      name: "a put that expired before it was sent again may come as a delete of its version",
      body: async (run) => {
        const store = await run.open();
        await store.write(put("a", "one", 5, run.now() + HOUR_MS), put("b", "two", 6));
        await store.write(remove("a", 5));
        await store.mustHold([put("b", "two", 6)], "after a delete of the put's own version");
        const next = await run.reopen(store);
        await next.mustHold([put("b", "two", 6)], "the same after a reopening");
      },
    },
    {
      name: "records that expire, and those that have, are cleared like any other",
      body: async (run) => {
        const store = await run.open();
        await store.write(
          put("p:1", "one", 1, run.now() + HOUR_MS),
          put("p:2", "two", 2, 1),
          put("q", "three", 3),
        );
        await store.write(clear("p:", 4));
        await store.mustHold([put("q", "three", 3)], "after a clear of expiring records");
      },
    },
    {
      name: "a record whose moment has passed is there unchanged, or gone",
      body: async (run) => {
        const first = await run.open();
        const expired = [put("long ago", "one", 1, 1), put("just now", "two", 2, run.now() - 1)];
        await first.write(...expired, put("live", "three", 3));
        const allowed = new Set([...expired, put("live", "three", 3)].map(describeRecord));
        const second = await run.reopen(first);
        const found = [...(await second.scan()), ...(await second.load("long ago", "just now", "live"))];
        for (const record of found) {
          const line = record === undefined ? undefined : describeRecord(record);
          assert.ok(line === undefined || allowed.has(line), `an expired record came back as ${line}`);
        }
        await second.mustLoad([put("live", "three", 3)], "beside expired records");
      },
    },
    {
      name: "an expired key can be put and deleted like any other",
      body: async (run) => {
        const store = await run.open();
        await store.write(put("a", "one", 1, 1), put("b", "two", 2, 1));
        await store.write(put("a", "again", 3), remove("b", 4));
        await store.mustHold([put("a", "again", 3)], "after a put and a delete of expired keys");
      },
    },
  ],
};
