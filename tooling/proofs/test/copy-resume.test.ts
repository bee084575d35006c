/** A copy that ended in the middle, by an abort or by a kill, is finished by the next call. */

import { copy, PersistentQueueStorage } from "@leakdb/core";
import { sqlite } from "@leakdb/sqlite";
import {
  faultyAdapter,
  ManualClock,
  ReferenceBackend,
  recordingAdapter,
  referenceAdapter,
} from "@leakdb/testkit";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  type Backend,
  contents,
  FIRST_VERSION,
  fill,
  inFile,
  inMemory,
  numbered,
  put,
  temporaryFile,
} from "../src/copy/backends.js";
import { Child } from "../src/faults/child-process.js";

const RECORDS = 20_000;

/** Copies until some thousand records are through, then aborts. */
async function interrupt(from: Backend, to: Backend): Promise<void> {
  const controller = new AbortController();
  const reason = new Error("enough");
  const copying = copy(from(), to(), {
    batchMax: 1_000,
    signal: controller.signal,
    onProgress: ({ records }) => {
      if (records >= 5_000) controller.abort(reason);
    },
  });
  await expect(copying).rejects.toBe(reason);
}

describe.each([
  ["SQLite", inFile],
  ["reference", inMemory],
  ["reference without an order", () => unordered(new ReferenceBackend())],
] as const)("%s", (_, make) => {
  test("after an abort nothing is written twice, and the copy ends equal", async () => {
    const [from, to] = [make(), make()];
    await fill(from, numbered(RECORDS));
    await fill(from, [{ type: "delete", key: "key 0000000", version: FIRST_VERSION + RECORDS + 1 }]);
    await interrupt(from, to);
    const before = (await contents(to)).records.length;
    expect(before).toBeGreaterThanOrEqual(5_000);
    expect(before).toBeLessThan(RECORDS - 1);

    const recording = recordingAdapter(to());
    const report = await copy(from(), recording);
    expect(report).toMatchObject({ records: RECORDS - 1, alreadyThere: before });
    expect(recording.batches.flat()).toHaveLength(RECORDS - 1 - before);
    expect(recording.brokenPromises).toEqual([]);
    expect(await contents(to)).toEqual(await contents(from));
  });
});

test("a finished copy that is called for again writes nothing", async () => {
  const [from, to] = [inFile(), inFile()];
  await fill(from, numbered(3_000));
  await copy(from(), to());
  const recording = recordingAdapter(to());
  expect(await copy(from(), recording)).toMatchObject({ records: 3_000, alreadyThere: 3_000 });
  expect(recording.batches).toEqual([]);
});

test("a finished copy that was used is not touched any more", async () => {
  const [from, to] = [inFile(), inFile()];
  const first = await PersistentQueueStorage.open({ adapter: from() });
  first.setMulti(Array.from({ length: 10 }, (_, index) => [`key ${index}`, index] as const));
  await first.close();
  await copy(from(), to());
  const storage = await PersistentQueueStorage.open({ adapter: to() });
  storage.delete("key 3");
  await storage.close();
  await expect(copy(from(), to())).rejects.toMatchObject({ code: "LEAKDB_NOT_SUPPORTED" });
  expect((await contents(to)).records).toHaveLength(9);
});

test("a source that was written to since needs a new target", async () => {
  const [from, to] = [inMemory(), inMemory()];
  await fill(from, numbered(RECORDS));
  await interrupt(from, to);
  await fill(from, [put("key 0000001", "newer", RECORDS + 5)]);
  await expect(copy(from(), to())).rejects.toMatchObject({ code: "LEAKDB_NOT_SUPPORTED" });
  const fresh = inMemory();
  await copy(from(), fresh());
  expect(await contents(fresh)).toEqual(await contents(from));
});

test("what expired between the two calls hinders nobody", async () => {
  const clock = new ManualClock();
  const [from, to] = [inMemory(), inMemory()];
  const records = numbered(100).map((each, index) => ({
    ...each,
    expiresAt: clock.now() + index * 1_000 + 1,
  }));
  await fill(from, records);
  await copy(from(), to(), { clock });
  // Swept from the source alone.
  await fill(from, [{ type: "delete", key: "key 0000000", version: FIRST_VERSION + 1 }]);
  clock.set(clock.now() + 50_000);
  expect(await copy(from(), to(), { clock })).toMatchObject({
    records: 50,
    alreadyThere: 50,
    skippedExpired: 49,
  });
});

test("a process killed in the middle leaves a copy that the next one finishes", async () => {
  const [fromFile, toFile] = [temporaryFile(), temporaryFile()];
  const from: Backend = () => sqlite({ filename: fromFile });
  const to: Backend = () => sqlite({ filename: toFile });
  await fill(from, numbered(RECORDS));
  for (const milestone of [4_000, 8_000, 12_000]) {
    const child = new Child("../copy/copying-process.mjs", [fromFile, toFile]);
    onTestFinished(() => child.send("SIGKILL"));
    await child.printed(`copying ${milestone} records`);
    child.send("SIGKILL");
    const { signal, output } = await child.end();
    expect(signal).toBe("SIGKILL");
    expect(output).not.toContain("copied all");
  }
  const before = (await contents(to)).records.length;
  expect(before).toBeGreaterThanOrEqual(11_000);
  expect(await copy(from(), to())).toMatchObject({ records: RECORDS, alreadyThere: before, verified: true });
  expect(await contents(to)).toEqual(await contents(from));
}, 60_000);

describe("an abort", () => {
  test("before the call opens nothing", async () => {
    const to = recordingAdapter(referenceAdapter());
    const reason = new Error("never mind");
    await expect(copy(inMemory()(), to, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(to.calls).toEqual([]);
  });

  test.each(["open", "scan", "write", "sync", "load"] as const)(
    "while %s hangs rejects with the reason, once both are closed",
    async (operation) => {
      const backends = [new ReferenceBackend(), new ReferenceBackend()] as const;
      const [from, to] = backends.map((backend) => faultyAdapter(referenceAdapter({ backend }))) as [
        ReturnType<typeof faultyAdapter>,
        ReturnType<typeof faultyAdapter>,
      ];
      await fill(() => referenceAdapter({ backend: backends[0] }), numbered(10));
      (operation === "load" ? from : to).script(operation, "hang");
      const controller = new AbortController();
      const copying = copy(from, to, { signal: controller.signal });
      setTimeout(() => controller.abort("enough"), 30);
      await expect(copying).rejects.toBe("enough");
      expect(backends.map(({ owner }) => owner)).toEqual([undefined, undefined]);
      expect(await copy(from, to)).toMatchObject({ records: 10 });
    },
  );

  test("while an SQLite file opens leaves neither open", async () => {
    const [from, to] = [inFile(), inFile()];
    await fill(from, numbered(10));
    for (let delayMs = 0; delayMs < 60; delayMs += 12) {
      const target = to();
      const source = from();
      const copying = copy(source, target, { signal: AbortSignal.timeout(delayMs) });
      await copying.catch((error: Error) => expect(error.name).toBe("TimeoutError"));
      // Locked files would be told of here.
      await Promise.all([contents(from), contents(to)]);
    }
    expect(await copy(from(), to())).toMatchObject({ records: 10 });
  });
});

function unordered(backend: ReferenceBackend): Backend {
  return () => referenceAdapter({ backend, capabilities: { ordered: false } });
}
