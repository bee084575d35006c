/**
 * Random schedules: user operations, answers of the backend in any order and of any kind, and time, drawn by a seed;
 * then the faults stop, and everything must drain. Checked on the way: what core promises adapters (I1, I2 and the
 * limits of a batch, by the recorder), the bound on what waits (I5), and that each promise settles by its deadline
 * (I10); at the end that a resolved flush means equal contents (I6, I9), and that nothing was lost in silence.
 *
 * `LEAKDB_SEED=17 npx vitest run interleavings` repeats one schedule, `LEAKDB_RUNS` says how many there are.
 */

import type { PersistentQueueStorage, PersistentStorage } from "@leakdb/core";
import { type FaultyAdapter, SeededRandom } from "@leakdb/testkit";
import { afterEach, describe, expect, test, vi } from "vitest";
import { inMemory, type OpenedStore, openBehind, openThrough, stored } from "../src/faults/opened-store.js";
import { watched } from "../src/faults/watched-promise.js";

const RUNS = Number(process.env["LEAKDB_RUNS"] ?? 1_000);
const ONE_SEED = process.env["LEAKDB_SEED"];
const STEPS = 40;
const CAPACITY = 12;
const KEYS = ["a", "aa", "ab", "b", "ba", "c", "d", "__proto__"];

type Store = OpenedStore<PersistentQueueStorage<number> | PersistentStorage<number>>;

function pick<T>(random: SeededRandom, among: readonly T[]): T {
  return among[Math.floor(random.next() * among.length)] as T;
}

function drawOptions(random: SeededRandom): { workers: number; coalesce: boolean; batchMax: number } {
  return {
    workers: 1 + Math.floor(random.next() * 4),
    coalesce: random.chance(0.7),
    batchMax: 1 + Math.floor(random.next() * 4),
  };
}

const QUEUE = {
  maxSize: 3,
  capacity: CAPACITY,
  highWaterMark: 6,
  writeTimeout: 1_000,
  retry: { maxAttempts: 3, backoff: 20, maxBackoff: 200 },
};

/** One operation of the user; what it throws or rejects with is its answer. */
function operate({ storage }: Store, random: SeededRandom): unknown {
  const key = pick(random, KEYS);
  const n = Math.floor(random.next() * 1_000);
  const operations = [
    () => storage.set(key, n),
    () => storage.set(key, n, { ttl: 50 + n }),
    () => storage.incr(key),
    () => storage.delete(key),
    () => storage.delete(key),
    () => storage.add(key, n),
    () => storage.setMulti({ [key]: n, b: n }),
    () => storage.deleteMulti([key, "c"]),
    () => storage.clear({ prefix: pick(random, ["", "a", "b"]) }),
    () => storage.touch(key),
  ];
  return pick(random, operations)();
}

function disturb(faulty: FaultyAdapter, random: SeededRandom): void {
  const kind = pick(random, [
    "transient",
    "ambiguous",
    "ambiguous-after",
    "plain",
    "slow",
    "hang-after",
  ] as const);
  const act = random.next();
  if (act < 0.4) faulty.script("write", kind);
  else if (act < 0.5) faulty.rejectKey(pick(random, KEYS));
  else if (act < 0.6) faulty.refuseKey(pick(random, KEYS));
  else if (act < 0.7) faulty.acceptKey(pick(random, KEYS));
  else if (act < 0.8) faulty.gate.hold({ operation: "write", side: pick(random, ["call", "answer"]) });
  else if (act < 0.9) pick(random, [...faulty.gate.waiting])?.release();
  else if (act < 0.95) faulty.goDown();
  else faulty.goUp();
}

