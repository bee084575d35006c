/** Plays a script on a store: `<path> <control> <script as JSON>`. */

import { playScript } from "@leakdb/adapter-tests/process";
import { lmdb } from "@leakdb/lmdb";

await playScript((directory) => lmdb({ directory }));
