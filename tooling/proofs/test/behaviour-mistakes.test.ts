/** Mistakes at the calls themselves, and callers who do the unexpected in the middle of one. */

import {
  closeOnSignal,
  DefaultStorage,
  PersistentQueueStorage,
  PersistentStorage,
  QueueStorage,
} from "@leakdb/core";
import { type Adapter, AdapterError } from "@leakdb/core/adapter";
import { lmdb } from "@leakdb/lmdb";
import { sqlite } from "@leakdb/sqlite";
import { ManualClock, ReferenceBackend, referenceAdapter } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";

// biome-ignore lint/suspicious/noExplicitAny: what TypeScript refuses is what is tested.
type Loose = any;

async function everyStorage(): Promise<[string, Loose][]> {
  return [
    ["DefaultStorage", new DefaultStorage()],
    ["QueueStorage", new QueueStorage({ workerProcess: () => true })],
    ["PersistentStorage", await PersistentStorage.open({ adapter: referenceAdapter() })],
    ["PersistentQueueStorage", await PersistentQueueStorage.open({ adapter: referenceAdapter() })],
  ];
}

describe("options of single calls", () => {
  const calls: [string, (storage: Loose) => unknown][] = [
    ['clear("a")', (storage) => storage.clear("a")],
    ["set with a number", (storage) => storage.set("a", 2, 60_000)],
    ["set with tll", (storage) => storage.set("a", 2, { tll: 1 })],
    ["set with TTL", (storage) => storage.set("a", 2, { TTL: 1 })],
    ["setMulti with null", (storage) => storage.setMulti({ a: 2 }, null)],
    ["add with version", (storage) => storage.add("b", 2, { version: 1 })],
    ["incr by position", (storage) => storage.incr("n", 5)],
    ["decr with by", (storage) => storage.decr("n", { by: 5 })],
    ["delete with prefix", (storage) => storage.delete("a", { prefix: "b" })],
    ["deleteMulti with text", (storage) => storage.deleteMulti(["a"], "b")],
    ["touch with a number", (storage) => storage.touch("a", 1_000)],
    ["update with a number", (storage) => storage.update("a", () => 2, 1_000)],
    ["get with text", (storage) => storage.get("a", "b")],
    ["has with ttl", (storage) => storage.has("a", { ttl: 5 })],
    ["getMulti with prefix", (storage) => storage.getMulti(["a"], { prefix: "b" })],
    ['keys("x")', (storage) => storage.keys("x")],
    ["entries with from", (storage) => storage.entries({ from: "a" })],
    ["namespace with policy", (storage) => storage.namespace("n:", { policy: "copied" })],
    ["flush with a number", (storage) => storage.flush(1_000)],
    ["flush with timout", (storage) => storage.flush({ timout: 5 })],
    ["persisted with keys", (storage) => storage.persisted(storage.version, "memory", { keys: ["a"] })],
    ["close with force", (storage) => storage.close({ force: true })],
  ];
  test.each(calls)("%s is a TypeError and changes nothing", async (_name, call) => {
    for (const [name, storage] of await everyStorage()) {
      await storage.set("a", 1);
      await storage.set("n", 1);
      const { version } = storage;
      const outcome = await (async () => call(storage))().catch((error: unknown) => error);
      expect(outcome, name).toBeInstanceOf(TypeError);
      expect(storage.version, name).toBe(version);
      expect(Object.fromEntries(storage.entries()), name).toEqual({ a: 1, n: 1 });
      await storage.close();
    }
  });

  test("a name given as undefined is as if absent, whether it exists or not", async () => {
    for (const [name, storage] of await everyStorage()) {
      const absent = { keyPrefix: undefined, nothing: undefined };
      await storage.set("a", 1, { ...absent, ttl: undefined, expiresAt: undefined });
      await storage.incr("n", { ...absent, delta: undefined, initialValue: undefined, ttl: undefined });
      expect(storage.getEntry("a", absent), name).toMatchObject({ value: 1, expiresAt: undefined });
      expect([...storage.keys({ ...absent, prefix: undefined, reverse: undefined })].sort()).toEqual([
        "a",
        "n",
      ]);
      expect(storage.namespace("p:", { values: undefined, nothing: undefined }).has("a", absent)).toBe(false);
      await storage.flush({ timeout: undefined, signal: undefined, upTo: undefined, level: undefined });
      const waiting = { key: undefined, timeout: undefined, signal: undefined, ...absent };
      await storage.persisted(storage.version, undefined, waiting);
      expect(await storage.clear({ ...absent, prefix: undefined }), name).toBe(2);
      await storage.close({ timeout: undefined, nothing: undefined });
    }
  });

  test("a storage with a backend says how it is opened", () => {
    expect(() => new (PersistentQueueStorage as Loose)()).toThrow("use await open(options)");
  });

  test("adapters and closeOnSignal() take a name given as undefined as absent", () => {
    expect(sqlite({ filename: "a.db", synchronous: undefined }).name).toBe("a.db");
    expect((sqlite as Loose)({ filename: "a.db", nothing: undefined }).name).toBe("a.db");
    expect((lmdb as Loose)({ directory: "a", nothing: undefined }).name).toBe("a");
    closeOnSignal(new DefaultStorage(), { signals: undefined, timeout: undefined, onClosed: undefined })();
  });

  test("sqlite(), lmdb() and closeOnSignal() refuse what they do not know", () => {
    expect(() => (sqlite as Loose)()).toThrow(TypeError);
    expect(() => (sqlite as Loose)({})).toThrow(
      'filename must be a string, as in sqlite({ filename: "app.db" })',
    );
    expect(() => (sqlite as Loose)({ filename: "a.db", synchronus: "FULL" })).toThrow(
      'sqlite: there is no option "synchronus"; did you mean synchronous?',
    );
    expect(() => (lmdb as Loose)({ dir: "a" })).toThrow('lmdb: there is no option "dir", only directory');
    for (const unmeant of [undefined, null, "a", ["a"]]) {
      expect(() => (sqlite as Loose)(unmeant)).toThrow("sqlite: options must be an object with filename");
      expect(() => (lmdb as Loose)(unmeant)).toThrow("lmdb: options must be an object with directory");
    }
    expect(() => (closeOnSignal as Loose)({})).toThrow("close method");
    expect(() => (closeOnSignal as Loose)(new DefaultStorage(), { timout: 5 })).toThrow('"timout"');
  });

  test("workers, listeners and clocks that could not work are refused", async () => {
    expect(() => new QueueStorage({ workerProcess: () => true, workerProcessBatch: 5 } as Loose)).toThrow(
      TypeError,
    );
    expect(() => new QueueStorage({ workerProcess: null } as Loose)).toThrow(TypeError);
    expect(() => new DefaultStorage({ clock: { now: () => 0 } } as Loose)).toThrow("clock must have");
    const storage: Loose = new DefaultStorage();
    expect(() => storage.on("flsuh", () => undefined)).toThrow('"flsuh"');
    await storage.close();
  });
});

