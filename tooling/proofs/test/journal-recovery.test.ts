/** What a journal is read for: everything acknowledged, at a turn boundary, or LEAKDB_CORRUPTION and nothing touched (I7). */

import { type DiskImage, ReferenceBackend } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { inMemory } from "../src/faults/opened-store.js";
import { thrownBy } from "../src/faults/watched-promise.js";
import { JOURNAL, Machine } from "../src/journal/machine.js";

/** The two keys of a turn always have one value; the last turn acknowledged is the third. */
async function threeTurns(machine: Machine): Promise<void> {
  const { storage } = await machine.openDefault<number>();
  for (let turn = 1; turn <= 3; turn += 1) {
    storage.set("a", turn);
    storage.set("b", turn);
    await storage.flush();
  }
}

describe("a turn boundary", () => {
  test("whatever a power cut leaves, it is what memory held after a turn, and none that was acknowledged is missing", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault<number>();
    const images: DiskImage[] = [];
    let acknowledged = 0;
    const seen: number[] = [];
    machine.disk.onOperation = () => {
      images.push(machine.disk.snapshot());
      seen.push(acknowledged);
    };
    for (let turn = 1; turn <= 12; turn += 1) {
      storage.setMulti({ a: turn, b: turn, [`turn ${turn}`]: turn });
      storage.delete(`turn ${turn - 1}`);
      const done = storage.flush();
      if (turn % 3 === 0) {
        await done;
        acknowledged = turn;
      } else await new Promise((resolve) => setImmediate(resolve));
    }
    machine.disk.onOperation = undefined;
    for (const [index, image] of images.entries()) {
      machine.disk.restore(image);
      machine.crash({ seed: index });
      const next = (await machine.openDefault<number>()).storage;
      const turn = next.get("a") ?? 0;
      const expected = turn === 0 ? {} : { a: turn, b: turn, [`turn ${turn}`]: turn };
      expect(inMemory(next), `seed ${index}`).toEqual(expected);
      expect(turn, `seed ${index}`).toBeGreaterThanOrEqual(seen[index] ?? 0);
      machine.kill();
    }
    expect(images.length).toBeGreaterThan(15);
  });

  test("setMulti larger than one frame is all or none, wherever the power is cut", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault<string>();
    storage.set("before", "");
    await storage.flush();
    const images: DiskImage[] = [];
    machine.disk.onOperation = () => images.push(machine.disk.snapshot());
    const value = "v".repeat(700_000);
    storage.setMulti(Array.from({ length: 16 }, (_, index) => [`key ${index}`, value] as const));
    await storage.flush();
    machine.disk.onOperation = undefined;
    images.push(machine.disk.snapshot());
    const sizes = new Set<number>();
    for (const [index, image] of images.entries()) {
      for (const unsynced of ["dropped", "kept", "drawn"] as const) {
        machine.disk.restore(image);
        machine.crash({ seed: index, unsynced });
        const { size } = (await machine.openDefault()).storage;
        expect([1, 17], `${unsynced}, seed ${index}`).toContain(size);
        sizes.add(size);
        machine.kill();
      }
    }
    expect([...sizes].sort()).toEqual([1, 17]);
  });

  test("versions rise over a crash, also when the clock has gone back", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault<number>();
    const version = storage.set("a", 1);
    storage.delete("a");
    const last = storage.version;
    await storage.flush();
    machine.kill(-3_600_000);
    const next = (await machine.openDefault<number>()).storage;
    expect(next.version).toBeGreaterThanOrEqual(last);
    expect(next.set("a", 2)).toBeGreaterThan(last);
    expect(next.cas("a", 3, version)).toBeUndefined();
  });
});

