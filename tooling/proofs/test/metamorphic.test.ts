/**
 * Metamorphic: one history of operations, in every storage and on every adapter, has the same answers and ends in the
 * same contents, after a flush and after a reopening. No model is asked: the storages are each other's oracle.
 */

import { DefaultStorage, PersistentQueueStorage, PersistentStorage, QueueStorage } from "@leakdb/core";
import { ManualClock, SimulatedDisk } from "@leakdb/testkit";
import fc from "fast-check";
import { afterAll, test } from "vitest";
import { BACKENDS, type Backend, stopServers } from "../src/metamorphic/backends.js";
import { carryOut, contentsOf, histories, lettingTimePass } from "../src/metamorphic/history.js";
import type { Command } from "../src/model/command.js";
import type { AnyStorage } from "../src/model/perform.js";
import { assertProperty } from "../src/model/property-parameters.js";

const START_MS = 1_780_000_000_000;
/** A backend in memory takes a hundredth of the time of one on a thread. */
const RUNS = { memory: 150, disk: 5 };
/** How long all that waiting may take: every storage is looked at, at one and the same moment of its clock. */
const SETTLING_MS = 30_000;

interface Ending {
  readonly name: string;
  readonly outcomes: readonly string[];
  readonly contents: readonly string[];
}

afterAll(stopServers);

type Open = (backend: Backend, clock: ManualClock, disk: SimulatedDisk) => Promise<AnyStorage>;

const PERSISTENT: Readonly<Record<string, Open>> = {
  "write-behind": (backend, clock) =>
    PersistentQueueStorage.open<unknown>({ adapter: backend.adapter(), clock }),
  "write-behind, each item": (backend, clock) =>
    PersistentQueueStorage.open<unknown>({
      adapter: backend.adapter(),
      clock,
      coalesce: false,
      workers: 3,
      batchMax: 3,
      maxSize: 2,
    }),
  "write-behind with a journal": (backend, clock, disk) =>
    PersistentQueueStorage.open<unknown>({ adapter: backend.adapter(), clock, journal: journalOn(disk) }),
  "write-through": (backend, clock) => PersistentStorage.open<unknown>({ adapter: backend.adapter(), clock }),
};

/** Small enough that segments come and go. */
function journalOn(disk: SimulatedDisk) {
  return { directory: "/journal", maxBytes: 1024 * 1024, files: disk.files };
}

function endOf(history: readonly Command[]): number {
  const passedMs = history.reduce((sum, command) => sum + (command.op === "advance" ? command.ms : 0), 0);
  return START_MS + passedMs + SETTLING_MS;
}

const openJournaled: Open = (_backend, clock, disk) =>
  DefaultStorage.open<unknown>({ clock, journal: journalOn(disk) });

const NO_BACKEND: Backend = {
  adapter: () => {
    throw new Error("there is no backend");
  },
  dispose: () => undefined,
};

function contentsAt(storage: AnyStorage, clock: ManualClock, nowMs: number): string[] {
  if (clock.now() > nowMs) throw new Error(`it took more than ${SETTLING_MS} ms of the clock to settle`);
  clock.set(nowMs);
  return contentsOf(storage);
}

async function endInMemory(history: readonly Command[]): Promise<Ending[]> {
  const storages = {
    DefaultStorage: (clock: ManualClock) => new DefaultStorage<unknown>({ clock }),
    QueueStorage: (clock: ManualClock) => new QueueStorage<unknown>({ clock, workerProcess: () => true }),
  };
  const endings: Ending[] = [];
  for (const [name, make] of Object.entries(storages)) {
    const clock = new ManualClock(START_MS);
    const storage = make(clock);
    const outcomes = await carryOut(history, storage, clock);
    await storage.flush();
    endings.push({ name, outcomes, contents: contentsAt(storage, clock, endOf(history)) });
    await storage.close();
  }
  return endings;
}

/** Two endings: after the flush, and of what a storage opened anew finds. */
async function endOn(
  name: string,
  open: Open,
  backend: Backend,
  history: readonly Command[],
): Promise<Ending[]> {
  const clock = new ManualClock(START_MS);
  const disk = new SimulatedDisk();
  const storage = await open(backend, clock, disk);
  const outcomes = await carryOut(history, storage, clock);
  await lettingTimePass(clock, storage.flush({ timeout: Number.POSITIVE_INFINITY }));
  const flushed = contentsAt(storage, clock, endOf(history));
  await lettingTimePass(clock, storage.close());
  const again = await open(backend, clock, disk);
  // The close took its time as well, on a clock that had been set to the end.
  clock.set(endOf(history));
  const reopened = contentsOf(again);
  await again.close();
  return [
    { name: `${name}, flushed`, outcomes, contents: flushed },
    { name: `${name}, opened again`, outcomes, contents: reopened },
  ];
}

function compare(expected: Ending, actual: Ending): void {
  for (const part of ["outcomes", "contents"] as const) {
    const length = Math.max(expected[part].length, actual[part].length);
    for (let index = 0; index < length; index += 1) {
      const [ours, theirs] = [expected[part][index], actual[part][index]];
      if (ours === theirs) continue;
      throw new Error(
        `${part} ${index}: ${expected.name} has ${ours ?? "no more"}, and ${actual.name} ${theirs ?? "no more"}`,
      );
    }
  }
}

test.each(Object.keys(BACKENDS))(
  "a history ends alike in every storage, over %s",
  {
    timeout: 120_000,
  },
  async (backendName) => {
    const property = fc.asyncProperty(histories(), async (history) => {
      const endings = await endInMemory(history);
      endings.push(...(await endOn("DefaultStorage with a journal", openJournaled, NO_BACKEND, history)));
      for (const [name, open] of Object.entries(PERSISTENT)) {
        const backend = await (BACKENDS[backendName] as () => Promise<Backend> | Backend)();
        try {
          endings.push(...(await endOn(`${name} over ${backendName}`, open, backend, history)));
        } finally {
          await backend.dispose();
        }
      }
      const [first, ...others] = endings;
      for (const other of others) compare(first as Ending, other);
    });
    await assertProperty(property, backendName === "reference" ? RUNS.memory : RUNS.disk);
  },
);
