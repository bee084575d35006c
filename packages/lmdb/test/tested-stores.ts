/** Stores of LMDB for the tests of this package. */

import { join } from "node:path";
import { testedStores } from "@leakdb/adapter-tests";
import { type LmdbOptions, lmdb } from "@leakdb/lmdb";

/** The file that holds the records. */
export const dataFile = (directory: string): string => join(directory, "data.mdb");

export const { openStore, madeStore, refuses } = testedStores<LmdbOptions>({
  make: lmdb,
  optionsOf: (directory) => ({ directory }),
  dataFile,
});
