/**
 * What an opening after the first finds: the backend as it was left, an older state of it, or what somebody else wrote.
 * Nothing is written where it is not ours, and nothing is taken for somebody else's that may be ours.
 */

import { AdapterError, type AdapterState } from "@leakdb/core/adapter";
import type { ReferenceBackend, WriteFault } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { BACKOFF_MAX_MS, FLUSH_TIMEOUT_MS, WRITE_TIMEOUT_MS } from "../src/faults/durations.js";
import { inMemory, type OpenedStore, openBehind, openThrough, stored } from "../src/faults/opened-store.js";
import { watched } from "../src/faults/watched-promise.js";

const FENCED = { kind: "permanent", code: "LEAKDB_FENCED" };

type Made = Pick<OpenedStore<unknown>, "backend" | "faulty" | "clock">;

/** `meddle` has its way before each further opening, with a backend that nobody has open then. */
function beforeReopening({ faulty }: Made, meddle: () => void): void {
  const { inner } = faulty;
  const open = inner.open.bind(inner);
  inner.open = (context) => {
    meddle();
    return open(context);
  };
}

/** Another owner, come and gone: a key of its own, at a version that the clock gives. */
function writtenByAnother({ backend, clock }: Made): void {
  const version = clock.now() * 1_000 + 500;
  backend.put({ key: "of another", value: Buffer.from("1"), version, expiresAt: 0 });
  backend.highVersion = version;
}

interface Backup {
  readonly records: ReferenceBackend["records"];
  readonly highVersion: number;
}

const backupOf = ({ records, highVersion }: Backup): Backup => ({ records: new Map(records), highVersion });

function restore(backend: ReferenceBackend, { records, highVersion }: Backup): void {
  for (const key of [...backend.records.keys()]) backend.remove(key);
  for (const record of records.values()) backend.put(record);
  backend.highVersion = highVersion;
}

