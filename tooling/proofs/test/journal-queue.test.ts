/** A journal before a worker of the user's: items survive a crash and are delivered at least once, in key order. */

import {
  PersistentQueueStorage,
  type QueueItem,
  QueueStorage,
  type QueueStorageOptions,
  type WorkerContext,
} from "@leakdb/core";
import { referenceAdapter } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { inMemory } from "../src/faults/opened-store.js";
import { thrownBy } from "../src/faults/watched-promise.js";
import { JOURNAL, Machine, turns } from "../src/journal/machine.js";

/** What a worker saw: `a=1`, `-a` for a delete, `!prefix` for a clear. */
function seen({ operation, key, value }: QueueItem): string {
  return { put: `${key}=${value}`, delete: `-${key}`, clear: `!${key}` }[operation];
}

const never = (): Promise<boolean> => new Promise(() => undefined);

/** Opens with a worker that takes everything, and answers what it was given once nothing is left to do. */
async function delivered(machine: Machine, options: Partial<QueueStorageOptions> = {}): Promise<string[]> {
  const items: string[] = [];
  const { storage } = await machine.openQueue({
    workerProcess: (item) => items.push(seen(item)) > 0,
    ...options,
  });
  await storage.flush();
  await storage.close();
  return items;
}

describe("after a crash", () => {
  test("what the worker had not done reaches it, each item, in the order it was made", async () => {
    const machine = new Machine();
    const { storage } = await machine.openQueue<number>({ workerProcess: never });
    storage.set("a", 1);
    storage.set("b", 1);
    storage.set("a", 2);
    storage.delete("b");
    storage.clear({ prefix: "n:" });
    storage.set("a", 3);
    await storage.flush({ level: "journaled" });
    machine.crash();
    expect(await delivered(machine)).toEqual(["a=1", "b=1", "a=2", "-b", "!n:", "a=3"]);
    expect(await delivered(machine)).toEqual([]);
  });

  test("what was journaled while the worker hung is there, and what was not is not claimed", async () => {
    const machine = new Machine();
    const { storage } = await machine.openQueue<number>({ workerProcess: never });
    storage.set("a", 1);
    await storage.flush({ level: "journaled" });
    storage.set("a", 2);
    machine.crash();
    expect(await delivered(machine)).toEqual(["a=1"]);
  });

  test("items that were done a tenth of a second ago are not delivered again", async () => {
    const machine = new Machine();
    const { storage } = await machine.openQueue<number>({ workerProcess: ({ key }) => key !== "stuck" });
    storage.setMulti({ a: 1, stuck: 1, b: 1 });
    await machine.clock.advance(300);
    machine.crash();
    expect(await delivered(machine)).toEqual(["stuck=1"]);
  });

  test("an item that was done just now may come again, and no item is lost", async () => {
    const machine = new Machine();
    const { storage } = await machine.openQueue<number>({ workerProcess: () => true });
    storage.setMulti({ a: 1, b: 1 });
    await storage.flush();
    machine.kill();
    const items = await delivered(machine);
    expect(["a=1", "b=1"]).toEqual(expect.arrayContaining(items));
  });

  test("memory holds what the pending items made of it", async () => {
    const machine = new Machine();
    const { storage } = await machine.openQueue<number>({ workerProcess: never });
    storage.setMulti({ "n:a": 1, b: 1, c: 1 });
    storage.clear({ prefix: "n:" });
    storage.delete("b");
    storage.set("d", 1, { ttl: 1_000 });
    const version = storage.set("c", 2);
    await storage.flush({ level: "journaled" });
    machine.crash({ unsynced: "dropped" }, 5_000);
    const next = await machine.openQueue<number>({ workerProcess: never });
    expect(inMemory(next.storage)).toEqual({ c: 2 });
    expect(next.storage.getEntry("c")?.version).toBe(version);
    expect(next.storage.version).toBe(version);
    expect(next.storage.stats().queue?.waiting).toBe(7);
  });

  test("an item keeps its version and its date", async () => {
    const machine = new Machine();
    const { storage } = await machine.openQueue<number>({ workerProcess: never });
    const madeMs = machine.clock.now();
    const version = storage.set("a", 1);
    await storage.flush({ level: "journaled" });
    machine.kill(3_600_000);
    const items: QueueItem[] = [];
    await (await machine.openQueue({ workerProcess: (item) => items.push(item) > 0 })).storage.flush();
    expect(items).toMatchObject([{ operation: "put", key: "a", value: 1, version, date: new Date(madeMs) }]);
  });

  test("an item with a time to live that is over is delivered all the same: it is an item, not an entry", async () => {
    const machine = new Machine();
    const { storage } = await machine.openQueue<number>({ workerProcess: never });
    storage.set("a", 1, { ttl: 1_000 });
    await storage.flush({ level: "journaled" });
    machine.kill(5_000);
    expect(await delivered(machine)).toEqual(["a=1"]);
  });

  test("several lanes, batches and a coalescing queue keep each key's order", async () => {
    const many: Partial<QueueStorageOptions>[] = [{ workers: 4 }, { workers: 3, coalesce: true }, {}];
    for (const options of many) {
      const machine = new Machine();
      const { storage } = await machine.openQueue<number>({ workerProcess: never, ...options });
      for (let round = 1; round <= 4; round += 1)
        for (let index = 0; index < 10; index += 1) storage.set(`key ${index}`, round);
      await storage.flush({ level: "journaled" });
      machine.crash();
      const items: QueueItem<number>[] = [];
      const workerProcessBatch = (batch: readonly QueueItem[]): boolean =>
        items.push(...(batch as QueueItem<number>[])) > 0;
      await delivered(machine, { ...options, workerProcessBatch });
      for (let index = 0; index < 10; index += 1) {
        const values = items.filter(({ key }) => key === `key ${index}`).map(({ value }) => value);
        expect(values).toEqual(options.coalesce ? [4] : [1, 2, 3, 4]);
      }
    }
  });

  test("copied values reach the worker as they were at the call", async () => {
    const machine = new Machine();
    const { storage } = await machine.openQueue<{ n: number }>({ workerProcess: never, values: "copied" });
    const value = { n: 1 };
    storage.set("a", value);
    value.n = 2;
    await storage.flush({ level: "journaled" });
    machine.crash();
    const items: unknown[] = [];
    const workerProcess = ({ value: each }: QueueItem): boolean => items.push(each) > 0;
    await delivered(machine, { values: "copied", workerProcess });
    expect(items).toEqual([{ n: 1 }]);
  });

  test("a setMulti is all or none of its items", async () => {
    const machine = new Machine();
    const { storage } = await machine.openQueue<number>({ workerProcess: never });
    machine.disk.onOperation = ({ name }) => {
      if (name === "sync") machine.disk.crash({ seed: 3 });
    };
    storage.setMulti({ a: 1, b: 1, c: 1 });
    await turns();
    machine.disk.onOperation = undefined;
    machine.kill();
    expect([0, 3]).toContain((await delivered(machine)).length);
  });

  test("new items queue behind the recovered ones of their key", async () => {
    const machine = new Machine();
    const { storage } = await machine.openQueue<number>({ workerProcess: never });
    storage.set("a", 1);
    await storage.flush({ level: "journaled" });
    machine.crash();
    const items: string[] = [];
    const next = await machine.openQueue<number>({ workerProcess: (item) => items.push(seen(item)) > 0 });
    next.storage.incr("a");
    await next.storage.flush();
    expect(items).toEqual(["a=1", "a=2"]);
  });

  test("a worker that adds to the queue while it works on recovered items loses none of them", async () => {
    const machine = new Machine();
    const { storage } = await machine.openQueue<number>({ workerProcess: never });
    storage.set("page 1", 1);
    await storage.flush({ level: "journaled" });
    for (let life = 0; life < 3; life += 1) {
      machine.crash();
      const { storage: next } = await machine.openQueue<number>({
        workerProcess: ({ value = 0, operation }) => {
          if (operation === "put" && value < 20) next.set(`page ${value + 1}`, value + 1);
          return true;
        },
      });
      await machine.clock.advance(50);
      await next.flush({ level: "journaled" });
    }
    machine.crash();
    const { storage: last } = await machine.openQueue<number>({ workerProcess: () => true });
    expect(last.version).toBeGreaterThan(0);
    await last.idle();
  });
});

