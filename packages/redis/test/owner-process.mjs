/**
 * A process that owns a store and counts in it until it is killed. It tells each count once that is stored, each by a line,
 * and in the end, if it comes to one, the code of what ended it.
 */

import { PersistentQueueStorage } from "@leakdb/core";
import { redis } from "@leakdb/redis";

const storage = await PersistentQueueStorage.open({
  adapter: redis(JSON.parse(process.argv[2])),
  writeDelay: 1,
});
storage.on("fault", ({ code = "" }) => {
  if (code === "LEAKDB_FENCED") process.stdout.write(`${code}\n`);
});
for (let count = storage.get("count") ?? 0; ; ) {
  count += 1;
  const version = storage.set("count", count);
  storage.set(`key ${count}`, count);
  try {
    await storage.persisted(version, "stored");
  } catch ({ code }) {
    // What it can't store, once it is fenced, is reported by its storage; there is nothing left to count.
    if (code === "LEAKDB_FLUSH_FAILED") break;
  }
  process.stdout.write(`${count}\n`);
}
