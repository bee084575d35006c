/** An adapter in a process of its own: what crosses to it, and what its death and its parent's do. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { failureKind, type Mutation, systemClock } from "@leakdb/core/adapter";
// By its name, as it was built: a process runs JavaScript.
import { conformanceCases, type ProcessAdapter, processAdapter } from "@leakdb/testkit";
import { describe, expect, onTestFinished, test } from "vitest";

const MODULE = new URL("./stored-adapter-fixture.mjs", import.meta.url);
const PARENT = fileURLToPath(new URL("./parent-fixture.mjs", import.meta.url));
/** How long the system may take to end a process, on a busy machine. */
const GONE_MS = 10_000;
/** Dozens of starts of processes in one case, on a busy machine. */
const CASE_LIMIT_MS = 60_000;
const { signal } = new AbortController();

interface Planted {
  readonly scope?: "process" | "machine";
  readonly pauseMs?: number;
  readonly halves?: boolean;
}

function makePlace(): { readonly path: string; remove(): void } {
  const directory = mkdtempSync(join(tmpdir(), "leakdb-process-"));
  return {
    path: join(directory, "store"),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

function placeOfTest(): string {
  const { path, remove } = makePlace();
  onTestFinished(remove);
  return path;
}

async function opened(planted: Planted = {}, reported: Error[] = []): Promise<ProcessAdapter> {
  const adapter = await processAdapter({ module: MODULE, options: { path: placeOfTest(), ...planted } });
  await open(adapter, reported);
  return adapter;
}

async function open(adapter: ProcessAdapter, reported: Error[] = []): Promise<void> {
  const limits = { batchMax: 10_000, batchBytesMax: 8 << 20 };
  await adapter.open({ clock: systemClock, signal, limits, report: (error) => void reported.push(error) });
  onTestFinished(() => adapter.close());
}

function put(key: string, value: Uint8Array | string, version = 1): Mutation {
  const bytes = typeof value === "string" ? Buffer.from(value) : value;
  return { type: "put", key, value: bytes, version, expiresAt: 0 };
}

async function failureOf(call: Promise<unknown>): Promise<Error & { kind?: string; code?: string }> {
  try {
    await call;
  } catch (error) {
    return error as Error;
  }
  throw new Error("the call was expected to reject");
}

function isAlive(pid: number | undefined): boolean {
  try {
    return process.kill(pid ?? Number.NaN, 0);
  } catch {
    return false;
  }
}

describe("a process adapter", () => {
  test("has the name and the capabilities of the module's adapter, and no process before it is opened", async () => {
    const adapter = await processAdapter({ module: MODULE.href, factory: "stored", options: { path: "" } });
    expect(adapter).toMatchObject({ name: "stored", pid: undefined });
    expect(adapter.capabilities.atomicBatch).toBe(true);
    await adapter.close();
    await adapter.kill();
  });

  test("names an export that is no function", async () => {
    await expect(processAdapter({ module: MODULE, factory: "none" })).rejects.toThrow(
      /exports no function none/,
    );
  });

  test("works in another process, whose id it tells", async () => {
    const adapter = await opened();
    expect(adapter.pid).not.toBe(process.pid);
    expect(isAlive(adapter.pid)).toBe(true);
  });

  test("keeps bytes as they are: views, empty ones, shared ones, large ones", async () => {
    const adapter = await opened();
    const memory = Uint8Array.from({ length: 1 << 20 }, (_, index) => index);
    const values = [memory, memory.subarray(7, 19), new Uint8Array(0), Buffer.from("text"), memory];
    await adapter.write(
      values.map((value, index) => put(`${index}`, value, index + 1)),
      { signal },
    );
    const records = await adapter.load([...values.keys()].map(String));
    for (const [index, record] of records.entries()) {
      expect(record?.value).toBeInstanceOf(Uint8Array);
      expect(Buffer.compare(record?.value ?? Buffer.alloc(0), values[index] as Uint8Array)).toBe(0);
    }
    expect(memory.byteLength).toBe(1 << 20);
  });

  test("keeps kind, code and causes of errors, and gives those without a kind none", async () => {
    const path = placeOfTest();
    const [owner, second] = [
      await processAdapter({ module: MODULE, options: { path } }),
      await processAdapter({ module: MODULE, options: { path } }),
    ];
    await open(owner);
    const refused = await failureOf(open(second));
    expect(refused).toMatchObject({ name: "AdapterError", kind: "transient", code: "LEAKDB_LOCKED" });
    expect(refused.cause).toMatchObject({ message: "held", cause: { code: "EAGAIN" } });
    const plain = await failureOf(owner.write([put("throws a plain error", "")], { signal }));
    expect(plain).toMatchObject({ message: "plain", code: "EPLAIN" });
    expect(plain.kind).toBeUndefined();
    expect(failureKind(plain)).toBe("ambiguous");
  });

  test("hands over what is rejected, with its errors", async () => {
    const { rejected } = await (await opened()).write([put("is rejected", "")], { signal });
    expect(rejected).toMatchObject([{ index: 0, error: { kind: "permanent", code: "LEAKDB_CORRUPTION" } }]);
    expect(rejected?.[0]?.error).toBeInstanceOf(Error);
  });

  test("forwards aborts, with their reason", async () => {
    const adapter = await opened({ pauseMs: 60_000 });
    const controller = new AbortController();
    const writing = failureOf(adapter.write([put("a", "one")], { signal: controller.signal }));
    controller.abort(new Error("given up"));
    expect(await writing).toMatchObject({ kind: "transient", cause: { message: "given up" } });
    const aborted = failureOf(adapter.write([put("a", "one")], { signal: AbortSignal.abort("text") }));
    expect(await aborted).toMatchObject({ kind: "transient", cause: { message: "text" } });
  });

  test("scans in pages as they are asked for, and tells the process when a scan is left", async () => {
    const reported: Error[] = [];
    const adapter = await opened({}, reported);
    await adapter.write(
      Array.from({ length: 600 }, (_, index) => put(`${index}`, "one", index + 1)),
      { signal },
    );
    const sizes: number[] = [];
    for await (const page of adapter.scan({})) sizes.push(page.length);
    expect(sizes).toEqual([256, 256, 88]);
    expect(reported).toEqual([]);
    for await (const page of adapter.scan({ prefix: "5", after: "50" })) {
      expect(page[0]?.key).toBe("500");
      break;
    }
    expect(reported.map(String)).toEqual(["Error: the scan was left"]);
  });
});

describe("the death of the process", () => {
  test("in the middle of a write is ambiguous, of anything else transient, and an opening mends it", async () => {
    const adapter = await opened({ pauseMs: 60_000 });
    const writing = failureOf(adapter.write([put("a", "one")], { signal }));
    await adapter.sync();
    const pages = adapter.scan({})[Symbol.asyncIterator]();
    await adapter.kill();
    expect(await writing).toMatchObject({ kind: "ambiguous", message: expect.stringContaining("SIGKILL") });
    expect(await failureOf(pages.next())).toMatchObject({ kind: "transient" });
    expect(await failureOf(adapter.load(["a"]))).toMatchObject({ kind: "transient" });
    await open(adapter);
    expect(await adapter.load(["a"])).toEqual([undefined]);
  });

  test("by itself takes down its call, and later ones are refused until the next opening", async () => {
    const adapter = await opened();
    const ended = await failureOf(adapter.write([put("ends the process", "")], { signal }));
    expect(ended).toMatchObject({ kind: "ambiguous", message: expect.stringContaining("code 3") });
    expect(await failureOf(adapter.write([put("a", "one")], { signal }))).toMatchObject({
      kind: "transient",
    });
    await adapter.close();
    await open(adapter);
    await adapter.write([put("a", "one")], { signal });
  });

  test("between two calls is reported", async () => {
    const reported: Error[] = [];
    const adapter = await opened({}, reported);
    process.kill(adapter.pid as number, "SIGKILL");
    await expect
      .poll(() => reported.map(String), { timeout: GONE_MS })
      .toEqual(["Error: the process of the adapter has ended (SIGKILL)"]);
  });
});

describe("no process is left behind", () => {
  test("by a close, by a second one, by an opening that was refused or given up", async () => {
    const path = placeOfTest();
    const owner = await processAdapter({ module: MODULE, options: { path } });
    await open(owner);
    const second = await processAdapter({ module: MODULE, options: { path } });
    await failureOf(open(second));
    expect(second.pid).toBeUndefined();
    const { pid } = owner;
    await Promise.all([owner.close(), owner.close()]);
    expect(isAlive(pid)).toBe(false);
    expect(owner.pid).toBeUndefined();
  });

  test("by the death of its parent", async () => {
    const parent = spawn(process.execPath, [PARENT, MODULE.href, placeOfTest()], {
      stdio: ["ignore", "pipe", 2],
    });
    const [line] = (await once(parent.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
    const pid = Number(line.toString());
    expect(isAlive(pid)).toBe(true);
    const exit = once(parent, "exit");
    parent.kill("SIGKILL");
    await exit;
    const startMs = performance.now();
    while (isAlive(pid) && performance.now() - startMs < GONE_MS) await setTimeout(5);
    expect(isAlive(pid)).toBe(false);
  });
});

function casesOf(planted: Planted) {
  return conformanceCases({
    name: "stored",
    create: () => {
      const { path, remove } = makePlace();
      const make = () => processAdapter({ module: MODULE, options: { path, ...planted } });
      return {
        adapter: make,
        process: make,
        kill: (adapter) => (adapter as ProcessAdapter).kill(),
        dispose: remove,
      };
    },
  });
}

const GROUPS = ["abort", "crash and reopen", "ownership"];
describe.each(GROUPS)("an adapter in processes keeps the contract: %s", (group) => {
  for (const one of casesOf({})) if (one.group === group) test(one.name, one.run, CASE_LIMIT_MS);
});

test.each([
  [
    "a lock that holds within a process",
    { scope: "process" },
    "an owner in another process keeps this one out while it lives",
  ],
  [
    "a lock that holds within a process",
    { scope: "process" },
    "of two openings at once in two processes one wins",
  ],
  [
    "halves that land apart",
    { halves: true },
    "a kill -9 in the middle of a write leaves all of the batch or nothing",
  ],
  [
    "halves that land apart",
    { halves: true },
    "an abort in the middle of a write leaves all of the batch or nothing",
  ],
] as const)(
  "%s is caught by a real kill or process: %o, %s",
  async (_bug, planted, name) => {
    const found = casesOf({ pauseMs: 5, ...planted }).find((one) => one.name === name);
    expect(found).toBeDefined();
    await expect(found?.run()).rejects.toMatchObject({ name: "AssertionError" });
  },
  CASE_LIMIT_MS,
);
