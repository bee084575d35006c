import assert from "node:assert/strict";
import { systemClock } from "@leakdb/core/adapter";
import { describe, test } from "vitest";
import { faultyAdapter } from "./faulty-adapter.js";
import { recordingAdapter } from "./recording-adapter.js";
import { referenceAdapter } from "./reference-adapter.js";

const context = {
  clock: systemClock,
  signal: new AbortController().signal,
  limits: { batchMax: 10_000, batchBytesMax: 8_388_608 },
  report() {},
};
const signal = context.signal;

describe("recordingAdapter", () => {
  test("the trace shows calls, batches, answers and errors in order", async () => {
    const faulty = faultyAdapter(referenceAdapter());
    const adapter = recordingAdapter(faulty, { describeValue: (value) => Buffer.from(value).toString() });
    await adapter.open(context);
    await adapter.write(
      [
        { type: "put", key: "a", value: Buffer.from("one"), version: 5, expiresAt: 0 },
        { type: "put", key: "a b", value: Buffer.from("two"), version: 6, expiresAt: 99 },
        { type: "delete", key: "b", version: 7 },
        { type: "clear", prefix: "p", version: 8 },
      ],
      { signal },
    );
    faulty.script("write", "ambiguous", "throw-sync");
    await assert.rejects(adapter.write([], { signal }));
    assert.throws(() => adapter.write([], { signal }));
    await adapter.load(["a", "x"]);
    for await (const _page of adapter.scan({ prefix: "a" }));
    await adapter.sync();
    await adapter.close();
    assert.equal(
      adapter.trace(),
      [
        "1 open",
        "1 open: ok, high version 0",
        '2 write: put a@5 one, put "a b"@6 two expires 99, delete b@7, clear "p"@8',
        "2 write: ok",
        "3 write: ",
        "3 write: ambiguous, reference failed (write)",
        "4 write: ",
        "4 write: failed, reference threw at the call of write",
        "5 load: a, x",
        "5 load: ok, 1 found",
        '6 scan prefix "a"',
        "6 scan: ok, 2 records",
        "7 sync",
        "7 sync: ok",
        "8 close",
        "8 close: ok",
      ].join("\n"),
    );
    assert.equal(adapter.writesUnderWay, 0);
    assert.deepEqual(adapter.brokenPromises, []);
  });

  test("a recorded batch doesn't change when its bytes do", async () => {
    const adapter = recordingAdapter(referenceAdapter());
    await adapter.open(context);
    const value = Buffer.from("one");
    await adapter.write([{ type: "put", key: "a", value, version: 5, expiresAt: 0 }], { signal });
    value.fill(0);
    const [mutation] = adapter.batches[0] ?? [];
    assert.equal(mutation?.type === "put" && Buffer.from(mutation.value).toString(), "one");
  });

  test("where the caller breaks the contract is written down, and the call passes all the same", async () => {
    const adapter = recordingAdapter(referenceAdapter());
    await assert.rejects(adapter.load(["a"]), { kind: "transient" });
    await adapter.open(context);
    const older = { type: "delete", key: "a", version: 1 } as const;
    await adapter.write([{ ...older, version: 2 }], { signal });
    await adapter.write([older], { signal });
    assert.deepEqual(adapter.brokenPromises, [
      "call 1: load was called while the adapter was not open",
      'call 4: delete "a"@1 was sent after version 2 was acknowledged',
    ]);
  });
});
