/**
 * Takes the lock of a directory again and again, among others that do the same, and writes `overlap` when two held it
 * at once. The last time it is killed with the lock in its hands.
 */

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DirectoryLock } from "@leakdb/core/adapter";

const [directory, control, takes] = process.argv.slice(2);
const held = join(control, "held");
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

for (let taken = 0; ; ) {
  let lock;
  try {
    lock = await DirectoryLock.take(directory);
  } catch (error) {
    if (error.code !== "LEAKDB_LOCKED") writeFileSync(join(control, "failure"), String(error.stack));
    await nextTurn();
    continue;
  }
  try {
    writeFileSync(held, "", { flag: "wx" });
  } catch {
    writeFileSync(join(control, "overlap"), "");
  }
  taken += 1;
  await nextTurn();
  rmSync(held, { force: true });
  if (taken === Number(takes)) process.kill(process.pid, "SIGKILL");
  lock.release();
  await nextTurn();
}
