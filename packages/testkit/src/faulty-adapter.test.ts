import assert from "node:assert/strict";
import type { Adapter, Mutation } from "@leakdb/core/adapter";
import { describe, test } from "vitest";
import { type FaultyAdapter, type FaultyOptions, faultyAdapter } from "./faulty-adapter.js";
import { ManualClock } from "./manual-clock.js";
import { ReferenceBackend, referenceAdapter } from "./reference-adapter.js";

const clock = new ManualClock();
const signal = new AbortController().signal;
const limits = { batchMax: 10_000, batchBytesMax: 8_388_608 };

function openIt(adapter: Adapter) {
  return adapter.open({ clock, signal, limits, report() {} });
}

async function opened(options: FaultyOptions = {}, atomicBatch = true) {
  const backend = new ReferenceBackend();
  const faulty = faultyAdapter(referenceAdapter({ backend, capabilities: { atomicBatch } }), {
    clock,
    ...options,
  });
  await openIt(faulty);
  return { backend, faulty };
}

let lastVersion = 0;

function put(key: string): Mutation {
  lastVersion += 1;
  return { type: "put", key, value: Buffer.from(key), version: lastVersion, expiresAt: 0 };
}

function write(
  faulty: FaultyAdapter,
  keys: readonly string[],
  options: { signal: AbortSignal } = { signal },
) {
  return faulty.write(keys.map(put), options);
}

