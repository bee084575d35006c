/** Lets a real process die with storages of every kind, and looks at what it left on the disk. */

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DefaultStorage, PersistentQueueStorage, QueueStorage } from "@leakdb/core";
import { sqlite } from "@leakdb/sqlite";
import { Child, type ChildEnd } from "../faults/child-process.js";
import type { Event, Level, Outcome, StorageName } from "./what-survives.js";

export type Observed = (storage: StorageName, level: Level) => Outcome;

export interface EndedProcess {
  readonly end: ChildEnd;
  readonly observed: Observed;
}

/** One process that ends so, with everything it was to leave. */
export async function endProcess(event: Event): Promise<EndedProcess> {
  const home = mkdtempSync(join(tmpdir(), "leakdb-what-survives-"));
  try {
    const end = await new Child("../journal/dying-service.mjs", [event, home]).end();
    const [kept, done] = await Promise.all([keptIn(home), doneIn(home)]);
    const observed: Observed = (storage, level) => {
      if (!storage.startsWith("QueueStorage")) return kept[storage]?.has(level) ? "survives" : "lost";
      if (!done[storage]?.has(level)) return "lost";
      return level === "stored" ? "done" : "delivered";
    };
    return { end, observed };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

type Keys = { readonly [Name in StorageName]?: ReadonlySet<string> | undefined };

/** The keys that a new opening finds. A `DefaultStorage` leaves nothing where it could. */
async function keptIn(home: string): Promise<Keys> {
  const journal = (name: string) => ({ directory: join(home, `${name}.journal`) });
  const adapter = (name: string) => sqlite({ filename: join(home, `${name}.db`) });
  const [memory, through, behind, journaled] = await Promise.all([
    DefaultStorage.open({ journal: journal("default") }),
    PersistentQueueStorage.open({ adapter: adapter("through") }),
    PersistentQueueStorage.open({ adapter: adapter("behind") }),
    PersistentQueueStorage.open({ adapter: adapter("behind-journal"), journal: journal("behind") }),
  ]);
  const storages = [memory, through, behind, journaled];
  const [memoryKeys, throughKeys, behindKeys, journaledKeys] = storages.map(
    (storage) => new Set(storage.keys()),
  );
  await Promise.all(storages.map((storage) => storage.close()));
  return {
    "DefaultStorage + journal": memoryKeys,
    PersistentStorage: throughKeys,
    PersistentQueueStorage: behindKeys,
    "PersistentQueueStorage + journal": journaledKeys,
  };
}

/** The items that workers were given, by the process or after a new opening. */
async function doneIn(home: string): Promise<Keys> {
  const again: string[] = [];
  const storage = await QueueStorage.open({
    journal: { directory: join(home, "queue.journal") },
    workerProcess: ({ key }) => again.push(key) > 0,
  });
  await storage.close();
  return {
    QueueStorage: new Set(linesOf(join(home, "queue.done"))),
    "QueueStorage + journal": new Set([...linesOf(join(home, "queue-journal.done")), ...again]),
  };
}

function linesOf(file: string): string[] {
  return existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : [];
}