describe("another owner wrote while the adapter was being reopened", () => {
  test("write-behind: nothing more is written, and every write says why", async () => {
    const made = await openBehind<number>();
    const { storage, clock, faulty, backend, events, recording } = made;
    storage.set("a", 1);
    await clock.advance(1_000);
    beforeReopening(made, () => writtenByAnother(made));
    faulty.script("write", "ambiguous");
    storage.setMulti({ a: 2, b: 2 });
    await clock.advance(1_000);
    const flushing = watched(storage.flush());
    await clock.advance(FLUSH_TIMEOUT_MS);
    expect(flushing.outcome).toBe("LEAKDB_FLUSH_FAILED");
    expect(storage.deadLetters().map(({ key, error }) => [key, error.cause])).toEqual([
      ["a", expect.objectContaining(FENCED)],
      ["b", expect.objectContaining(FENCED)],
    ]);
    expect(events.of("fault")).toContainEqual(expect.objectContaining(FENCED));
    const written = backend.records.size;
    expect(backend.records.get("a")?.version).toBeLessThan(backend.highVersion);
    // The other one may come back at once.
    expect(backend.owner).toBeUndefined();
    // And it is for good: not one more opening, whatever is written.
    recording.forget();
    storage.set("c", 3);
    const again = watched(storage.flush());
    await clock.advance(FLUSH_TIMEOUT_MS);
    expect(again.outcome).toBe("LEAKDB_FLUSH_FAILED");
    expect(recording.calls).toEqual([]);
    expect(backend.records.size).toBe(written);
    expect(storage.get("c")).toBe(3);
    const closing = watched(storage.close());
    await clock.advance(FLUSH_TIMEOUT_MS);
    expect(closing.outcome).toBe("LEAKDB_CLOSE_INCOMPLETE");
    expect(closing.error).toMatchObject({ unwritten: [{ key: "a" }, { key: "b" }, { key: "c" }] });
    expect(recording.brokenPromises).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("write-through: each further write is refused, and memory stays what it was", async () => {
    const made = await openThrough<number>();
    const { storage, clock, faulty, backend } = made;
    await storage.set("a", 1);
    await storage.set("b", 1);
    await clock.advance(1_000);
    beforeReopening(made, () => writtenByAnother(made));
    faulty.script("write", "ambiguous");
    const first = watched(storage.set("a", 2));
    await clock.advance(1_000);
    expect(first.outcome).toBe("LEAKDB_PERHAPS_APPLIED");
    const refused = [storage.set("b", 2), storage.delete("b"), storage.clear()].map((call) =>
      watched<unknown>(call),
    );
    const uncertain = watched(storage.incr("a"));
    await clock.advance(WRITE_TIMEOUT_MS);
    for (const { outcome, error } of refused) {
      expect(outcome).toBe("LEAKDB_ADAPTER_REJECTED");
      expect(error).toMatchObject({ cause: FENCED });
    }
    expect(uncertain.outcome).toBe("LEAKDB_ADAPTER_UNAVAILABLE");
    expect(uncertain.error).toMatchObject({ cause: FENCED });
    const synced = watched(storage.flush({ level: "synced" }));
    await clock.advance(FLUSH_TIMEOUT_MS);
    expect(synced.outcome).toBe("LEAKDB_FLUSH_FAILED");
    expect(inMemory(storage)).toEqual({ a: 1, b: 1 });
    expect([...backend.records.keys()].sort()).toEqual(["a", "b", "of another"]);
    expect(backend.owner).toBeUndefined();
    await storage.close().catch(() => undefined);
    expect(clock.pendingTimers).toBe(0);
  });

  test("an adapter that finds out by itself is believed, and not opened again", async () => {
    const { storage, clock, faulty, recording } = await openBehind<number>();
    faulty.inner.open = async () => {
      throw new AdapterError("the epoch is another's", { kind: "transient", code: "LEAKDB_FENCED" });
    };
    faulty.script("write", "ambiguous");
    storage.set("a", 1);
    const flushing = watched(storage.flush());
    await clock.advance(FLUSH_TIMEOUT_MS);
    expect(flushing.outcome).toBe("LEAKDB_FLUSH_FAILED");
    expect(storage.deadLetters()).toMatchObject([{ key: "a", error: { cause: FENCED } }]);
    expect(recording.calls.filter(({ operation }) => operation === "open")).toHaveLength(2);
    expect(recording.calls.at(-1)?.operation).toBe("close");
  });
});

describe("an older state was put in place while the adapter was being reopened", () => {
  test.each([
    ["a write was acknowledged since the backup", true],
    ["nothing was written since the opening", false],
  ])("is never written to, and the right one is once it is back (%s)", async (_name, writes) => {
    const former = await openBehind<number>();
    former.storage.set("a", 1);
    await former.clock.advance(1_000);
    const empty = { records: new Map(), highVersion: 0 };
    let backup: Backup = writes ? backupOf(former.backend) : empty;
    await former.storage.close();
    const { backend, clock } = former;
    const made = await openBehind<number>({}, { backend, clock });
    const { storage, faulty, events, recording } = made;
    if (writes) {
      storage.set("b", 1);
      await clock.advance(1_000);
    }
    const right = backupOf(backend);
    beforeReopening(made, () => restore(backend, backup));
    faulty.script("write", "ambiguous");
    storage.set("c", 1);
    await clock.advance(3 * BACKOFF_MAX_MS);
    expect(backend.records).toEqual(backup.records);
    // Between two tries it is nobody's, so that whoever puts the right one back can.
    expect(backend.owner).toBeUndefined();
    const lost = expect.objectContaining({ kind: "transient", code: "LEAKDB_CORRUPTION" });
    expect(events.of("fault")).toContainEqual(lost);
    expect(storage.deadLetters()).toEqual([]);
    backup = right;
    const flushing = watched(storage.flush());
    await clock.advance(FLUSH_TIMEOUT_MS);
    expect(flushing.outcome).toBe("resolved");
    expect(stored(backend)).toEqual(inMemory(storage));
    expect(recording.brokenPromises).toEqual([]);
  });
});

describe("nothing is taken for another's that may be ours", () => {
  const FAULTS: readonly WriteFault[] = ["ambiguous", "ambiguous-after", "hang", "hang-after", "die-midway"];

  test.each(FAULTS)("what a write that met %s left, once and again", async (fault) => {
    const { storage, clock, faulty, backend, events } = await openBehind<number>(
      { batchMax: 4 },
      { capabilities: { atomicBatch: false } },
    );
    faulty.script("write", fault, fault, "transient", fault);
    for (let index = 0; index < 10; index += 1) storage.set(`key ${index}`, index);
    storage.delete("key 3");
    for (let index = 0; index < 8; index += 1) await clock.advance(BACKOFF_MAX_MS);
    expect(stored(backend)).toEqual(inMemory(storage));
    expect(events.of("fault").map((error) => (error as { code?: string }).code)).not.toContain(
      "LEAKDB_FENCED",
    );
    expect(storage.deadLetters()).toEqual([]);
  });

  test("what was rejected, and its version with it", async () => {
    const made = await openBehind<number>();
    const { storage, clock, faulty, backend } = made;
    faulty.rejectKey("bad");
    storage.set("good", 1);
    storage.set("bad", 1);
    await clock.advance(1_000);
    expect(storage.deadLetters()).toHaveLength(1);
    faulty.script("write", "ambiguous");
    storage.set("good", 2);
    const flushing = watched(storage.persisted(storage.version, "stored", { key: "good" }));
    await clock.advance(WRITE_TIMEOUT_MS);
    expect(flushing.outcome).toBe("resolved");
    expect(stored(backend)).toEqual({ good: 2 });
  });

  test("what another lane stored while one of them waits for the reopening", async () => {
    const { storage, clock, faulty, backend } = await openBehind<number>({ workers: 4, batchMax: 5 });
    faulty.script("write", { slowMs: 500 }, "ambiguous", { slowMs: 900 }, "hang-after", "ambiguous-after");
    for (let index = 0; index < 100; index += 1) storage.set(`key ${index}`, index);
    for (let step = 0; step < 40; step += 1) await clock.advance(5_000);
    expect(stored(backend)).toEqual(inMemory(storage));
    expect(storage.deadLetters()).toEqual([]);
  });
});

test("an adapter whose high version falls is at fault, and says so at the reopening", async () => {
  const { storage, clock, faulty, events, backend } = await openBehind<number>();
  storage.set("a", 1);
  await clock.advance(1_000);
  const { inner } = faulty;
  const open = inner.open.bind(inner);
  inner.open = async (context): Promise<AdapterState> => ({ ...(await open(context)), highVersion: 0 });
  faulty.script("write", "ambiguous");
  storage.set("a", 2);
  await clock.advance(BACKOFF_MAX_MS);
  expect(events.of("fault").map(({ message }) => message)).toContainEqual(
    expect.stringContaining("has lost"),
  );
  expect(stored(backend)).toEqual({ a: 1 });
});