/** True when the promise is still pending after the event loop has turned. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true;
  const settle = () => {
    pending = false;
  };
  promise.then(settle, settle);
  await clock.settle();
  return pending;
}

describe("faultyAdapter", () => {
  test("a rejected key is named by its index, and its neighbours are stored", async () => {
    const { backend, faulty } = await opened();
    faulty.rejectKey("b");
    const { rejected } = await write(faulty, ["a", "b", "c"]);
    assert.deepEqual(
      rejected?.map(({ index }) => index),
      [1],
    );
    assert.deepEqual([...backend.records.keys()], ["a", "c"]);
    faulty.acceptKey("b");
    assert.equal((await write(faulty, ["b"])).rejected, undefined);
  });

  test("rejections of the wrapped adapter keep the indexes that core knows", async () => {
    const faulty = faultyAdapter(referenceAdapter({ capabilities: { maxKeyBytes: 3 } }));
    await openIt(faulty);
    faulty.rejectKey("a");
    const { rejected } = await write(faulty, ["a", "b", "too long"]);
    assert.deepEqual(
      rejected?.map(({ index }) => index),
      [0, 2],
    );
  });

  test("a refused key fails its whole batch as permanent", async () => {
    const { backend, faulty } = await opened();
    faulty.refuseKey("b");
    await assert.rejects(write(faulty, ["a", "b"]), { kind: "permanent" });
    assert.equal(backend.records.size, 0);
    await write(faulty, ["a"]);
    assert.equal(backend.records.size, 1);
  });

  test("each scripted fault strikes one write and leaves behind what it says", async () => {
    const { backend, faulty } = await opened({}, false);
    const after = (keys: number, error: object) => ({ keys, error });
    const expected = {
      transient: after(0, { kind: "transient" }),
      permanent: after(0, { kind: "permanent" }),
      plain: after(0, { name: "Error" }),
      ambiguous: after(0, { kind: "ambiguous" }),
      "ambiguous-after": after(4, { kind: "ambiguous" }),
      "die-midway": after(2, { kind: "ambiguous" }),
    } as const;
    for (const fault of Object.keys(expected) as (keyof typeof expected)[]) {
      backend.records.clear();
      faulty.script("write", fault);
      await assert.rejects(write(faulty, ["a", "b", "c", "d"]), expected[fault].error, fault);
      assert.equal(backend.records.size, expected[fault].keys, fault);
    }
    await write(faulty, ["e"]);
    assert.equal(faulty.injected.get("write transient"), 1);
  });

  test("a half-applied batch of an adapter that claims atomic batches is refused", async () => {
    const { faulty } = await opened();
    assert.throws(() => faulty.script("write", "die-midway"), TypeError);
  });

  test("throws at the call", async () => {
    const { faulty } = await opened();
    for (const operation of ["write", "sync", "scan", "load"] as const)
      faulty.script(operation, "throw-sync");
    assert.throws(() => write(faulty, ["a"]));
    assert.throws(() => faulty.sync());
    assert.throws(() => faulty.scan({}));
    assert.throws(() => faulty.load([]));
  });

  test("hangs, before and after the write took effect", async () => {
    const { backend, faulty } = await opened();
    faulty.script("write", "hang", "hang-after");
    assert.equal(await isPending(write(faulty, ["a"])), true);
    assert.equal(await isPending(write(faulty, ["b"])), true);
    assert.deepEqual([...backend.records.keys()], ["b"]);
  });

  test("a slow answer comes by the clock, or is ambiguous when aborted before", async () => {
    const { faulty } = await opened();
    faulty.script("write", { slowMs: 50 }, { slowMs: 50 });
    const slow = write(faulty, ["a"]);
    await clock.advance(49);
    assert.equal(await isPending(slow), true);
    await clock.advance(1);
    await slow;
    const abort = new AbortController();
    const aborted = write(faulty, ["b"], abort);
    await clock.advance(49);
    abort.abort();
    await assert.rejects(aborted, { kind: "ambiguous" });
  });

  test("answers late, only after its abort", async () => {
    const { faulty } = await opened();
    faulty.script("write", "late-answer");
    const abort = new AbortController();
    const late = write(faulty, ["a"], abort);
    assert.equal(await isPending(late), true);
    abort.abort();
    await late;
  });

  test("lands late, after its abort, and never after a close", async () => {
    const { backend, faulty } = await opened();
    faulty.script("write", "late-landing", "late-landing");
    const abort = new AbortController();
    const first = write(faulty, ["a"], abort);
    abort.abort();
    assert.equal(await isPending(first), true);
    assert.equal(backend.records.size, 0);
    await clock.advance(1_000);
    await first;
    assert.equal(backend.records.size, 1);
    const second = write(faulty, ["b"], abort);
    assert.equal(await isPending(second), true);
    await faulty.close();
    await openIt(faulty);
    const rejected = assert.rejects(second, { kind: "transient" });
    await clock.advance(1_000);
    await rejected;
    assert.equal(backend.records.size, 1);
  });

  test("the gate holds calls and answers until they are released, one by one", async () => {
    const { backend, faulty } = await opened();
    faulty.gate.hold();
    const first = write(faulty, ["a"]);
    const second = write(faulty, ["b"]);
    await faulty.gate.reached(2);
    faulty.gate.waiting[1]?.release();
    await second;
    assert.deepEqual([...backend.records.keys()], ["b"]);
    faulty.gate.hold({ side: "answer" });
    faulty.gate.release();
    assert.equal(await isPending(first), true);
    assert.deepEqual([...backend.records.keys()], ["b", "a"]);
    faulty.gate.releaseAll();
    await first;
  });

  test("a call held over a close and a reopen never lands", async () => {
    const { backend, faulty } = await opened();
    faulty.gate.hold();
    const held = write(faulty, ["a"]);
    await faulty.gate.reached();
    await faulty.close();
    await openIt(faulty);
    faulty.gate.release();
    await assert.rejects(held, { kind: "transient" });
    assert.equal(backend.records.size, 0);
  });

  test("down, every call but close is transient until it is up again", async () => {
    const { faulty } = await opened();
    faulty.goDown();
    await assert.rejects(write(faulty, ["a"]), { kind: "transient" });
    await assert.rejects(faulty.sync(), { kind: "transient" });
    await faulty.close();
    await assert.rejects(openIt(faulty), { kind: "transient" });
    faulty.goUp();
    await openIt(faulty);
  });

  test("a closing that hangs or fails leaves the backend owned", async () => {
    const { backend, faulty } = await opened();
    faulty.script("close", "hang", "plain");
    assert.equal(await isPending(faulty.close()), true);
    await assert.rejects(faulty.close());
    await assert.rejects(openIt(referenceAdapter({ backend })), { code: "LEAKDB_LOCKED" });
    await faulty.close();
    await openIt(referenceAdapter({ backend }));
  });

  test("a scan fails in the middle of its first page", async () => {
    const { faulty } = await opened();
    await write(faulty, ["a", "b", "c", "d"]);
    faulty.script("scan", "midway");
    const seen: string[] = [];
    await assert.rejects(
      async () => {
        for await (const page of faulty.scan({})) seen.push(...page.map((record) => record.key));
      },
      { kind: "transient" },
    );
    assert.deepEqual(seen, ["a", "b"]);
  });

  test("a seed draws the same faults again, another one others, and heal ends them", async () => {
    const outcomes = async (seed: number) => {
      const { faulty } = await opened({ seed, rates: { write: { transient: 0.3, plain: 0.2 } } });
      const seen: string[] = [];
      for (let index = 0; index < 40; index += 1) {
        seen.push(
          await write(faulty, ["a"]).then(
            () => "ok",
            (error: Error) => error.name,
          ),
        );
      }
      faulty.heal();
      await write(faulty, ["a"]);
      return seen.join();
    };
    assert.equal(await outcomes(7), await outcomes(7));
    assert.notEqual(await outcomes(7), await outcomes(8));
  });
});
