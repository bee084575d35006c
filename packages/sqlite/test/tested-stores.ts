/** Stores of SQLite for the tests of this package. */

import { testedStores } from "@leakdb/adapter-tests";
import { type SqliteOptions, sqlite } from "@leakdb/sqlite";

export const { openStore, madeStore, refuses } = testedStores<SqliteOptions>({
  make: sqlite,
  optionsOf: (filename) => ({ filename }),
  dataFile: (filename) => filename,
  closeRejects: "LEAKDB_FENCED",
});
