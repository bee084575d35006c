/** The option `journal`: who takes it, what it may be, that a mistake opens and changes nothing, and that one owner has it. */

import { DefaultStorage, PersistentQueueStorage, PersistentStorage, QueueStorage } from "@leakdb/core";
import { referenceAdapter } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { inMemory } from "../src/faults/opened-store.js";
import { thrownBy } from "../src/faults/watched-promise.js";
import { JOURNAL, Machine } from "../src/journal/machine.js";

const workerProcess = (): boolean => true;

describe("constructors", () => {
  test.each([
    ["DefaultStorage", (journal: object) => new DefaultStorage({ journal } as never)],
    ["QueueStorage", (journal: object) => new QueueStorage({ journal, workerProcess } as never)],
  ])("of %s refuse a journal with a TypeError that names open", async (name, construct) => {
    const machine = new Machine();
    const error = await thrownBy(() => construct(machine.journal()));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain(`${name}.open`);
    expect(machine.disk.count()).toBe(0);
  });

  test("take options without one as before, and so does open", async () => {
    const storage = await DefaultStorage.open<number>();
    storage.set("a", 1);
    await storage.flush();
    expect(storage.stats().journal).toBeUndefined();
    await storage.close();
    const queue = await QueueStorage.open({ workerProcess });
    queue.set("a", 1);
    await queue.close();
    expect(await thrownBy(() => storage.persisted(0, "journaled"))).toMatchObject({
      code: "LEAKDB_NOT_SUPPORTED",
    });
  });
});

test("PersistentStorage needs no journal, and says so, before it opens anything", async () => {
  const machine = new Machine();
  const options = { adapter: referenceAdapter({ backend: machine.backend }), journal: machine.journal() };
  const error = await thrownBy(() => PersistentStorage.open(options as never));
  expect(error).toMatchObject({ code: "LEAKDB_NOT_SUPPORTED" });
  expect(error.message).toContain("needs no journal");
  expect(machine.disk.count()).toBe(0);
  expect(machine.backend.owner).toBeUndefined();
});

describe("journaled without a journal", () => {
  test("is LEAKDB_NOT_SUPPORTED in persisted and flush of every storage", async () => {
    const adapter = referenceAdapter();
    const storages = [
      new DefaultStorage(),
      new QueueStorage({ workerProcess }),
      await PersistentQueueStorage.open({ adapter }),
      await PersistentStorage.open({ adapter: referenceAdapter() }),
    ];
    for (const storage of storages) {
      for (const wait of [
        () => storage.persisted(0, "journaled"),
        () => storage.flush({ level: "journaled" }),
      ]) {
        expect(await thrownBy(wait)).toMatchObject({ code: "LEAKDB_NOT_SUPPORTED" });
      }
      await storage.close();
    }
  });
});

