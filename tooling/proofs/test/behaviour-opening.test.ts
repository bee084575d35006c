/** Opening reads the backend whole, tells how far it is, and versions rise over restarts and clock steps. */

import { jsonCodec, type OpenProgress, PersistentQueueStorage, PersistentStorage } from "@leakdb/core";
import { ManualClock, ReferenceBackend, referenceAdapter } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { bench, openBehind, openThrough } from "../src/faults/opened-store.js";
import { thrownBy, watched } from "../src/faults/watched-promise.js";

async function filledBackend(entries: number): Promise<ReferenceBackend> {
  const backend = new ReferenceBackend();
  const { storage } = await openBehind<number>({}, { backend });
  for (let index = 0; index < entries; index += 1) storage.set(`key ${index}`, index);
  await storage.close();
  return backend;
}

describe.each([
  ["write-behind", openBehind],
  ["write-through", openThrough],
] as const)("opening %s", (_name, open) => {
  test("reads everything, with versions and expiries as they were", async () => {
    const backend = new ReferenceBackend();
    const clock = new ManualClock();
    const first = await open<unknown>({}, { backend, clock });
    await first.storage.setMulti({ a: { deep: [1] }, b: null });
    await first.storage.set("c", 3, { ttl: 60_000 });
    const before = ["a", "b", "c"].map((key) => first.storage.getEntry(key));
    const { version } = first.storage;
    await first.storage.close();
    const { storage, recording } = await open<unknown>({}, { backend, clock });
    expect(["a", "b", "c"].map((key) => storage.getEntry(key))).toEqual(before);
    expect(storage.version).toBe(version);
    expect(storage.size).toBe(3);
    await clock.advance(10_000);
    // What was read is not dirty.
    expect(recording.batches).toEqual([]);
    expect(storage.stats().queue?.waiting).toBe(0);
  });

  test("tells its progress, rising, and at last that it is done", async () => {
    const backend = await filledBackend(1_000);
    const seen: OpenProgress[] = [];
    const { storage } = await open({ onProgress: (progress) => void seen.push(progress) }, { backend });
    expect(storage.size).toBe(1_000);
    expect(seen.length).toBeGreaterThan(2);
    expect(seen.map(({ loaded }) => loaded)).toEqual(seen.map(({ loaded }) => loaded).sort((a, b) => a - b));
    expect(seen.at(-1)).toEqual({ phase: "backend", loaded: 1_000, done: true });
    expect(seen.slice(0, -1).every(({ done }) => !done)).toBe(true);
  });

  test("of an empty backend is done at once", async () => {
    const seen: OpenProgress[] = [];
    const { storage } = await open({ onProgress: (progress) => void seen.push(progress) });
    expect(seen.at(-1)).toEqual({ phase: "backend", loaded: 0, done: true });
    expect(storage.size).toBe(0);
    expect(storage.version).toBe(0);
  });

  test("stops when onProgress throws, and nothing stays open", async () => {
    const backend = await filledBackend(10);
    const mistake = new Error("a mistake of the caller");
    const error = await thrownBy(() =>
      open(
        {
          onProgress: () => {
            throw mistake;
          },
        },
        { backend },
      ),
    );
    expect(error === mistake || error.cause === mistake).toBe(true);
    expect(backend.owner).toBeUndefined();
  });

  test("over damaged bytes is LEAKDB_DECODE_FAILED naming the key, nothing is overwritten, nothing stays open", async () => {
    const backend = await filledBackend(3);
    const record = backend.records.get("key 1");
    if (record === undefined) throw new Error("key 1 was not stored");
    backend.put({ ...record, value: new Uint8Array([0xc1, 0xff]) });
    const before = new Map(backend.records);
    const { recording, clock } = bench({ backend });
    const Storage = open === openBehind ? PersistentQueueStorage : PersistentStorage;
    const error = await thrownBy(() => Storage.open({ adapter: recording, clock }));
    expect(error).toMatchObject({ name: "LeakDBError", code: "LEAKDB_DECODE_FAILED" });
    expect(error.message).toContain('"key 1"');
    expect(backend.records).toEqual(before);
    expect(backend.owner).toBeUndefined();
    expect(recording.batches).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  test('over damaged bytes with values "copied" refuses the key at its reading, naming it, at the latest', async () => {
    const backend = await filledBackend(3);
    const record = backend.records.get("key 1");
    if (record === undefined) throw new Error("key 1 was not stored");
    backend.put({ ...record, value: new Uint8Array([0xc1, 0xff]) });
    const error = await thrownBy(async () => {
      const { storage } = await open({ values: "copied" }, { backend });
      storage.get("key 1");
    });
    expect(error).toMatchObject({ code: "LEAKDB_DECODE_FAILED" });
    expect(error.message).toContain('"key 1"');
  });
});

describe("versions", () => {
  test("are microseconds since 1970, strictly rising within a turn and with the clock", async () => {
    const { storage, clock } = await openBehind<number>();
    const first = storage.set("a", 1);
    expect(first).toBe(clock.now() * 1_000);
    expect(storage.set("a", 1)).toBe(first + 1);
    expect(storage.version).toBe(first + 1);
    await clock.advance(5);
    expect(storage.set("a", 1)).toBe(clock.now() * 1_000);
  });

  test("rise over a clock step back", async () => {
    const { storage, clock } = await openBehind<number>();
    const before = storage.set("a", 1);
    clock.set(clock.now() - 86_400_000);
    expect(storage.set("a", 2)).toBe(before + 1);
    expect(storage.delete("a")).toBe(true);
    expect(storage.version).toBe(before + 2);
  });

  test.each(["set", "delete", "clear"] as const)(
    "rise over a restart with a clock that was set back, after a %s as last write",
    async (last) => {
      const backend = new ReferenceBackend();
      const first = await openBehind<number>({}, { backend });
      first.storage.set("a", 1);
      if (last === "delete") first.storage.delete("a");
      if (last === "clear") first.storage.clear();
      const { version } = first.storage;
      await first.storage.close();
      const clock = new ManualClock(Date.UTC(2001, 0, 1));
      const { storage } = await openBehind<number>({}, { backend, clock });
      expect(storage.version).toBe(version);
      expect(storage.set("a", 2)).toBeGreaterThan(version);
      await storage.close();
      expect(backend.records.get("a")?.version).toBe(version + 1);
    },
  );

  test("are not spent by what changes nothing", async () => {
    const { storage } = await openBehind<number>();
    const version = storage.set("a", 1);
    storage.add("a", 2);
    storage.replace("b", 2);
    storage.cas("a", 2, version - 1);
    storage.update("a", () => undefined);
    storage.delete("b");
    storage.touch("b");
    storage.setMulti({});
    expect(storage.version).toBe(version);
  });
});

test("one owner: a second opening is LEAKDB_LOCKED until the first has closed", async () => {
  const backend = new ReferenceBackend();
  const adapter = () => referenceAdapter({ backend });
  const first = await PersistentQueueStorage.open({ adapter: adapter() });
  expect(await thrownBy(() => PersistentQueueStorage.open({ adapter: adapter() }))).toMatchObject({
    code: "LEAKDB_LOCKED",
  });
  await first.close();
  const second = await PersistentQueueStorage.open({ adapter: adapter() });
  await second.close();
});

test("a store written with json is readable by jsonCodec after reopening, by both faces", async () => {
  const backend = new ReferenceBackend();
  const first = await openThrough({ codec: jsonCodec() }, { backend });
  await first.storage.set("a", { b: [1, "x", null] });
  await first.storage.close();
  const { storage } = await openBehind({ codec: jsonCodec() }, { backend });
  expect(storage.get("a")).toEqual({ b: [1, "x", null] });
});

test("a backend swapped for another while the adapter is reopened is never written to", async () => {
  const { storage, clock, faulty, backend, events } = await openBehind<number>();
  const other = new ReferenceBackend();
  const impostor = referenceAdapter({ backend: other });
  storage.set("a", 1);
  await clock.advance(1_000);
  const { inner } = faulty;
  const open = inner.open.bind(inner);
  inner.open = (context) => impostor.open(context);
  faulty.script("write", "ambiguous");
  storage.set("a", 2);
  await clock.advance(30_000);
  expect(other.records.size).toBe(0);
  expect(events.of("fault").some(({ message }) => message.includes("store id"))).toBe(true);
  inner.open = open;
  const flushing = watched(storage.flush());
  await clock.advance(60_000);
  expect(flushing.outcome).toBe("resolved");
  expect(backend.records.size).toBe(1);
});
