/**
 * The thread file of the host's tests: an adapter in memory that misbehaves where a key tells it to. It runs the
 * built package, as the thread file of a real adapter does.
 */

import { AdapterError } from "@leakdb/core/adapter";
import { serveAdapter } from "@leakdb/core/adapter-thread";

const OPENINGS = 0;
const GATE = 1;
const WRITES_DONE = 2;

serveAdapter(({ shared, otherStoreAt, failOpenAt, blockOpenAt, highVersions = [] }) => {
  const cells = new Int32Array(shared);
  const records = new Map();
  let context;

  const act = {
    async "fail permanent"() {
      throw new AdapterError("never", { kind: "permanent", code: "LEAKDB_ADAPTER_REJECTED" });
    },
    async "fail plain"() {
      throw new TypeError("a mistake");
    },
    async block() {
      // As a native call does: the thread hears nothing until it is over.
      Atomics.wait(cells, GATE, 0);
    },
    async exit() {
      process.exit(3);
    },
    async uncaught() {
      setImmediate(() => {
        throw new Error("nobody catches this");
      });
      await new Promise(() => undefined);
    },
    async timer() {
      context.clock.setTimeout(() => context.report(new Error(`fired at ${context.clock.now()}`)), 1000);
    },
    async "timer idle"() {
      context.clock.setTimeout(() => context.report(new Error("fired")), 3_600_000, true);
    },
    async "timer cleared"() {
      context.clock.clearTimeout(context.clock.setTimeout(() => context.report(new Error("fired")), 1000));
    },
  };

  return {
    name: "fixture",
    capabilities: {},
    async open(given) {
      context = given;
      const openings = Atomics.add(cells, OPENINGS, 1) + 1;
      if (openings === blockOpenAt) Atomics.wait(cells, GATE, 0);
      if (openings === failOpenAt)
        throw new AdapterError("not now", { kind: "transient", code: "LEAKDB_LOCKED" });
      const storeId = openings === otherStoreAt ? "other" : "store";
      return { storeId, highVersion: highVersions[openings - 1] ?? 5, bytes: 6 };
    },
    async write(batch) {
      const rejected = [];
      for (const [index, mutation] of batch.entries()) {
        if (mutation.key === "reject") rejected.push({ index, error: new RangeError("too odd") });
        else await act[mutation.key]?.();
        if (mutation.type === "put")
          records.set(mutation.key, { ...mutation, value: mutation.value.slice() });
      }
      Atomics.add(cells, WRITES_DONE, 1);
      return { bytes: batch.length, rejected };
    },
    async load(keys) {
      return keys.map((key) => records.get(key));
    },
    async *scan({ prefix = "", after = "" }) {
      for (const key of [...records.keys()].sort()) {
        if (key.startsWith(prefix) && key > after) yield [records.get(key)];
      }
      if (prefix === "broken")
        throw new AdapterError("torn page", { kind: "transient", code: "LEAKDB_CORRUPTION" });
    },
    async sync() {
      if (records.has("fail sync")) throw new AdapterError("no disk", { kind: "transient" });
    },
    async close() {
      if (records.has("fail close")) throw new AdapterError("cannot close", { kind: "transient" });
    },
  };
});
