/** A program that writes, awaits nothing, closes nothing, and comes to its end. */

import { DefaultStorage } from "@leakdb/core";

const storage = await DefaultStorage.open({ journal: { directory: process.argv[2] } });
storage.set("a", 1);
console.log("written");
