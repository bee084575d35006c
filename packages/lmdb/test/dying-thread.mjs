/** The adapter's thread, which ends in the middle of the transaction that holds the key "die here". */

import { dyingInWrite } from "@leakdb/adapter-tests/process";
import { serveAdapter } from "@leakdb/core/adapter-thread";
import { LmdbStore } from "../dist/lmdb-store.js";

serveAdapter(dyingInWrite((settings) => new LmdbStore(settings)));
