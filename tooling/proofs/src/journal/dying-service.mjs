/**
 * A service with one storage of each kind, over SQLite and journals in real directories: it brings a mutation to each level
 * that a storage has, makes one more that is in memory alone, and dies in the same turn, in the way of its first argument.
 */

import { appendFileSync } from "node:fs";
import { join } from "node:path";
import {
  closeOnSignal,
  DefaultStorage,
  PersistentQueueStorage,
  PersistentStorage,
  QueueStorage,
} from "@leakdb/core";
import { sqlite } from "@leakdb/sqlite";

const [event, home] = process.argv.slice(2);
/** Nothing goes to a backend or a worker by itself. */
const writeDelay = 3_600_000;

const adapter = (name) => sqlite({ filename: join(home, `${name}.db`) });
const journal = (name) => ({ directory: join(home, `${name}.journal`) });
const worker = (name) => ({
  writeDelay,
  workerProcess({ key }) {
    appendFileSync(join(home, `${name}.done`), `${key}\n`);
    return true;
  },
});

const storages = {
  default: new DefaultStorage(),
  "default-journal": await DefaultStorage.open({ journal: journal("default") }),
  queue: new QueueStorage(worker("queue")),
  "queue-journal": await QueueStorage.open({ ...worker("queue-journal"), journal: journal("queue") }),
  through: await PersistentStorage.open({ adapter: adapter("through") }),
  behind: await PersistentQueueStorage.open({ adapter: adapter("behind"), writeDelay }),
  "behind-journal": await PersistentQueueStorage.open({
    ...{ adapter: adapter("behind-journal"), journal: journal("behind"), writeDelay },
  }),
};

const REACHED = {
  "default-journal": ["journaled"],
  queue: ["stored"],
  "queue-journal": ["stored", "journaled"],
  through: ["synced", "stored"],
  behind: ["synced", "stored"],
  "behind-journal": ["synced", "stored", "journaled"],
};

async function reach(storage, levels) {
  for (const level of levels) {
    await storage.set(level, level);
    await storage.flush({ level });
  }
}

const ENDS = {
  "uncaught error": () => {
    throw new Error("nobody catches this");
  },
  "`process.exit`": () => process.exit(0),
  SIGTERM: () => signal("SIGTERM"),
  SIGKILL: () => signal("SIGKILL"),
  "SIGTERM with `closeOnSignal`": () => {
    const close = (options) => Promise.all(Object.values(storages).map((storage) => storage.close(options)));
    closeOnSignal({ close });
    setInterval(() => undefined, 1_000);
    process.kill(process.pid, "SIGTERM");
  },
};

/** The turn does not end before the process does. */
function signal(name) {
  process.kill(process.pid, name);
  for (;;);
}

await Promise.all(Object.entries(REACHED).map(([name, levels]) => reach(storages[name], levels)));
for (const [name, storage] of Object.entries(storages))
  if (name !== "through") storage.set("memory", "memory");
ENDS[event]();
