/**
 * A random history of one storage over several lives, each ended by SIGKILL or a power cut at a random moment. After each it
 * must hold what memory held at the end of some turn, and of none before the last that was acknowledged (I7); and once all is
 * flushed the backend holds what memory does (I9).
 *
 *     life 1: turn 1, turn 2 (acknowledged), turn 3, turn 4 ─ crash ─▶ life 2 holds turn 2, 3 or 4, whole
 */

import {
  type DefaultStorage,
  isLeakDBError,
  type JournalOptions,
  type PersistentQueueStorage,
} from "@leakdb/core";
import { type FaultyAdapter, SeededRandom } from "@leakdb/testkit";
import { Machine, turns } from "./machine.js";

type Storage = DefaultStorage<unknown> | PersistentQueueStorage<unknown>;

/** A line for each entry, with its moment of expiry. */
type Moment = readonly { readonly text: string; readonly expiresAt: number }[];

interface Living {
  readonly storage: Storage;
  readonly faulty?: FaultyAdapter;
}

const KEYS = ["a", "b", "n:a", "n:b", "n:m:a", "z"];
const LIVES = 3;

/** Rejects with what is wrong, and the seed that repeats it. */
export async function liveThrough(seed: number, isBehind: boolean): Promise<void> {
  const random = new SeededRandom(seed);
  const machine = new Machine();
  const journal: Partial<JournalOptions> = {
    ...{ sync: random.chance(0.7) ? "always" : "interval", interval: 50, maxBytes: 1024 * 1024 },
  };
  const queue = { coalesce: random.chance(0.7), workers: random.integer(1, 3), writeDelay: 20, batchMax: 5 };
  const open = (): Promise<Living> =>
    isBehind ? machine.openBehind(queue, journal) : machine.openDefault(journal);
  let possible: readonly Moment[] = [[]];
  for (let life = 1; life <= LIVES; life += 1) {
    const living = await open();
    requireOneOf(possible, living.storage, machine.clock.now(), `seed ${seed}, life ${life}`);
    possible = await liveOnce(machine, living, random);
    const downMs = random.integer(0, 300);
    if (random.chance(0.3)) machine.kill(downMs);
    else machine.crash({ seed: random.integer(0, 1_000_000) }, downMs);
  }
  const last = await open();
  requireOneOf(possible, last.storage, machine.clock.now(), `seed ${seed}, after the last life`);
  const held = momentOf(last.storage);
  await last.storage.close();
  if (!isBehind) return;
  // The backend alone must do now: the journal has been emptied.
  const { storage } = await open();
  requireOneOf([held], storage, machine.clock.now(), `seed ${seed}, from the backend`);
}

/** Turns of random length; answers what the next life may find. */
async function liveOnce(
  machine: Machine,
  { storage, faulty }: Living,
  random: SeededRandom,
): Promise<Moment[]> {
  let possible = [momentOf(storage)];
  for (let turn = random.integer(1, 25); turn > 0; turn -= 1) {
    for (let calls = random.integer(1, 4); calls > 0; calls -= 1) mutate(storage, machine, random);
    possible.push(momentOf(storage));
    if (faulty !== undefined && random.chance(0.1)) faulty.goDown();
    else faulty?.goUp();
    const next = random.next();
    if (next < 0.2) await machine.clock.advance(random.integer(0, 120));
    else if (next < 0.4) {
      await storage.flush({ level: "journaled" });
      possible = possible.slice(-1);
    } else await turns(random.integer(0, 6));
  }
  return possible;
}

function mutate(storage: Storage, { clock }: Machine, random: SeededRandom): void {
  const key = KEYS[random.integer(0, KEYS.length - 1)] as string;
  const value = `${random.integer(0, 1_000_000)}`.padEnd(random.chance(0.1) ? 40_000 : 6);
  const calls = [
    () => storage.set(key, value),
    () => storage.set(key, value, { expiresAt: clock.now() + random.integer(1, 400) }),
    () => storage.setMulti({ [key]: value, a: value, z: value }),
    () => storage.touch(key, { ttl: random.integer(1, 400) }),
    () => storage.delete(key),
    () => storage.deleteMulti(["a", key]),
    () => storage.clear({ prefix: ["", "n:", "n:m:", "z"][random.integer(0, 3)] }),
  ];
  try {
    calls[random.integer(0, calls.length - 1)]?.();
  } catch (error) {
    if (!isLeakDBError(error) || error.code !== "LEAKDB_QUEUE_FULL") throw error;
  }
}

function momentOf(storage: Storage): Moment {
  return [...storage.keys({ prefix: "" })].flatMap((key) => {
    const entry = storage.getEntry(key);
    if (entry === undefined) return [];
    return [
      { text: `${key}@${entry.version}=${entry.value}`.trimEnd(), expiresAt: entry.expiresAt ?? Infinity },
    ];
  });
}

/** The entries that live on at that moment. */
function textOf(moment: Moment, nowMs: number): string {
  return moment
    .filter(({ expiresAt }) => expiresAt > nowMs)
    .map(({ text, expiresAt }) => `${text} until ${expiresAt}`)
    .join("\n");
}

function requireOneOf(possible: readonly Moment[], storage: Storage, nowMs: number, place: string): void {
  const found = textOf(momentOf(storage), nowMs);
  const known = possible.map((moment) => textOf(moment, nowMs));
  if (known.includes(found)) return;
  throw new Error(`${place}: found\n${found}\nwhich is none of\n${known.join("\n--\n")}`);
}
