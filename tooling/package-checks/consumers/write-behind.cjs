/** A user's program in CommonJS: ES modules are required, which Node can do from 20.19 on. */

const assert = require("node:assert/strict");
const { rmSync } = require("node:fs");
const { PersistentQueueStorage, QueueStorage } = require("@leakdb/core");
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

  const journal = { directory: "commonjs.journal" };
  const stuck = await QueueStorage.open({ journal, workerProcess: () => false });
  stuck.set("page:1", "One");
  await assert.rejects(stuck.close({ timeout: 10 }), { code: "LEAKDB_CLOSE_INCOMPLETE" });
  const delivered = [];
  const workerProcess = ({ key, value }) => delivered.push([key, value]) > 0;
  const queue = await openOnceFree({ journal, workerProcess });
  await queue.close();
  assert.deepEqual(delivered, [["page:1", "One"]]);
  rmSync(journal.directory, { recursive: true });
}

/** A close whose time is over lets go a moment later. */
async function openOnceFree(options) {
  for (;;) {
    try {
      return await QueueStorage.open(options);
    } catch (error) {
      if (error.code !== "LEAKDB_LOCKED") throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