describe("the report", () => {
  test("a first opening has read nothing", async () => {
    const { storage } = await new Machine().openDefault();
    expect(storage.stats().journal?.recovery).toMatchObject({ entries: 0, tornBytes: 0 });
  });

  test("says how many entries were read, in which time, and that nothing was torn", async () => {
    const machine = new Machine();
    await threeTurns(machine);
    machine.kill();
    const { recovery } = (await machine.openDefault()).storage.stats().journal ?? {};
    expect(recovery).toMatchObject({ entries: 6, tornBytes: 0 });
    expect(recovery?.bytes).toBeGreaterThan(0);
    expect(recovery?.durationMs).toBeGreaterThanOrEqual(0);
  });

  test("counts the bytes of a group that a crash interrupted, which was never acknowledged", async () => {
    const machine = new Machine();
    await threeTurns(machine);
    machine.kill();
    const { storage } = await machine.openDefault<number>();
    storage.set("a", 4);
    machine.disk.fail({ operation: "write", partBytes: 20 });
    await expect(storage.flush()).rejects.toMatchObject({ code: "LEAKDB_FLUSH_FAILED" });
    machine.kill();
    const next = (await machine.openDefault()).storage;
    expect(next.stats().journal?.recovery.tornBytes).toBe(20);
    expect(inMemory(next)).toEqual({ a: 3, b: 3 });
    machine.kill();
    expect((await machine.openDefault()).storage.stats().journal?.recovery.tornBytes).toBe(0);
  });

  test("progress is told while the journal is read, then of the backend, each to its end", async () => {
    const machine = new Machine();
    const { storage } = await machine.openBehind<number>();
    storage.setMulti({ stored: 1 });
    await storage.flush();
    for (let index = 0; index < 5_000; index += 1) storage.set(`key ${index}`, index);
    await storage.flush({ level: "journaled" });
    machine.kill();
    const told: { phase: string; loaded: number; done: boolean }[] = [];
    await machine.openBehind({ onProgress: (progress) => void told.push(progress) });
    const phases = told.map(({ phase }) => phase);
    expect(phases).toEqual([...phases].sort((a, b) => (a === b ? 0 : a === "journal" ? -1 : 1)));
    const journal = told.filter(({ phase }) => phase === "journal").map(({ loaded }) => loaded);
    expect(journal).toEqual([...journal].sort((a, b) => a - b));
    expect(journal.at(-1)).toBe(5_001);
    expect(told.at(-1)).toMatchObject({ phase: "backend", done: true });
  });

  test("an onProgress that throws ends the opening with that, and nothing stays open", async () => {
    const machine = new Machine();
    await threeTurns(machine);
    machine.kill();
    const mistake = new RangeError("a mistake of the listener");
    const onProgress = (): void => {
      throw mistake;
    };
    const error = await thrownBy(() => machine.openDefault({}, { onProgress }));
    expect([error, error.cause]).toContain(mistake);
    expect(inMemory((await machine.openDefault()).storage)).toEqual({ a: 3, b: 3 });
  });

  test.each(["default", "queue"] as const)(
    "the last progress of a %s storage says that all is read",
    async (kind) => {
      const machine = new Machine();
      const told: unknown[] = [];
      const options = { onProgress: (progress: unknown) => void told.push(progress) };
      if (kind === "default") await machine.openDefault({}, options);
      else await machine.openQueue({ workerProcess: () => true, ...options });
      expect(told.at(-1)).toEqual({ phase: "journal", loaded: 0, done: true });
    },
  );
});

describe("a crash during the recovery", () => {
  test("at any operation of it, by power cut, leaves everything for the next opening", async () => {
    const machine = new Machine();
    await threeTurns(machine);
    machine.kill();
    const torn = (await machine.openDefault<number>()).storage;
    torn.setMulti({ a: 4, b: 4 });
    machine.disk.onOperation = ({ name }) => {
      if (name === "sync") machine.disk.kill();
    };
    await expect(torn.flush()).rejects.toThrow();
    machine.disk.onOperation = undefined;
    const start = machine.disk.snapshot();
    let crashes = 0;
    for (let nth = 1; ; nth += 1) {
      machine.disk.restore(start);
      const until = machine.disk.count() + nth;
      let isCrashed = false;
      machine.disk.onOperation = ({ number }) => {
        if (number !== until) return;
        isCrashed = true;
        machine.disk.onOperation = undefined;
        machine.disk.crash({ seed: nth });
      };
      const opening = await machine.openDefault().then(
        () => true,
        () => false,
      );
      machine.disk.onOperation = undefined;
      if (!isCrashed) break;
      expect(opening).toBe(false);
      crashes += 1;
      machine.kill();
      const next = (await machine.openDefault<number>()).storage;
      const turn = next.get("a") ?? 0;
      expect([3, 4], `crash at operation ${nth}`).toContain(turn);
      expect(inMemory(next)).toEqual({ a: turn, b: turn });
    }
    expect(crashes).toBeGreaterThan(8);
  });

  test("at any operation of it a failing disk is LEAKDB_OPEN_FAILED, and the next opening has everything", async () => {
    const machine = new Machine();
    await threeTurns(machine);
    machine.kill();
    const start = machine.disk.snapshot();
    for (let nth = 1; ; nth += 1) {
      machine.disk.restore(start);
      const before = machine.disk.faultsInjected;
      machine.disk.fail({ nth });
      const opening = machine.openDefault<number>();
      const error = await opening.then(
        () => undefined,
        (thrown: unknown) => thrown as { code?: string },
      );
      machine.disk.heal();
      if (machine.disk.faultsInjected === before) break;
      // Failures that cost nothing, such as a directory that need not be made or a file left over, may pass.
      if (error !== undefined) expect(error.code, `operation ${nth}`).toBe("LEAKDB_OPEN_FAILED");
      else await (await opening).storage.close();
      machine.kill();
      expect(inMemory((await machine.openDefault()).storage), `operation ${nth}`).toEqual({ a: 3, b: 3 });
    }
  });

  test("an opening that failed holds no lock and no backend", async () => {
    const machine = new Machine();
    const { storage } = await machine.openBehind();
    await storage.flush();
    machine.kill();
    machine.disk.fail({ operation: "read" });
    await expect(machine.openBehind()).rejects.toMatchObject({ code: "LEAKDB_OPEN_FAILED" });
    expect(machine.backend.owner).toBeUndefined();
    await (await machine.openBehind()).storage.close();
  });
});

