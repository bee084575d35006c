/** A service that has a journal open, has been told that what it wrote is there, and goes on until it is killed. */

import { DefaultStorage } from "@leakdb/core";

const storage = await DefaultStorage.open({ journal: { directory: process.argv[2] } });
for (let index = 0; index < 1_000; index += 1) storage.set(`key ${index}`, index);
await storage.flush();
setInterval(() => undefined, 1_000);
console.log("journaled");
