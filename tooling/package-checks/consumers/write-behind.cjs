/** A user's program in CommonJS: ES modules are required, which Node can do from 20.19 on. */

const assert = require("node:assert/strict");
const { rmSync } = require("node:fs");
const { PersistentQueueStorage } = require("@leakdb/core");
const { sqlite } = require("@leakdb/sqlite");

const filename = "commonjs.db";

async function main() {
  const storage = await PersistentQueueStorage.open({ adapter: sqlite({ filename }) });
  storage.set("cart:1", { items: ["tea"], total: 3n });
  storage.set("cart:2", { items: [], total: 0n });
  storage.delete("cart:2");
  await storage.flush();
  await storage.close();

  const again = await PersistentQueueStorage.open({ adapter: sqlite({ filename }) });
  assert.deepEqual([...again.entries()], [["cart:1", { items: ["tea"], total: 3n }]]);
  await again.close();
  rmSync(filename);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
