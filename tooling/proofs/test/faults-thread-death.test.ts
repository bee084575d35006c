/**
 * The thread of a real adapter dies below a running store, and with it the lock: what another owner writes until the next
 * call, or a file that somebody puts in its place, is found out by the thread that is started then.
 */

import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PersistentQueueStorage, PersistentStorage } from "@leakdb/core";
import { killThread, type ThreadAdapter } from "@leakdb/core/adapter-thread";
import { lmdb } from "@leakdb/lmdb";
import { sqlite } from "@leakdb/sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { EventLog } from "../src/faults/event-log.js";

const FENCED = { kind: "permanent", code: "LEAKDB_FENCED" };
const QUICK = { writeDelay: 1, retry: { backoff: 5, maxBackoff: 20 } };

interface Place {
  /** A fresh adapter over the same store. */
  adapter(): ThreadAdapter;
  /** What holds the records, while nobody has them open. */
  readonly files: readonly string[];
}

const PLACES: Readonly<Record<string, (root: string) => Place>> = {
  sqlite: (root) => {
    const filename = join(root, "store.db");
    return {
      adapter: () => sqlite({ filename }),
      files: [filename, `${filename}-wal`, `${filename}-shm`],
    };
  },
  lmdb: (root) => ({ adapter: () => lmdb({ directory: root }), files: [join(root, "data.mdb")] }),
};

function newRoot(): string {
  const root = mkdtempSync(join(tmpdir(), "leakdb-thread-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

/** Takes a copy; what it answers puts that copy in the place of whatever is there by then. */
function backup({ files }: Place): () => void {
  const directory = newRoot();
  for (const [index, file] of files.entries())
    if (existsSync(file)) copyFileSync(file, join(directory, `${index}`));
  return () => {
    for (const file of files) rmSync(file, { force: true });
    for (const index of readdirSync(directory)) {
      copyFileSync(join(directory, index), files[Number(index)] as string);
    }
  };
}

async function contentOf(place: Place): Promise<Record<string, unknown>> {
  const storage = await PersistentQueueStorage.open({ adapter: place.adapter() });
  const content = Object.fromEntries([...storage.entries()].sort());
  await storage.close();
  return content;
}

describe.each(Object.entries(PLACES))("%s: the thread dies", (_name, makePlace) => {
  const newPlace = (): Place => {
    const root = join(newRoot(), "store");
    mkdirSync(root);
    return makePlace(root);
  };

  test("and nobody comes: the next write starts it again", async () => {
    const place = newPlace();
    const adapter = place.adapter();
    const storage = await PersistentQueueStorage.open<number>({ adapter, ...QUICK });
    for (let life = 0; life < 3; life += 1) {
      storage.set("a", life);
      await storage.flush();
      await adapter[killThread]();
    }
    await storage.close();
    expect(await contentOf(place)).toEqual({ a: 2 });
  });

  test("and another owner comes and goes: nothing is written over what that one wrote", async () => {
    const place = newPlace();
    const adapter = place.adapter();
    const storage = await PersistentQueueStorage.open<number>({ adapter, ...QUICK });
    const events = new EventLog(storage);
    storage.setMulti({ a: 1, b: 1 });
    await storage.flush();
    await adapter[killThread]();
    const other = await PersistentStorage.open<number>({ adapter: place.adapter() });
    await other.set("a", 2);
    await other.close();
    storage.set("b", 3);
    await expect(storage.flush()).rejects.toMatchObject({
      deadLetters: [{ key: "b", error: { cause: FENCED } }],
    });
    expect(events.of("deadLetter")).toHaveLength(1);
    // Nothing of the first is in the way of the other.
    expect(await contentOf(place)).toEqual({ a: 2, b: 1 });
    await expect(storage.close()).rejects.toMatchObject({ unwritten: [{ key: "b", value: 3 }] });
    expect(await contentOf(place)).toEqual({ a: 2, b: 1 });
  });

  test("and another owner comes and goes: a write-through caller is told, and has changed nothing", async () => {
    const place = newPlace();
    const adapter = place.adapter();
    const storage = await PersistentStorage.open<number>({ adapter, ...QUICK });
    await storage.set("a", 1);
    await adapter[killThread]();
    const other = await PersistentStorage.open<number>({ adapter: place.adapter() });
    await other.set("a", 2);
    await other.close();
    await expect(storage.incr("a")).rejects.toMatchObject({ code: "LEAKDB_ADAPTER_REJECTED", cause: FENCED });
    expect(storage.get("a")).toBe(1);
    await storage.close().catch(() => undefined);
    expect(await contentOf(place)).toEqual({ a: 2 });
  });

  test("and a backup is put in place: it is not written to, and the right files are once they are back", async () => {
    const place = newPlace();
    const first = await PersistentQueueStorage.open<number>({ adapter: place.adapter() });
    first.set("a", 1);
    await first.close();
    const putBackupInPlace = backup(place);
    const adapter = place.adapter();
    // After a failure nobody opens the files until the flush, so that they can be put back meanwhile.
    const retry = { backoff: 120_000, maxBackoff: 120_000 };
    const storage = await PersistentQueueStorage.open<number>({ adapter, writeDelay: 1, retry });
    storage.set("b", 1);
    await storage.flush();
    await adapter[killThread]();
    const putBack = backup(place);
    putBackupInPlace();
    const retried = new Promise((resolve) => storage.once("retry", resolve));
    storage.set("c", 1);
    const lost = {
      kind: "transient",
      code: "LEAKDB_CORRUPTION",
      message: expect.stringContaining("has lost"),
    };
    expect(await retried).toMatchObject({ error: lost });
    expect(storage.deadLetters()).toEqual([]);
    putBack();
    await storage.flush();
    await storage.close();
    expect(await contentOf(place)).toEqual({ a: 1, b: 1, c: 1 });
  });
});
