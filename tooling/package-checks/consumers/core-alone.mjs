/** A user of `@leakdb/core` with no adapter at all: memory and a journal work, and nothing but the package is needed. */

import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { DefaultStorage, isLeakDBError } from "@leakdb/core";
import { AdapterError } from "@leakdb/core/adapter";

const storage = await DefaultStorage.open();
storage.set("visits", 1);
assert.equal(storage.incr("visits"), 2);
assert.equal(storage.get("visits"), 2);
assert.equal(storage.get("absent"), undefined);
await storage.close();
assert.throws(() => storage.set("visits", 3), isLeakDBError);

const journal = { directory: "visits.journal" };
const durable = await DefaultStorage.open({ journal });
await durable.persisted(durable.set("visits", 4), "journaled");
await assert.rejects(DefaultStorage.open({ journal }), { code: "LEAKDB_LOCKED" });
await durable.close();
const again = await DefaultStorage.open({ journal });
assert.equal(again.get("visits"), 4);
await again.close();
await rm(journal.directory, { recursive: true });
assert.equal(new AdapterError("gone", { kind: "transient" }).kind, "transient");
