/** The file that the adapter's thread runs. */

import { serveAdapter } from "@leakdb/core/adapter-thread";
import type { SqliteSettings } from "./database-file.js";
import { SqliteDatabase } from "./sqlite-database.js";

serveAdapter((settings: SqliteSettings) => new SqliteDatabase(settings));
