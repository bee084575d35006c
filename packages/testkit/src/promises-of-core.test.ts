import assert from "node:assert/strict";
import { AdapterError, type Mutation } from "@leakdb/core/adapter";
import { describe, test } from "vitest";
import { clear, put, remove } from "./conformance/mutations.js";
import { PromisesOfCore } from "./promises-of-core.js";
import { REFERENCE_CAPABILITIES } from "./reference-adapter.js";

function opened(): PromisesOfCore {
  const promises = new PromisesOfCore();
  promises.opened({ batchMax: 4, batchBytesMax: 8 });
  return promises;
}

let lastId = 0;

function begin(promises: PromisesOfCore, ...batch: Mutation[]): number {
  lastId += 1;
  promises.writeBegun(lastId, batch, { ...REFERENCE_CAPABILITIES, lanesMax: 2 });
  return lastId;
}

function store(promises: PromisesOfCore, ...batch: Mutation[]): void {
  promises.writeAcknowledged(begin(promises, ...batch), { bytes: 0 });
}

function fail(promises: PromisesOfCore, kind: "transient" | "ambiguous", ...batch: Mutation[]): void {
  promises.writeFailed(begin(promises, ...batch), new AdapterError("failed", { kind }));
}

const broken: [string, RegExp, (promises: PromisesOfCore) => void][] = [
  ["a call before open", /sync was called while/, () => new PromisesOfCore()],
  [
    "too many lanes",
    /over 2 writes/,
    (promises) => {
      for (const key of ["a", "b", "c"]) begin(promises, put(key, "1", 1));
    },
  ],
  [
    "a key under way twice",
    /another write of its key/,
    (promises) => {
      begin(promises, put("a", "1", 1));
      begin(promises, remove("a", 2));
    },
  ],
  [
    "a clear beside an older put",
    /at once with a clear/,
    (promises) => {
      begin(promises, put("a", "1", 1));
      begin(promises, clear("", 2));
    },
  ],
  [
    "a batch too long",
    /5 mutations/,
    (promises) => begin(promises, ...["a", "b", "c", "d", "e"].map((key) => remove(key, 1))),
  ],
  [
    "a batch too heavy",
    /10 bytes/,
    (promises) => begin(promises, put("a", "12345", 1), put("b", "12345", 2)),
  ],
  [
    "a key twice in a batch",
    /stands twice/,
    (promises) => begin(promises, clear("", 1), put("a", "1", 2), remove("a", 3)),
  ],
  [
    "a put behind a newer clear",
    /newer clear/,
    (promises) => begin(promises, clear("", 2), put("a", "1", 1)),
  ],
  [
    "an older version after a newer one",
    /version 2 was acknowledged/,
    (promises) => {
      store(promises, put("a", "2", 2));
      begin(promises, put("a", "1", 1));
    },
  ],
  [
    "an older put after a clear",
    /clear at 5/,
    (promises) => {
      store(promises, clear("a", 5));
      begin(promises, put("ab", "1", 4));
    },
  ],
  [
    "other bytes of the same version",
    /other bytes/,
    (promises) => {
      fail(promises, "transient", put("a", "1", 1));
      begin(promises, put("a", "2", 1));
    },
  ],
  [
    "a key of an ambiguous write before a reopening",
    /before the adapter was reopened/,
    (promises) => {
      fail(promises, "ambiguous", put("a", "1", 1));
      begin(promises, put("a", "1", 1));
    },
  ],
];

describe("PromisesOfCore", () => {
  test.each(broken)("%s is written down", (_name, expected, act) => {
    const promises = opened();
    const acted: unknown = act(promises);
    const judged = acted instanceof PromisesOfCore ? acted : promises;
    if (judged !== promises) judged.called(1, "sync");
    assert.match(judged.broken.join("\n"), expected);
  });

  test("a caller that keeps the contract breaks none", () => {
    const promises = opened();
    store(promises, put("a", "1", 1), clear("a", 2), put("a", "2", 3));
    fail(promises, "transient", put("b", "1", 4), clear("", 5), put("b", "2", 6));
    store(promises, put("b", "1", 4));
    store(promises, clear("", 5), put("b", "2", 6));
    fail(promises, "ambiguous", put("c", "1", 7));
    store(promises, put("d", "a value over the limit, alone", 8));
    promises.closed();
    promises.opened({ batchMax: 4, batchBytesMax: 8 });
    store(promises, put("c", "1", 7));
    begin(promises, put("e", "1", 10));
    begin(promises, clear("e", 9));
    assert.deepEqual(promises.broken, []);
  });

  test("a rejected mutation doesn't count as acknowledged", () => {
    const promises = opened();
    const id = begin(promises, put("a", "1", 9));
    promises.writeAcknowledged(id, { bytes: 0, rejected: [{ index: 0, error: new Error("no") }] });
    store(promises, put("a", "1", 8));
    assert.deepEqual(promises.broken, []);
  });
});
