/** Plays a script on a store: `<path> <control> <script as JSON> <synchronous>`. */

import { playScript } from "@leakdb/adapter-tests/process";
import { sqlite } from "@leakdb/sqlite";

await playScript((filename, synchronous) => sqlite({ filename, synchronous }));
