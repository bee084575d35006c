/** A process that copies one SQLite file to another, slowly, so that a test can kill it in the middle. */

import { setTimeout } from "node:timers/promises";
import { copy } from "@leakdb/core";
import { sqlite } from "@leakdb/sqlite";

const [fromFile, toFile] = process.argv.slice(2);
const to = sqlite({ filename: toFile });
const write = to.write.bind(to);
to.write = async (batch, options) => {
  await setTimeout(10);
  return write(batch, options);
};
const onProgress = ({ phase, records }) => console.log(`${phase} ${records} records`);
await copy(sqlite({ filename: fromFile }), to, { batchMax: 500, onProgress });
console.log("copied all");