describe("the journal of items", () => {
  test("stays short while items are done, however many there are", async () => {
    const machine = new Machine();
    const { storage } = await machine.openQueue<string>(
      { workerProcess: () => true, writeDelay: 0 },
      { maxBytes: 1024 * 1024 },
    );
    for (let round = 0; round < 60; round += 1) {
      storage.set(`key ${round}`, "v".repeat(50_000));
      await storage.flush();
      await machine.clock.advance(150);
    }
    expect(storage.stats().journal?.bytes).toBeLessThan(1024 * 1024);
    machine.crash();
    expect(await delivered(machine)).toEqual([]);
  });

  test("keeps one item that the worker never does, though thousands around it are done", async () => {
    const machine = new Machine();
    const { storage } = await machine.openQueue<string>(
      { workerProcess: ({ key }) => (key === "stuck" ? never() : true), workers: 8, writeTimeout: Infinity },
      { maxBytes: 1024 * 1024 },
    );
    storage.set("stuck", "v");
    for (let round = 0; round < 60; round += 1) {
      if (storage.needDrain) await machine.clock.advance(500);
      for (let each = 0; each < 8; each += 1) storage.set(`other ${round * 8 + each}`, "v".repeat(6_000));
      await machine.clock.advance(150);
    }
    machine.crash();
    const left = await delivered(machine);
    expect(left).toContain("stuck=v");
  });
});

