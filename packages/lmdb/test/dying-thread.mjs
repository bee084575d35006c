/** The adapter's thread, which ends in the middle of the transaction that holds the key "die here". */

import { serveAdapter } from "@leakdb/core/adapter-thread";
import { LmdbStore } from "../dist/lmdb-store.js";

serveAdapter((settings) => {
  const store = new LmdbStore(settings);
  const write = store.write.bind(store);
  store.write = (batch, options) => {
    const fatal = batch.findIndex(({ key }) => key === "die here");
    if (fatal >= 0) {
      // The records are written in the order of their keys: some thousand before this one.
      Object.defineProperty(batch[fatal - 1], "value", { get: () => process.exit(7) });
    }
    return write(batch, options);
  };
  return store;
});