/** Lets the schedule run, with each promise watched; then ends the faults and gives everything time. */
async function play(store: Store, random: SeededRandom): Promise<{ state: string }[]> {
  const { storage, clock, faulty } = store;
  const promises: { state: string }[] = [];
  for (let step = 0; step < STEPS; step += 1) {
    try {
      const answer = operate(store, random);
      if (answer instanceof Promise) promises.push(watched(answer));
    } catch (error) {
      // What throws has changed nothing; whether it may throw is the model's business.
      if (!(error instanceof Error) || !("code" in error)) throw error;
    }
    if (random.chance(0.2)) disturb(faulty, random);
    if (random.chance(0.1)) promises.push(watched(storage.flush({ timeout: 5_000 })));
    if (random.chance(0.1))
      promises.push(watched(storage.persisted(storage.version, "stored", { timeout: 5_000 })));
    if (random.chance(0.3)) await clock.advance(Math.floor(random.next() * 300));
    const waiting = storage.stats().queue?.waiting ?? 0;
    // Each key in the hands of a lane may wait once more, and a clear of everything is always taken.
    expect(waiting).toBeLessThanOrEqual(CAPACITY + KEYS.length + 1);
  }
  faulty.heal();
  for (let second = 0; second < 90; second += 1) await clock.advance(1_000);
  return promises;
}

const seeds =
  ONE_SEED === undefined ? Array.from({ length: RUNS }, (_, index) => index + 1) : [Number(ONE_SEED)];

async function check(seed: number, open: (random: SeededRandom) => Promise<Store>): Promise<void> {
  const random = new SeededRandom(seed);
  const jitter = new SeededRandom(seed + 1_000_000);
  // The jitter of the backoff is the only chance in core.
  vi.spyOn(Math, "random").mockImplementation(() => jitter.next());
  const store = await open(random);
  const { storage, clock, backend, recording, events } = store;
  try {
    const promises = await play(store, random);
    expect(promises.filter(({ state }) => state === "pending")).toEqual([]);
    expect(recording.brokenPromises).toEqual([]);
    // Every letter was announced; given up, its key is written again so that memory and backend can be compared.
    const letters = storage.deadLetters();
    expect(events.of("deadLetter").length).toBeGreaterThanOrEqual(letters.length);
    for (const letter of letters) letter.retry();
    const flushing = watched(storage.flush());
    await clock.advance(30_000);
    expect(flushing.outcome).toBe("resolved");
    expect(storage.deadLetters()).toEqual([]);
    expect(storage.stats().queue?.waiting).toBe(0);
    await settleUncertain(store);
    // Expired records aside: the backend may hold them until somebody sweeps.
    const expired = [...backend.records.values()].filter(
      ({ expiresAt }) => expiresAt !== 0 && expiresAt <= clock.now(),
    );
    for (const { key } of expired) backend.remove(key);
    expect(stored(backend)).toEqual(inMemory(storage));
    const closing = watched(storage.close());
    await clock.advance(60_000);
    expect(closing.outcome).toBe("resolved");
    expect(recording.brokenPromises).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  } catch (error) {
    throw new Error(`repeat it with LEAKDB_SEED=${seed}: ${(error as Error).message}`, { cause: error });
  }
}

/** After a PERHAPS_APPLIED the next operation on a key asks the backend: one on each key makes memory certain. */
async function settleUncertain({ storage, clock }: Store): Promise<void> {
  const answers = KEYS.map((key) => storage.update(key, (value) => value));
  await clock.advance(10_000);
  await Promise.all(answers);
  const flushing = watched(storage.flush());
  await clock.advance(10_000);
  expect(flushing.outcome).toBe("resolved");
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("whatever the backend answers, and in whatever order", () => {
  test(`write-behind loses, reorders and forgets nothing (${seeds.length} schedules)`, async () => {
    for (const seed of seeds)
      await check(seed, (random) => openBehind<number>({ ...QUEUE, ...drawOptions(random) }));
  }, 240_000);

  test(`write-through tells each operation the truth (${seeds.length} schedules)`, async () => {
    const { maxSize: _maxSize, ...queue } = QUEUE;
    for (const seed of seeds) {
      await check(seed, (random) => {
        const { workers, batchMax } = drawOptions(random);
        return openThrough<number>({ ...queue, workers, batchMax: batchMax + 1 });
      });
    }
  }, 240_000);
});