describe("a subclass", () => {
  class Indexer extends QueueStorage<number> {
    readonly items: string[] = [];

    override workerProcess(item: QueueItem<number>, _context: WorkerContext): boolean {
      return this.items.push(seen(item)) > 0;
    }
  }

  test("opened by its own name is one of it, and its worker is given what a crash left", async () => {
    const machine = new Machine();
    const { clock } = machine;
    class Stuck extends QueueStorage<number> {
      override workerProcess(): Promise<boolean> {
        return never();
      }
    }
    const first = await Stuck.open<number>({ clock, journal: machine.journal() });
    first.set("a", 1);
    await first.flush({ level: "journaled" });
    machine.kill();
    const next = (await Indexer.open({ clock: machine.clock, journal: machine.journal() })) as Indexer;
    expect(next).toBeInstanceOf(Indexer);
    await next.flush();
    expect(next.items).toEqual(["a=1"]);
    await next.close();
  });

  test("whose constructor keeps its options to itself is a TypeError, and leaves the journal to others", async () => {
    const machine = new Machine();
    class Mistaken extends Indexer {
      constructor() {
        super({});
      }
    }
    const error = await thrownBy(() => Mistaken.open({ clock: machine.clock, journal: machine.journal() }));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain("super(options)");
    await (await Indexer.open({ clock: machine.clock, journal: machine.journal() })).close();
  });

  test("whose constructor throws leaves the journal to others", async () => {
    const machine = new Machine();
    class Broken extends Indexer {
      constructor(options: QueueStorageOptions<number>) {
        super(options);
        throw new RangeError("a mistake of the subclass");
      }
    }
    const { clock } = machine;
    const error = await thrownBy(() => Broken.open({ clock, journal: machine.journal() } as never));
    expect(error).toBeInstanceOf(RangeError);
    await (await Indexer.open({ clock, journal: machine.journal() })).close();
  });

  test("the journal of a queue is none of a backend's", async () => {
    const machine = new Machine();
    await (await machine.openQueue({ workerProcess: never })).storage.close();
    expect(machine.disk.names(JOURNAL).length).toBeGreaterThanOrEqual(0);
    const { storage } = await machine.openQueue({ workerProcess: never });
    storage.set("a", 1);
    await storage.flush({ level: "journaled" });
    machine.kill();
    const opening = PersistentQueueStorage.open({ adapter: referenceAdapter(), journal: machine.journal() });
    await expect(opening).rejects.toMatchObject({ code: "LEAKDB_CORRUPTION" });
  });
});
