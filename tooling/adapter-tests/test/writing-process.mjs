/** Writes to files named after `<files>`, and syncs them, under each fault in turn; prints what failed under which. */

import {
  constants,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

const [files, control] = process.argv.slice(2);
const plain = openSync(`${files}.plain`, "w");
const synced = openSync(`${files}.synced`, constants.O_WRONLY | constants.O_CREAT | constants.O_DSYNC);
const other = openSync(join(control, "other"), "w");

const calls = {
  write: () => writeSync(plain, "0123456789", 0),
  append: () => writeSync(plain, "0123456789", 10),
  "synced write": () => writeSync(synced, "0123456789", 0),
  fsync: () => fsyncSync(plain),
  fdatasync: () => fdatasyncSync(plain),
  "write to another file": () => writeSync(other, "0123456789"),
  "sync of another file": () => fsyncSync(other),
};

function failures() {
  const failed = {};
  for (const [name, call] of Object.entries(calls)) {
    try {
      call();
    } catch ({ code }) {
      failed[name] = code;
    }
  }
  return failed;
}

const outcomes = {};
for (const fault of ["none", "full", "fail-syncs", "fail-synced-writes", "fail-writes"]) {
  ftruncateSync(plain, 0);
  calls.write();
  writeFileSync(join(control, "calls"), `[${fault}]\n`, { flag: "a" });
  writeFileSync(join(control, fault), "");
  outcomes[fault] = failures();
  rmSync(join(control, fault));
}
process.stdout.write(JSON.stringify(outcomes));
