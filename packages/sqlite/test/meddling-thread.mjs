/**
 * The adapter's thread, where somebody meddles with the files in the middle of a write: a key "remove -wal" removes
 * that file, "move" moves the main one to ".moved".
 */

import { renameSync, rmSync } from "node:fs";
import { serveAdapter } from "@leakdb/core/adapter-thread";
import { SqliteDatabase } from "../dist/sqlite-database.js";

serveAdapter((settings) => {
  const database = new SqliteDatabase(settings);
  const write = database.write.bind(database);
  const meddle = (key) => {
    if (key === "move") renameSync(settings.path, `${settings.path}.moved`);
    else rmSync(settings.path + key.slice("remove ".length));
  };
  database.write = (batch, options) => {
    for (const mutation of batch) {
      const { key, value } = mutation;
      if (!/^(remove|move)/.test(key)) continue;
      // The value is asked for when the record is written, when all was found in place.
      Object.defineProperty(mutation, "value", {
        get() {
          meddle(key);
          return value;
        },
      });
    }
    return write(batch, options);
  };
  return database;
});
