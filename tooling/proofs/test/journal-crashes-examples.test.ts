/** The smallest runs that once lost, invented or brought back something, or left a journal that could not be opened. */

import { test } from "vitest";
import type { Life, Plan, Setup, Step } from "../src/crashes/crash-plan.js";
import { CrashRun } from "../src/crashes/crash-run.js";

const SETUP: Setup = {
  ...{ kind: "queue", sync: "always", maxMib: 1, isBig: false, coalesce: true, values: "reference" },
  ...{ workers: 1, maxSize: 10_000, batchMax: 10_000, writeDelay: 0, maxAttempts: 3, takesBatches: false },
  ...{ isSyncedApart: true, diskMs: 0, faultSeed: undefined },
};

const set = (key: string, ttl?: number, pad = 0): Step => ({ op: "set", key, pad, ttl });
const setMulti = (keys: readonly string[], pad = 0): Step => ({ op: "setMulti", keys, pad });
const incr = (key: string): Step => ({ op: "incr", key });
const clear = (prefix: string): Step => ({ op: "clear", prefix });
const turns = (count: number): Step => ({ op: "turns", count });
const advance = (ms: number): Step => ({ op: "advance", ms });
const retry: Step = { op: "retry", pick: 0 };
const down: Step = { op: "down" };

function life(steps: readonly Step[], end: Life["end"] = { how: "kill", seed: 0 }): Life {
  return { openings: [], steps, end };
}

function closed(timeout: number, isDown = false): Life["end"] {
  return { how: "close", timeout, isDown, isKilledAfter: false };
}

function plan(setup: Partial<Setup>, ...lives: readonly Life[]): Plan {
  return { setup: { ...SETUP, ...setup }, lives };
}

const RETRIED_BEHIND: readonly Step[] = [
  ...[incr("nb"), { op: "setMany" } as const, { op: "flush", level: "journaled" } as const],
  ...[advance(1), { op: "retry", pick: 3 } as const, advance(600), down],
];

const EXAMPLES: readonly [string, Plan][] = [
  [
    "a queue's dead letter that is retried after a restart keeps its value",
    plan({ maxAttempts: 1 }, life([down, incr("n")], closed(0)), life([])),
  ],
  [
    "a queue's older state is not delivered once a newer one was done or is a dead letter",
    plan(
      { maxAttempts: 1 },
      life([incr("n"), down, turns(1), incr("n")], closed(0)),
      life([], { how: "cut", seed: 1_208_690_590 }),
    ),
  ],
  [
    "a close in vain lets the journal go, though the backend is being opened again",
    plan({ kind: "behind", coalesce: false, faultSeed: 0 }, life([set("a")], closed(10_000, true)), life([])),
  ],
  [
    "what a close gives back stays in the journal, whatever is answered after it",
    plan(
      { sync: "never", faultSeed: 2_147_483_646 },
      life([down, clear("b")], closed(0)),
      life([incr("nb"), clear("m"), set("a", undefined, 10), clear("ab"), set("ba")], closed(50)),
      life([], closed(0, true)),
    ),
  ],
  [
    "an expired record of the backend does not leave the journal's older one in its place",
    plan(
      { kind: "behind", coalesce: false, writeDelay: 20, diskMs: 3 },
      life([setMulti(["ba", "a", "c", "c"]), advance(600)]),
      life([{ op: "full", bytes: 1_751 }, setMulti(["a", "ab", "ab"], 1_000), set("c", 5), advance(20)]),
    ),
  ],
  [
    "a dead letter that is written again after a clear does not undo it",
    plan(
      { kind: "behind", sync: "never", workers: 3, batchMax: 3, maxAttempts: 1, faultSeed: 1_993_424_872 },
      life([], { how: "cut", seed: 452_500_824 }),
      life(
        [
          ...[incr("nb"), set("ba", undefined, 10), set("c"), { op: "setMany" } as const],
          ...[{ op: "flush", level: "synced" } as const, turns(11)],
        ],
        { how: "kill", seed: 1_749_796_076 },
      ),
      life([advance(600)], { how: "close", timeout: 0, isDown: true, isKilledAfter: true }),
      life([clear(""), advance(120)], { how: "cut", seed: 408_247_317 }),
    ),
  ],
  [
    "what a retry has stored is in the journal until the backend has synced it",
    plan(
      { kind: "behind", coalesce: false, workers: 3, batchMax: 1, maxAttempts: 1, faultSeed: 15 },
      life([], { how: "cut", seed: 0 }),
      life(RETRIED_BEHIND, { how: "cut", seed: 742_660_549 }),
    ),
  ],
  [
    "a dead letter whose note is still to be written is not a dead letter once it was retried",
    plan(
      { sync: "never", coalesce: false, maxAttempts: 1, diskMs: 3, faultSeed: 2_066_789_242 },
      life(
        [{ op: "update", key: "abc", pad: 0 }, { op: "update", key: "abc", pad: 0 }, clear("m")],
        closed(10_000, true),
      ),
      life(
        [
          ...[set("ab", undefined, 10), set("c", 40, 1_000), set("a", 40, 300)],
          ...[{ op: "flush", level: "stored" } as const, turns(5)],
          ...[{ op: "retry", pick: 2 } as const, advance(5)],
        ],
        { how: "kill", seed: 925_604_909 },
      ),
    ),
  ],
  [
    "a failed journal that is given up while its directory does not sync can be opened",
    plan(
      { kind: "behind", isBig: true, coalesce: false, maxSize: 2, batchMax: 1, maxAttempts: 1 },
      life([]),
      life(
        [
          {
            ...{ op: "fault", operation: "syncDirectory", nth: 1, times: 3 },
            ...{ partBytes: 0, isApplied: false },
          },
          ...[set("a", undefined, 300), set("a", undefined, 1_000), set("a", undefined, 1_000)],
        ],
        closed(0),
      ),
      life([]),
    ),
  ],
  [
    "a flush of a journal without syncs is rejected once that has failed",
    plan(
      { kind: "default", sync: "never" },
      life(
        [
          ...[set("c", undefined, 300), advance(120), { op: "full", bytes: 20 } as const],
          ...[set("abc", undefined, 1_000), { op: "flush", level: "journaled" } as const],
        ],
        closed(50),
      ),
    ),
  ],
  [
    "a letter that is retried while a segment is left does not go with what is before that",
    plan(
      { sync: "interval", diskMs: 3 },
      life([], { how: "cut", seed: 15 }),
      life([set("c")], { how: "close", timeout: 10_000, isDown: true, isKilledAfter: true }),
      life([incr("n"), turns(5), clear(""), { op: "retry", pick: 3 }, advance(20)]),
    ),
  ],
  [
    "a letter that is retried behind a clear goes behind it",
    plan(
      { maxAttempts: 1, workers: 1 },
      life([set("abc"), down, advance(5), advance(5)]),
      life([clear(""), retry, set("abc"), { op: "delete", key: "abc" }], closed(10_000, true)),
    ),
  ],
];

test.each(EXAMPLES)("%s", async (_name, example) => {
  const breaches = await new CrashRun(example).check();
  if (breaches.length > 0) throw new Error(breaches.join("\n"));
});
