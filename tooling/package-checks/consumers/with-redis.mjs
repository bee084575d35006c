/** A user's program that has core, the Redis adapter and ioredis; the server's url is its argument. */

import assert from "node:assert/strict";
import { PersistentQueueStorage } from "@leakdb/core";
import { redis } from "@leakdb/redis";

const url = process.argv[2];
const storage = await PersistentQueueStorage.open({ adapter: redis({ url }) });
storage.set("session:1", { user: "ada", lastSeen: new Date(0) });
await storage.flush();
await storage.close();

const again = await PersistentQueueStorage.open({ adapter: redis({ url }) });
assert.deepEqual(again.get("session:1"), { user: "ada", lastSeen: new Date(0) });
await again.close();
