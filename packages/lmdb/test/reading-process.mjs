/** A process that holds a snapshot of a store, and tells so, until it is killed. */

import { open } from "lmdb";

const root = open({
  path: process.argv[2],
  noSubdir: false,
  readOnly: true,
  keyEncoding: "binary",
  maxDbs: 3,
});
const records = root.openDB("records", { encoding: "binary", keyEncoding: "binary" });
const snapshot = records.useReadTransaction();
const count = records.getCount({ start: new Uint8Array(0), transaction: snapshot });
process.stdout.write(String(count));
setInterval(() => undefined, 60_000);
