/** The file that the adapter's thread runs. */

import { serveAdapter } from "@leakdb/core/adapter-thread";
import type { LmdbSettings } from "./environment.js";
import { LmdbStore } from "./lmdb-store.js";

serveAdapter((settings: LmdbSettings) => new LmdbStore(settings));
