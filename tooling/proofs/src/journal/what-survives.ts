/**
 * What survives what, as data: the table of `docs/concepts/what-survives.md` is this one, and every cell of it is a test.
 * A mutation has reached its row's level, and no further, when the event of the column happens.
 */

export const EVENTS = [
  "uncaught error",
  "`process.exit`",
  "SIGTERM",
  "SIGTERM with `closeOnSignal`",
  "SIGKILL",
  "power cut",
  "full disk",
  "backend down",
] as const;

export type Event = (typeof EVENTS)[number];

/** The events that end a process and leave its machine running. */
export const PROCESS_EVENTS = EVENTS.slice(0, 5) as readonly Event[];

export type Level = "memory" | "journaled" | "stored" | "synced";

export const STORAGES = [
  "DefaultStorage",
  "DefaultStorage + journal",
  "QueueStorage",
  "QueueStorage + journal",
  "PersistentStorage",
  "PersistentQueueStorage",
  "PersistentQueueStorage + journal",
] as const;

export type StorageName = (typeof STORAGES)[number];

export type Outcome =
  | "lost"
  | "survives"
  | "as the backend promises"
  | "delivered"
  | "done"
  | "waits"
  | "given back"
  | "untouched";

export interface Row {
  readonly storage: StorageName;
  readonly level: Level;
  /** In the order of `EVENTS`. */
  readonly outcomes: readonly Outcome[];
}

/** A test elsewhere: a file below the root of the repository, and the test's title. */
export interface Citation {
  readonly file: string;
  readonly title: string;
}

/** Five ends of a process, the fourth with `closeOnSignal`; then a power cut, a full disk, a backend that is down. */
function row(
  storage: StorageName,
  level: Level,
  dies: Outcome,
  drains: Outcome,
  ...others: [powerCut: Outcome, fullDisk: Outcome, backendDown: Outcome]
): Row {
  return { storage, level, outcomes: [dies, dies, dies, drains, dies, ...others] };
}

export const ROWS: readonly Row[] = [
  row("DefaultStorage", "memory", "lost", "lost", "lost", "untouched", "untouched"),
  row("DefaultStorage + journal", "memory", "lost", "survives", "lost", "given back", "untouched"),
  row("DefaultStorage + journal", "journaled", "survives", "survives", "survives", "survives", "untouched"),
  row("QueueStorage", "memory", "lost", "delivered", "lost", "untouched", "waits"),
  row("QueueStorage", "stored", "done", "done", "done", "untouched", "done"),
  row("QueueStorage + journal", "memory", "lost", "delivered", "lost", "delivered", "waits"),
  row("QueueStorage + journal", "journaled", "delivered", "delivered", "delivered", "delivered", "waits"),
  row("QueueStorage + journal", "stored", "done", "done", "done", "done", "done"),
  row(
    "PersistentStorage",
    "stored",
    "survives",
    "survives",
    "as the backend promises",
    "survives",
    "survives",
  ),
  row("PersistentStorage", "synced", "survives", "survives", "survives", "survives", "survives"),
  row("PersistentQueueStorage", "memory", "lost", "survives", "lost", "waits", "waits"),
  row(
    "PersistentQueueStorage",
    "stored",
    "survives",
    "survives",
    "as the backend promises",
    "survives",
    "survives",
  ),
  row("PersistentQueueStorage", "synced", "survives", "survives", "survives", "survives", "survives"),
  row("PersistentQueueStorage + journal", "memory", "lost", "survives", "lost", "survives", "waits"),
  row(
    "PersistentQueueStorage + journal",
    "journaled",
    "survives",
    "survives",
    "survives",
    "survives",
    "waits",
  ),
  row(
    "PersistentQueueStorage + journal",
    "stored",
    "survives",
    "survives",
    "survives",
    "survives",
    "survives",
  ),
  row(
    "PersistentQueueStorage + journal",
    "synced",
    "survives",
    "survives",
    "survives",
    "survives",
    "survives",
  ),
];

/** What the backends themselves promise is proved with them, on disks that fail, are full, or tell when they were synced. */
export const PROMISES_OF_BACKENDS: Partial<Record<Event, Partial<Record<Level, readonly Citation[]>>>> = {
  "power cut": {
    stored: [
      {
        file: "packages/sqlite/test/disk.test.ts",
        title: "is reached by sync() under NORMAL, which a write alone does not",
      },
      { file: "packages/sqlite/test/disk.test.ts", title: "is reached by every write under FULL" },
      {
        file: "packages/lmdb/test/disk.test.ts",
        title: "has every write before it is acknowledged: the pages, and then the head that points to them",
      },
    ],
    synced: [
      {
        file: "packages/sqlite/test/disk.test.ts",
        title: "is reached by sync() under NORMAL, which a write alone does not",
      },
    ],
  },
  "full disk": {
    memory: [
      {
        file: "packages/sqlite/test/disk.test.ts",
        title: "that fills up is served again by the next write once there is room",
      },
      {
        file: "packages/lmdb/test/disk.test.ts",
        title: "that fills up is served again by the next write once there is room",
      },
    ],
  },
};

/** The table as it stands in the document. */
export function tableText(): string {
  const header = ["storage", "level", ...EVENTS];
  const lines = [`| ${header.join(" | ")} |`, `|${"---|".repeat(header.length)}`];
  let former = "";
  for (const { storage, level, outcomes } of ROWS) {
    const [name, ...journal] = storage.split(" + ");
    const first = storage === former ? "" : ` ${[`\`${name}\``, ...journal].join(" + ")}`;
    lines.push(`|${first} | \`${level}\` | ${outcomes.join(" | ")} |`);
    former = storage;
  }
  return lines.join("\n");
}
