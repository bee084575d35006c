/** A journal before a backend: what a crash leaves reaches the backend, and nothing of it undoes what that has (I3, I7, I9). */

import { PersistentQueueStorage } from "@leakdb/core";
import { referenceAdapter } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { inMemory, sentKeys, stored } from "../src/faults/opened-store.js";
import { watched } from "../src/faults/watched-promise.js";
import { Machine } from "../src/journal/machine.js";

type Act = (storage: PersistentQueueStorage<unknown>) => void;

/** `first` is stored; `then` is journaled while the backend is down; then the process dies, for `downMs`. */
async function diesWith(machine: Machine, first: Act, then: Act, downMs = 0): Promise<void> {
  const { storage, faulty } = await machine.openBehind();
  first(storage);
  await storage.flush();
  faulty.goDown();
  then(storage);
  await storage.flush({ level: "journaled" });
  machine.crash({ unsynced: "dropped" }, downMs);
}

/** What memory holds after the next opening, which the backend must hold too once that is flushed, and without the journal. */
async function revived(machine: Machine): Promise<Record<string, unknown>> {
  const { storage } = await machine.openBehind();
  const content = inMemory(storage);
  await storage.flush();
  await storage.close();
  const alone = await PersistentQueueStorage.open({
    adapter: referenceAdapter({ backend: machine.backend }),
    clock: machine.clock,
  });
  expect(inMemory(alone)).toEqual(content);
  expect(alone.version).toBeGreaterThanOrEqual(storage.version);
  await alone.close();
  return content;
}

describe("after a crash with the backend down", () => {
  test.each<[string, Act, Act, object]>([
    ["puts", (s) => s.set("a", 1), (s) => s.setMulti({ a: 2, b: 1 }), { a: 2, b: 1 }],
    ["a delete of what is stored", (s) => s.setMulti({ a: 1, b: 1 }), (s) => s.delete("a"), { b: 1 }],
    ["a delete, then a put", (s) => s.set("a", 1), (s) => s.delete("a") && s.set("a", 2), { a: 2 }],
    ["a put, then a delete", () => {}, (s) => s.set("a", 1) && s.delete("a"), {}],
    ["a clear of everything", (s) => s.setMulti({ a: 1, b: 1 }), (s) => s.clear(), {}],
    ["a clear, then puts", (s) => s.setMulti({ a: 1, b: 1 }), (s) => s.clear() && s.set("b", 2), { b: 2 }],
    [
      "a clear of a namespace",
      (s) => s.setMulti({ "n:a": 1, "n:b": 1, m: 1 }),
      (s) => s.namespace("n:").clear(),
      { m: 1 },
    ],
    [
      "a clear of a namespace between two puts of it",
      (s) => s.setMulti({ "n:a": 1, m: 1 }),
      (s) => {
        s.set("n:b", 1);
        s.namespace("n:").clear();
        s.namespace("n:").set("c", 1);
      },
      { m: 1, "n:c": 1 },
    ],
    [
      "clears inside of clears",
      (s) => s.setMulti({ "n:a": 1, "n:x:b": 1, m: 1 }),
      (s) => {
        s.clear({ prefix: "n:x:" });
        s.set("n:x:c", 2);
        s.clear({ prefix: "n:" });
        s.set("n:x:d", 3);
      },
      { m: 1, "n:x:d": 3 },
    ],
    ["a counter", (s) => s.set("n", 41), (s) => s.incr("n" as never), { n: 42 }],
    [
      "hostile keys",
      () => {},
      (s) =>
        s.setMulti([
          ["__proto__", 1],
          ["\0", 2],
          ["😀", 3],
        ]),
      {
        "\0": 2,
        ["__proto__"]: 1,
        "😀": 3,
      },
    ],
    [
      "falsy values",
      () => {},
      (s) => s.setMulti({ a: 0, b: "", c: null, d: false }),
      { a: 0, b: "", c: null, d: false },
    ],
  ])("%s are there, and reach the backend", async (_name, first, then, expected) => {
    const machine = new Machine();
    await diesWith(machine, first, then);
    expect(await revived(machine)).toEqual(expected);
  });

  test("versions are those of before, so that a cas over the crash holds", async () => {
    const machine = new Machine();
    let version = 0;
    await diesWith(
      machine,
      () => {},
      (s) => (version = s.set("a", 1)),
    );
    const { storage } = await machine.openBehind();
    expect(storage.getEntry("a")).toEqual({ value: 1, version, expiresAt: undefined });
    expect(storage.cas("a", 2, version)).toBeGreaterThan(version);
  });

  test("a flush covers what was recovered: stored is not claimed before the backend has it", async () => {
    const machine = new Machine();
    let version = 0;
    await diesWith(
      machine,
      () => {},
      (s) => (version = s.set("a", 1)),
    );
    const { storage, faulty } = await machine.openBehind({}, {});
    faulty.goDown();
    await storage.persisted(version, "journaled");
    const waits = [
      watched(storage.persisted(version, "stored")),
      watched(storage.persisted(version, "stored", { key: "a" })),
      watched(storage.flush({ upTo: version, level: "synced" })),
    ];
    await machine.clock.advance(10_000);
    expect(waits.map(({ outcome }) => outcome)).toEqual(["pending", "pending", "pending"]);
    faulty.goUp();
    await machine.clock.advance(31_000);
    expect(waits.map(({ outcome }) => outcome)).toEqual(["resolved", "resolved", "resolved"]);
    expect(stored(machine.backend)).toEqual({ a: 1 });
  });

  test("what is recovered goes by itself, without a flush and without a further write", async () => {
    const machine = new Machine();
    await diesWith(
      machine,
      () => {},
      (s) => s.set("a", 1),
    );
    const { storage } = await machine.openBehind();
    await machine.clock.advance(1_000);
    expect(stored(machine.backend)).toEqual({ a: 1 });
    expect(storage.stats().queue?.waiting).toBe(0);
  });
});

