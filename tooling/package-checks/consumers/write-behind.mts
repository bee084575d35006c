/** A user's program in strict TypeScript: writes behind to SQLite, closes, opens again and finds everything. */

import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { isLeakDBError, type JournalOptions, PersistentQueueStorage, salvage } from "@leakdb/core";
import { sqlite } from "@leakdb/sqlite";

interface Session {
  user: string;
  visits: number;
  lastSeen: Date;
}

const filename = "typescript.db";
const session: Session = { user: "ada", visits: 1, lastSeen: new Date(0) };

const storage = await PersistentQueueStorage.open<Session>({ adapter: sqlite({ filename }) });
const version: number = storage.set("session:1", session);
storage.update("session:1", (old) => old && { ...old, visits: old.visits + 1 });
storage.set("session:2", session, { ttl: 60_000 });
await storage.persisted(version, "stored");
await storage.flush();
await storage.close();

const again = await PersistentQueueStorage.open<Session>({ adapter: sqlite({ filename }) });
const found: Session | undefined = again.get("session:1");
assert.deepEqual(found, { ...session, visits: 2 });
assert.deepEqual([...again.keys({ prefix: "session:" })], ["session:1", "session:2"]);
assert.equal(again.delete("session:2"), true);
await again.close();
assert.throws(
  () => again.set("session:1", session),
  (error) => isLeakDBError(error) && error.code === "LEAKDB_CLOSED",
);

const journal: JournalOptions = { directory: "typescript.journal", sync: "always" };
{
  await using third = await PersistentQueueStorage.open<Session>({ adapter: sqlite({ filename }), journal });
  assert.equal(third.has("session:2"), false);
  await third.persisted(third.set("session:3", session), "journaled");
  assert.equal(third.stats().journal?.failure, undefined);
}
const { damaged, missing } = await salvage({ directory: journal.directory, to: "typescript.salvaged" });
assert.deepEqual([...damaged, ...missing], []);
for (const path of [filename, journal.directory, "typescript.salvaged"]) await rm(path, { recursive: true });

/** Never called: that it does not compile is the test. */
export function storeNumber(sessions: PersistentQueueStorage<Session>): number {
  // @ts-expect-error: a number is no Session
  return sessions.set("session:1", 7);
}
