/** A user of `@leakdb/core` with no adapter at all: memory works, and nothing but the package is needed. */

import assert from "node:assert/strict";
import { DefaultStorage, isLeakDBError } from "@leakdb/core";
import { AdapterError } from "@leakdb/core/adapter";

const storage = await DefaultStorage.open();
storage.set("visits", 1);
assert.equal(storage.incr("visits"), 2);
assert.equal(storage.get("visits"), 2);
assert.equal(storage.get("absent"), undefined);
await storage.close();
assert.throws(() => storage.set("visits", 3), isLeakDBError);
assert.equal(new AdapterError("gone", { kind: "transient" }).kind, "transient");
