/** `node main.mjs <report.json>` prints the closing lines of a test run: see {@link countTests}. */

import { readFileSync } from "node:fs";
import { closingLines, countTests } from "./count-tests.mjs";

const [, , path] = process.argv;
if (path === undefined) throw new Error("usage: node main.mjs <report.json>");
console.log(closingLines(countTests(JSON.parse(readFileSync(path, "utf8")))).join("\n"));