describe("prefixes that are not well-formed", () => {
  const half = "😀"[0] as string;
  test("delete and show nothing", async () => {
    for (const [name, storage] of await everyStorage()) {
      await storage.set("\ufffdkeep", 1);
      await storage.set("😀gone", 2);
      const outcome = await (async () => storage.clear({ prefix: half }))().catch((error: unknown) => error);
      expect(outcome, name).toBeInstanceOf(TypeError);
      for (const bound of ["prefix", "gt", "gte", "lt", "lte"])
        expect(() => storage.keys({ [bound]: half }), name).toThrow(TypeError);
      expect(storage.size, name).toBe(2);
      await storage.close();
    }
  });
});

describe("iterables that change the storage while they are read", () => {
  test("deleteMulti deletes what it was given, and nothing else", async () => {
    const storage = new DefaultStorage<number>();
    for (const key of ["a", "b"]) storage.set(key, 1);
    const keys = function* (): Generator<string> {
      yield "a";
      storage.delete("a");
      storage.set("z", 1);
    };
    expect(storage.deleteMulti(keys())).toBe(0);
    storage.set("x", 10);
    storage.set("y", 20);
    expect(Object.fromEntries(storage.entries())).toEqual({ b: 1, z: 1, x: 10, y: 20 });
    await storage.close();
  });

  test("a close in the middle is a closed storage at the end", async () => {
    const storage = new DefaultStorage<number>();
    storage.set("a", 1);
    const closing = function* (): Generator<[string, number]> {
      yield ["b", 1];
      void storage.close();
    };
    expect(() => storage.setMulti(closing())).toThrow(expect.objectContaining({ code: "LEAKDB_CLOSED" }));
  });

  test("an iterator does not outlive the storage", async () => {
    const storage = new DefaultStorage<number>();
    storage.set("a", 1);
    const keys = storage.keys();
    await storage.close();
    expect(() => keys.next()).toThrow(expect.objectContaining({ code: "LEAKDB_CLOSED" }));
  });
});

