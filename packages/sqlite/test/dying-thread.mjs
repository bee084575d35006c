/** The adapter's thread, which ends in the middle of the transaction that holds the key "die here". */

import { dyingInWrite } from "@leakdb/adapter-tests/process";
import { serveAdapter } from "@leakdb/core/adapter-thread";
import { SqliteDatabase } from "../dist/sqlite-database.js";

serveAdapter(dyingInWrite((settings) => new SqliteDatabase(settings)));