describe("damage", () => {
  test("before the tail, of any byte, is LEAKDB_CORRUPTION or no loss, names the file, and changes nothing", async () => {
    const machine = new Machine();
    await threeTurns(machine);
    machine.kill();
    const start = machine.disk.snapshot();
    const { length } = machine.disk.contents(machine.lastFile);
    let refused = 0;
    for (let position = 0; position < length; position += 3) {
      machine.disk.restore(start);
      machine.disk.damage(machine.lastFile, (bytes) => {
        bytes[position] = (bytes[position] ?? 0) ^ 0x10;
        return bytes;
      });
      const before = machine.files();
      const opened = await machine.openDefault().catch((thrown: Error & { code?: string }) => thrown);
      if (opened instanceof Error) {
        refused += 1;
        expect(opened, `byte ${position}`).toMatchObject({ code: "LEAKDB_CORRUPTION" });
        expect(opened.message).toContain(machine.lastFile);
        expect(machine.files(), `byte ${position}`).toEqual(before);
      } else {
        // The frames before the last are vouched for by those that follow: only the end can be taken for torn.
        const { a } = inMemory(opened.storage) as { a?: number };
        expect(a, `byte ${position}`).toBeGreaterThanOrEqual(2);
      }
    }
    expect(refused).toBeGreaterThan(length / 3 / 2);
  });

  test("a file that is missing in the middle is LEAKDB_CORRUPTION, and changes nothing", async () => {
    const machine = new Machine();
    const { storage } = await machine.openDefault({ maxBytes: 1024 * 1024 });
    for (let round = 0; round < 4; round += 1) {
      storage.set(`key ${round}`, "v".repeat(140_000));
      await storage.flush();
    }
    machine.kill();
    const names = machine.disk.names(JOURNAL);
    expect(names.length).toBeGreaterThanOrEqual(3);
    await machine.disk.files.remove(`${JOURNAL}/${names[1]}`);
    const before = machine.files();
    await expect(machine.openDefault()).rejects.toMatchObject({ code: "LEAKDB_CORRUPTION" });
    expect(machine.files()).toEqual(before);
  });

  test("the journal of another backend is LEAKDB_CORRUPTION, changes nothing, and opens again with its own", async () => {
    const machine = new Machine();
    const { storage } = await machine.openBehind();
    storage.set("a", 1);
    await storage.flush({ level: "journaled" });
    machine.kill();
    const own = machine.backend;
    const before = machine.files();
    machine.backend = new ReferenceBackend();
    await expect(machine.openBehind()).rejects.toMatchObject({ code: "LEAKDB_CORRUPTION" });
    expect(machine.backend.owner).toBeUndefined();
    expect(machine.files()).toEqual(before);
    machine.backend = own;
    expect(inMemory((await machine.openBehind()).storage)).toEqual({ a: 1 });
  });

  test("a journal is not taken for one of another kind of storage", async () => {
    const machine = new Machine();
    await threeTurns(machine);
    machine.kill();
    const before = machine.files();
    const asQueue = await thrownBy(() => machine.openQueue({ workerProcess: () => true }));
    const asBehind = await thrownBy(() => machine.openBehind());
    expect([asQueue.code, asBehind.code]).toEqual(["LEAKDB_CORRUPTION", "LEAKDB_CORRUPTION"]);
    expect(machine.files()).toEqual(before);
  });
});
