/** A process that owns a store and writes batches of a thousand until it is killed. */

import { writeUntilKilled } from "@leakdb/adapter-tests/process";
import { sqlite } from "@leakdb/sqlite";

await writeUntilKilled(sqlite({ filename: process.argv[2] }));
