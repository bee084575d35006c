/** A user's program that has core and the LMDB adapter: writes behind, closes, opens again and finds everything. */

import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { PersistentQueueStorage } from "@leakdb/core";
import { lmdb } from "@leakdb/lmdb";

const directory = "with-lmdb";
const storage = await PersistentQueueStorage.open({ adapter: lmdb({ directory }) });
storage.set("session:1", { user: "ada", lastSeen: new Date(0) });
await storage.flush({ level: "synced" });
await storage.close();

const again = await PersistentQueueStorage.open({ adapter: lmdb({ directory }) });
assert.deepEqual(again.get("session:1"), { user: "ada", lastSeen: new Date(0) });
await again.close();
await rm(directory, { recursive: true });
