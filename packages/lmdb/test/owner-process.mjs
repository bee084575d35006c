/** A process that owns a store and writes batches of a thousand until it is killed. */

import { writeUntilKilled } from "@leakdb/adapter-tests/process";
import { lmdb } from "@leakdb/lmdb";

await writeUntilKilled(lmdb({ directory: process.argv[2] }));