describe("adapters that answer nonsense", () => {
  const failing = (thrown: unknown, overrides: Partial<Adapter> = {}): Adapter => {
    const inner = referenceAdapter();
    let isFirst = true;
    return {
      name: "odd",
      capabilities: inner.capabilities,
      open: (context) => inner.open(context),
      write: (batch, options) => {
        if (!isFirst) return inner.write(batch, options);
        isFirst = false;
        throw thrown;
      },
      load: (keys) => inner.load(keys),
      scan: (range) => inner.scan(range),
      sync: () => inner.sync(),
      close: () => inner.close(),
      ...overrides,
    };
  };

  test.each([
    ["an object without prototype", Object.create(null)],
    ["a symbol", Symbol("s")],
    ["nothing", undefined],
    ["a proxy that refuses everything", Proxy.revocable({}, {}).proxy],
  ])("whatever is thrown, such as %s, is a failure like others", async (_name, thrown) => {
    const storage = await PersistentQueueStorage.open({ adapter: failing(thrown), retry: { backoff: 1 } });
    storage.set("a", 1);
    await storage.flush();
    await storage.close();
  });

  test.each([Number.POSITIVE_INFINITY, 2 ** 53, -1, "7", 7n, undefined])(
    "a highest version of %s is refused at the opening",
    async (highVersion) => {
      const open = async () => ({ storeId: "s", highVersion, bytes: 0 }) as Loose;
      const opening = PersistentQueueStorage.open({ adapter: failing(undefined, { open }) });
      await expect(opening).rejects.toMatchObject({ code: "LEAKDB_CORRUPTION" });
    },
  );
});

test("a clock that is wrong by centuries for a moment does not use up the versions", () => {
  const clock = new ManualClock(1_780_000_000_000);
  const storage = new DefaultStorage<number>({ clock });
  const before = storage.set("a", 1);
  clock.set(8.64e15);
  const during = storage.set("a", 2);
  clock.set(1_780_000_000_001);
  expect(during).toBe(before + 1);
  expect(storage.set("a", 3)).toBeGreaterThan(during);
});

test("a write-through promise does not wait for a backend that cannot be opened again", async () => {
  const clock = new ManualClock();
  const backend = new ReferenceBackend();
  let isBroken = false;
  const inner = referenceAdapter({ backend });
  const adapter: Adapter = {
    name: "broken",
    capabilities: inner.capabilities,
    open: (context) => {
      if (isBroken) throw new AdapterError("away", { kind: "transient" });
      return inner.open(context);
    },
    write: () => {
      isBroken = true;
      throw new Error("the connection broke");
    },
    load: (keys) => inner.load(keys),
    scan: (range) => inner.scan(range),
    sync: () => inner.sync(),
    close: () => inner.close(),
  };
  const storage = await PersistentStorage.open({ adapter, clock, writeTimeout: 300 });
  await expect(storage.set("a", 1)).rejects.toMatchObject({ code: "LEAKDB_PERHAPS_APPLIED" });
  const second = storage.set("a", 2).catch((error: unknown) => error);
  await clock.advance(400);
  expect(await second).toMatchObject({ code: "LEAKDB_TIMEOUT" });
  const closing = storage.close({ timeout: 10 }).catch((error: unknown) => error);
  await clock.advance(20);
  expect(await closing).toMatchObject({ code: "LEAKDB_CLOSE_INCOMPLETE" });
});

test("after a close that was incomplete nobody waits for what will not come", async () => {
  const clock = new ManualClock();
  const inner = referenceAdapter();
  const never = new Promise<never>(() => undefined);
  const adapter: Adapter = {
    name: "silent",
    capabilities: inner.capabilities,
    open: (context) => inner.open(context),
    write: () => never,
    load: (keys) => inner.load(keys),
    scan: (range) => inner.scan(range),
    sync: () => inner.sync(),
    close: () => inner.close(),
  };
  const storage = await PersistentQueueStorage.open({ adapter, clock });
  const version = storage.set("a", 1);
  const closing = storage.close({ timeout: 10 }).catch((error: unknown) => error);
  await clock.advance(20);
  expect(await closing).toMatchObject({ code: "LEAKDB_CLOSE_INCOMPLETE" });
  await expect(storage.persisted(version)).rejects.toMatchObject({ code: "LEAKDB_CLOSED" });
  await expect(storage.flush({ timeout: Number.POSITIVE_INFINITY })).rejects.toMatchObject({
    code: "LEAKDB_CLOSED",
  });
});