describe("mistakes", () => {
  const mistakes: [string, unknown, typeof TypeError | typeof RangeError][] = [
    ["no directory", { directory: undefined }, TypeError],
    ["an empty directory", { directory: "" }, TypeError],
    ["a directory that is no string", { directory: 5 }, TypeError],
    ["a directory with NUL", { directory: "/a\0b" }, TypeError],
    ["a sync that does not exist", { sync: "sometimes" }, TypeError],
    ["a sync that is true", { sync: true }, TypeError],
    ["an interval of nothing", { interval: 0 }, RangeError],
    ["a negative interval", { interval: -1 }, RangeError],
    ["an interval that is no number", { interval: "1s" }, TypeError],
    ["an interval of NaN", { interval: Number.NaN }, RangeError],
    ["a maxBytes below a mebibyte", { maxBytes: 1024 * 1024 - 1 }, RangeError],
    ["a maxBytes of NaN", { maxBytes: Number.NaN }, RangeError],
    ["a maxBytes that is no number", { maxBytes: "1GiB" }, TypeError],
    ["an option that does not exist", { path: "/a" }, TypeError],
  ];

  test.each(mistakes)(
    "%s is refused by every open, and nothing is opened",
    async (_name, change, Mistake) => {
      const machine = new Machine();
      const journal = { ...machine.journal(), ...(change as object) };
      const adapter = referenceAdapter({ backend: machine.backend });
      for (const open of [
        () => DefaultStorage.open({ journal }),
        () => QueueStorage.open({ journal, workerProcess }),
        () => PersistentQueueStorage.open({ journal, adapter }),
      ]) {
        expect(await thrownBy(open)).toBeInstanceOf(Mistake);
      }
      expect(machine.disk.count()).toBe(0);
      expect(machine.backend.owner).toBeUndefined();
    },
  );

  test.each([null, "orders.journal", [], 5, true])("a journal that is %j is a TypeError", async (journal) => {
    const mistaken = { journal } as never;
    expect(await thrownBy(() => DefaultStorage.open(mistaken))).toBeInstanceOf(TypeError);
    const adapter = referenceAdapter();
    expect(
      await thrownBy(() => PersistentQueueStorage.open({ ...(mistaken as object), adapter })),
    ).toBeInstanceOf(TypeError);
  });

  test("in the other options are found before the journal is touched", async () => {
    const machine = new Machine();
    const journal = machine.journal();
    for (const open of [
      () => DefaultStorage.open({ journal, values: "none" } as never),
      () => DefaultStorage.open({ journal, writeDelay: 5 } as never),
      () => DefaultStorage.open({ journal, onProgress: 5 } as never),
      () => QueueStorage.open({ journal } as never),
      () => QueueStorage.open({ journal, workerProcess, maxSize: 0 }),
      () => PersistentQueueStorage.open({ journal } as never),
      () => PersistentQueueStorage.open({ journal, adapter: referenceAdapter(), workers: 0 }),
    ]) {
      const error = await thrownBy(open);
      expect([TypeError, RangeError].some((Mistake) => error instanceof Mistake)).toBe(true);
    }
    expect(machine.disk.count()).toBe(0);
  });
});

describe("what is taken", () => {
  test("a directory that does not exist yet is made, with those above it", async () => {
    const machine = new Machine();
    const journal = machine.journal({ directory: "/not/there/yet" });
    const storage = await DefaultStorage.open<number>({ journal });
    storage.set("a", 1);
    await storage.close();
    expect(machine.disk.names("/not/there/yet").length).toBeGreaterThan(0);
  });

  test("options with undefined members are as without them", async () => {
    const machine = new Machine();
    const journal = machine.journal({ sync: undefined, interval: undefined, maxBytes: undefined });
    const storage = await DefaultStorage.open<number>({ journal });
    await storage.persisted(storage.set("a", 1), "journaled");
    await storage.close();
  });

  test("an interval of a day, and a maxBytes without limit", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault<number>({
      ...{ sync: "interval", interval: Infinity, maxBytes: Infinity },
    });
    storage.set("a", 1);
    await storage.close();
    expect(machine.disk.names(JOURNAL).length).toBeGreaterThan(0);
    expect((await machine.openDefault()).storage.get("a")).toBe(1);
  });
});

describe("one owner", () => {
  test("a second storage on an open journal is LEAKDB_LOCKED at once, of whatever kind, and harms nothing", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault<number>();
    storage.set("a", 1);
    const journal = machine.journal();
    const adapter = referenceAdapter();
    for (const open of [
      () => DefaultStorage.open({ journal }),
      () => QueueStorage.open({ journal, workerProcess: () => true }),
      () => PersistentQueueStorage.open({ journal, adapter }),
    ]) {
      expect(await thrownBy(open)).toMatchObject({ code: "LEAKDB_LOCKED" });
    }
    await storage.close();
    expect(inMemory((await machine.openDefault()).storage)).toEqual({ a: 1 });
  });
});
