/** The smallest schedules that have once broken an invariant: each stays, so that it is not found again. */

import { PersistentQueueStorage } from "@leakdb/core";
import { ManualClock, ReferenceBackend } from "@leakdb/testkit";
import { expect, test } from "vitest";
import { outcomeOf } from "../src/model/settled.js";
import { HeldAdapter } from "../src/schedules/held-adapter.js";
import type { Schedule, Shape, Step } from "../src/schedules/schedule.js";
import { ScheduleRun } from "../src/schedules/schedule-run.js";

const shape: Shape = {
  isThrough: false,
  workers: 1,
  coalesce: false,
  maxSize: 1,
  batchMax: 1,
  capacity: 4,
  maxAttempts: 1,
  writeDelay: 0,
};

const set = (key: string): Step => ({ op: "set", key });
const remove = (key: string): Step => ({ op: "delete", key });
const clear = (prefix = ""): Step => ({ op: "clear", prefix });
const setMulti = (...keys: string[]): Step => ({ op: "setMulti", keys });
const advance = (ms: number): Step => ({ op: "advance", ms });
const flush = (timeout: number, isSynced = false): Step => ({ op: "flush", isSynced, timeout });
const persisted = (key: string | undefined): Step => ({
  op: "persisted",
  isSynced: false,
  key,
  timeout: 60_000,
});
const answer = (how: Extract<Step, { op: "answer" }>["how"], pick = 0): Step => ({
  op: "answer",
  pick,
  how,
  index: 0,
});
const glance: Step = { op: "persisted", isSynced: false, key: undefined, timeout: 0 };
const retry: Step = { op: "retry", pick: 0 };