describe("after a crash with everything in the backend", () => {
  test("nothing is sent again, and nothing of the journal undoes it", async () => {
    const machine = new Machine();
    const { storage } = await machine.openBehind<number>();
    for (let round = 1; round <= 3; round += 1) {
      storage.setMulti({ a: round, b: round, c: round });
      await storage.flush();
    }
    storage.delete("b");
    await storage.flush();
    machine.kill();
    const next = await machine.openBehind();
    await next.storage.flush();
    expect(inMemory(next.storage)).toEqual({ a: 3, c: 3 });
    expect(stored(machine.backend)).toEqual({ a: 3, c: 3 });
    expect(sentKeys(next.recording).flat()).not.toContain("a");
  });

  test.each<[string, Act]>([
    ["a delete", (s) => s.delete("a")],
    ["a clear", (s) => s.clear()],
    ["a clear of its namespace", (s) => s.namespace("a").clear()],
  ])(
    "a key that the backend no longer knows, by %s, does not come back with the older put",
    async (_name, act) => {
      const machine = new Machine();
      const { storage } = await machine.openBehind();
      storage.set("a", 1);
      await storage.flush();
      act(storage);
      await storage.flush();
      machine.crash({ unsynced: "kept" });
      expect(await revived(machine)).toEqual({});
    },
  );
});

describe("expiry", () => {
  test("an entry that expires while the process is down is gone, and so is its older state in the backend", async () => {
    const machine = new Machine();
    await diesWith(
      machine,
      (s) => s.set("a", "older, for ever"),
      (s) => s.set("a", "newer", { ttl: 5_000 }),
      6_000,
    );
    expect(await revived(machine)).toEqual({});
  });

  test("an entry that has time left keeps its moment over the crash", async () => {
    const machine = new Machine();
    const expiresAt = machine.clock.now() + 5_000;
    await diesWith(
      machine,
      (s) => s.set("a", 1),
      (s) => s.set("a", 2, { expiresAt }),
      2_000,
    );
    const { storage } = await machine.openBehind();
    expect(storage.getEntry("a")).toMatchObject({ value: 2, expiresAt });
    await machine.clock.advance(3_001);
    expect(storage.has("a")).toBe(false);
  });

  test("a touch is journaled: the longer life holds, although the stored one is over", async () => {
    const machine = new Machine();
    await diesWith(
      machine,
      (s) => s.set("a", 1, { ttl: 1_000 }),
      (s) => s.touch("a", { ttl: 60_000 }),
      5_000,
    );
    expect(await revived(machine)).toEqual({ a: 1 });
  });

  test("a plain set takes an older time to live away, over the crash too", async () => {
    const machine = new Machine();
    await diesWith(
      machine,
      (s) => s.set("a", 1, { ttl: 1_000 }),
      (s) => s.set("a", 2),
      5_000,
    );
    expect(await revived(machine)).toEqual({ a: 2 });
  });

  test("one that expires while the journal is read does not leave its older state either", async () => {
    const machine = new Machine();
    await diesWith(
      machine,
      (s) => s.set("a", 1),
      (s) => s.set("a", 2, { ttl: 5_000 }),
    );
    machine.disk.onOperation = ({ name }) => {
      if (name === "sync") machine.clock.set(machine.clock.now() + 6_000);
    };
    expect(await revived(machine)).toEqual({});
  });

  test("one that expires between the recovery and its turn in the queue does not leave its older state either", async () => {
    const machine = new Machine();
    await diesWith(
      machine,
      (s) => s.set("a", 1),
      (s) => s.set("a", 2, { ttl: 5_000 }),
    );
    const { storage, faulty } = await machine.openBehind();
    faulty.goDown();
    expect(storage.get("a")).toBe(2);
    await machine.clock.advance(6_000);
    faulty.goUp();
    await machine.clock.advance(31_000);
    await storage.flush();
    // An expired record may stand there until it is swept; the older one, which never expires, may not.
    expect(stored(machine.backend)).not.toEqual({ a: 1 });
    await storage.close();
    expect(await revived(machine)).toEqual({});
  });
});