const EXAMPLES: readonly [string, Partial<Shape>, readonly Step[], number?][] = [
  [
    "a close gives back a clear that is held up, and what waits behind it",
    {},
    [set("a"), clear(), set("b")],
    5_000,
  ],
  [
    "a write-through write that was perhaps applied is never said not to be, however long the others take",
    { isThrough: true, workers: 2 },
    [set("a"), set("b"), answer("lost-reply"), advance(250)],
  ],
  [
    "a write-through write that was taken back by its deadline is not sent afterwards",
    { isThrough: true },
    [
      set("a"),
      { op: "poison", key: "ba", how: "thrown" },
      set("c"),
      set("ba"),
      answer("stored"),
      answer("stored"),
      advance(250),
    ],
  ],
  [
    "a write-through flush ends by its deadline, counted from the call",
    { isThrough: true },
    [{ op: "fail", call: "open" }, set("a"), set("b"), flush(50), answer("plain")],
    0,
  ],
  [
    "a write-through wait for a key ends with the operation on it, whatever that came to",
    { isThrough: true },
    [set("a"), set("a"), clear(), persisted("ba"), advance(250)],
  ],
  [
    "a batch with a setMulti keeps to the limit as well",
    { isThrough: true },
    [set("ba"), setMulti("ab", "b"), set("c"), set("a")],
  ],
  ["clears of everything count towards the capacity", {}, Array.from({ length: 12 }, () => clear())],
  ["a clear that finds no room issues no version", {}, [set("a"), set("ab"), set("b"), set("c"), clear("a")]],
  [
    "what a clear has cancelled is no dead letter once the clear is stored",
    { coalesce: true },
    [set("a"), answer("transient"), clear()],
  ],
  [
    "a flush is not done while what it covers is in a clear that is not stored",
    { coalesce: true },
    [set("a"), set("ab"), flush(60_000), clear(), answer("stored"), advance(60)],
  ],
  [
    "a flush ends when a clear has cancelled the last key that was to be tried again",
    { coalesce: true, maxAttempts: 2 },
    [set("a"), set("c"), advance(250), answer("stored"), clear()],
  ],
  [
    "a dead letter that takes the place of an older one fails the flush of the older one too",
    { maxAttempts: 2 },
    [
      ...[set("a"), set("b"), flush(50), remove("b")],
      { op: "poison", key: "b", how: "named" },
      ...[answer("lost-reply"), flush(0), answer("stored"), answer("stored")],
    ],
  ],
  [
    "a clear can be retried although a key named as its prefix has something newer under way",
    {},
    [clear(), clear("a"), answer("stored"), set("a"), answer("permanent"), retry],
  ],
  [
    "a wait for a key fails for its dead letter, also beside an older clear that is tried again",
    {},
    [clear(), answer("permanent"), setMulti("ab"), answer("lost-reply"), retry, persisted("ab")],
  ],
  [
    "a clear that is tried again by hand is not under way at once with a key it covers",
    { workers: 2 },
    [clear(), set("b"), set("a"), answer("permanent"), retry],
    5_000,
  ],
  [
    "with several lanes a clear waits for what another lane has taken and not sent",
    { workers: 2, batchMax: 3, capacity: 1_000 },
    [
      ...[
        setMulti("a"),
        set("a"),
        set("a"),
        setMulti("a"),
        clear(),
        answer("ambiguous", 2),
        answer("rejected", 1),
      ],
      ...[advance(60), answer("permanent", 3), answer("lost-reply", 3), setMulti("a"), set("c")],
    ],
  ],
  [
    "a retried put never undoes a newer delete",
    {},
    [set("a"), answer("ambiguous"), remove("a"), advance(20), retry],
  ],
  [
    "a sync that fails is told of, although nobody waits for it any more",
    {},
    [{ op: "fail", call: "sync" }, setMulti("a"), flush(0, true), advance(0), answer("stored")],
  ],
  [
    "a write-through write that joined one taken back by its deadline goes when that leaves",
    { isThrough: true, maxAttempts: 2 },
    [
      ...[clear(), set("a"), answer("stored"), setMulti("ba"), answer("transient"), set("a")],
      ...[advance(250), flush(60_000)],
    ],
  ],
  [
    "a clear that is refused fails nobody whose writes it has not cancelled",
    {},
    [set("a"), flush(0), set("a"), clear("b"), answer("stored"), answer("stored"), answer("permanent")],
  ],
  [
    "a clear that is refused fails nobody for what another clear has cancelled",
    { coalesce: true },
    [set("a"), flush(60_000), clear("b"), clear("a"), advance(250), answer("permanent")],
  ],
  [
    "a clear tried again by hand waits for what is tried again beside it",
    { workers: 2 },
    [clear(), set("a"), answer("permanent"), answer("transient"), retry],
    0,
  ],
  [
    "a clear stands for what failed in flight and was cancelled by it, also once it is refused",
    { workers: 3, coalesce: true, maxAttempts: 2, maxSize: 10_000 },
    [
      ...[clear(), answer("stored"), answer("stored"), advance(0), answer("stored"), set("a"), set("a")],
      ...[set("a"), answer("stored"), persisted(undefined), answer("stored"), set("c"), answer("stored")],
      ...[answer("stored"), advance(0), clear(), glance, answer("late"), set("a"), answer("stored", 3)],
      ...[set("ab"), advance(0), answer("ambiguous"), advance(0), setMulti("a"), set("a"), remove("a")],
      ...[advance(20), clear("a"), glance, answer("permanent"), retry, answer("stored"), remove("a")],
      ...[set("a"), answer("stored")],
    ],
  ],
];

test.each(EXAMPLES)("%s", async (_name, differences, steps, closeTimeout) => {
  const schedule: Schedule = { shape: { ...shape, ...differences }, steps, closeTimeout };
  expect(await new ScheduleRun(schedule).check()).toEqual([]);
});

test("a flush without a deadline ends when a close gives up", async () => {
  const clock = new ManualClock();
  const adapter = new HeldAdapter({ backend: new ReferenceBackend(), lanesMax: 1, record: [] });
  const storage = await PersistentQueueStorage.open<number>({ adapter, clock });
  storage.set("key", 1);
  const flushed = outcomeOf(storage.flush({ timeout: Number.POSITIVE_INFINITY }));
  const closed = outcomeOf(storage.close({ timeout: 10 }));
  await clock.advance(120_000);
  expect(await closed).toHaveProperty("error.code", "LEAKDB_CLOSE_INCOMPLETE");
  expect(await flushed, "what became of the flush").toBeDefined();
});
