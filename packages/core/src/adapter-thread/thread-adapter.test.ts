import { spawnSync } from "node:child_process";
import { afterEach, describe, expect, it } from "vitest";
import type { AdapterContext, Mutation, StoredRecord } from "../adapter.js";
import { killThread, type ThreadAdapter, threadAdapter } from "./index.js";

const OPENINGS = 0;
const GATE = 1;
const WRITES_DONE = 2;

const CAPABILITIES = {
  atomicBatch: false,
  ordered: true,
  lanesMax: 1,
  levels: ["stored"],
  maxKeyBytes: 1024,
  maxValueBytes: 1024,
} as const;

const never = new AbortController().signal;
const opened: ThreadAdapter[] = [];

function put(key: string, version = 1): Mutation {
  return { type: "put", key, value: Buffer.from(key), version, expiresAt: 0 };
}

class HandClock {
  nowMs = 1000;
  timers: { at: number; callback: () => void }[] = [];
  now(): number {
    return this.nowMs;
  }
  setTimeout(callback: () => void, delayMs: number): unknown {
    const timer = { at: this.nowMs + delayMs, callback };
    this.timers.push(timer);
    return timer;
  }
  clearTimeout(handle: unknown): void {
    this.timers = this.timers.filter((timer) => timer !== handle);
  }
  advance(byMs: number): void {
    this.nowMs += byMs;
    const due = this.timers.filter((timer) => timer.at <= this.nowMs);
    this.timers = this.timers.filter((timer) => timer.at > this.nowMs);
    for (const timer of due) timer.callback();
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error("waited too long");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function fixture(data: Record<string, unknown> = {}) {
  const shared = new SharedArrayBuffer(12);
  const cells = new Int32Array(shared);
  const adapter = threadAdapter({
    name: "fixture",
    capabilities: CAPABILITIES,
    worker: new URL("./thread-fixture.mjs", import.meta.url),
    workerData: { shared, ...data },
  });
  opened.push(adapter);
  const reports: Error[] = [];
  const clock = new HandClock();
  const context: AdapterContext = {
    clock,
    signal: never,
    limits: { batchMax: 10, batchBytesMax: 1000 },
    report: (error) => reports.push(error),
  };
  const release = (): void => {
    Atomics.store(cells, GATE, 1);
    Atomics.notify(cells, GATE);
  };
  return { adapter, cells, clock, context, reports, release };
}

async function all(adapter: ThreadAdapter, range = {}): Promise<StoredRecord[]> {
  const records: StoredRecord[] = [];
  for await (const page of adapter.scan(range)) records.push(...page);
  return records;
}

afterEach(async () => {
  await Promise.allSettled(opened.splice(0).map((adapter) => adapter.close()));
});

describe("an adapter on a thread", () => {
  it("answers every call as the adapter it serves", async () => {
    const { adapter, context } = fixture();
    expect(await adapter.open(context)).toEqual({ storeId: "store", highVersion: 5, bytes: 6 });
    expect(await adapter.write([put("b", 2), put("é", 3), put("a", 1)], { signal: never })).toEqual({
      bytes: 3,
    });
    const loaded = await adapter.load(["a", "missing", "é"]);
    expect(loaded.map((record) => record?.version)).toEqual([1, undefined, 3]);
    expect(Buffer.from(loaded[2]?.value ?? []).toString()).toBe("é");
    expect((await all(adapter)).map(({ key }) => key)).toEqual(["a", "b", "é"]);
    expect((await all(adapter, { after: "a" })).map(({ key }) => key)).toEqual(["b", "é"]);
    await adapter.sync();
    await adapter.close();
    await adapter.close();
  });

  it("tells rejected mutations by their index", async () => {
    const { adapter, context } = fixture();
    await adapter.open(context);
    const { rejected } = await adapter.write([put("a"), put("reject")], { signal: never });
    expect(rejected).toMatchObject([
      { index: 1, error: { message: "too odd", cause: { name: "RangeError" } } },
    ]);
  });

  it("passes on kind and code of errors, and goes on", async () => {
    const { adapter, context } = fixture();
    await adapter.open(context);
    const permanent = { kind: "permanent", code: "LEAKDB_ADAPTER_REJECTED", message: "never" };
    await expect(adapter.write([put("fail permanent")], { signal: never })).rejects.toMatchObject(permanent);
    const plain = { kind: "ambiguous", cause: { name: "TypeError" } };
    await expect(adapter.write([put("fail plain")], { signal: never })).rejects.toMatchObject(plain);
    await expect(all(adapter, { prefix: "broken" })).rejects.toMatchObject({ code: "LEAKDB_CORRUPTION" });
    await adapter.write([put("a")], { signal: never });
  });

  it("refuses calls when it is not open", async () => {
    const { adapter, context } = fixture();
    const refusal = { kind: "permanent", code: "LEAKDB_CLOSED" };
    await expect(adapter.load(["a"])).rejects.toMatchObject(refusal);
    await adapter.open(context);
    await expect(adapter.open(context)).rejects.toThrow("open already");
    await adapter.close();
    await expect(adapter.sync()).rejects.toMatchObject(refusal);
  });

  it("rejects close with the adapter's error, and is closed even so", async () => {
    const { adapter, context, cells } = fixture();
    await adapter.open(context);
    await adapter.write([put("fail close")], { signal: never });
    await expect(adapter.close()).rejects.toThrow("cannot close");
    await adapter.open(context);
    expect(cells[OPENINGS]).toBe(2);
  });

  it("runs the adapter's timers by the clock it was given", async () => {
    const { adapter, context, clock, reports } = fixture();
    await adapter.open(context);
    await adapter.write([put("timer"), put("timer cleared")], { signal: never });
    await until(() => clock.timers.length === 1);
    clock.advance(999);
    clock.advance(1);
    await until(() => reports.length > 0);
    expect(reports.map(({ message }) => message)).toEqual(["fired at 2000"]);
  });

  it("stops reading ahead when no page is taken, and when the scan is given up", async () => {
    const { adapter, context } = fixture();
    await adapter.open(context);
    await adapter.write(
      Array.from({ length: 100 }, (_, index) => put(`key ${index}`)),
      { signal: never },
    );
    let pages = 0;
    for await (const _page of adapter.scan({})) {
      pages += 1;
      if (pages === 3) break;
    }
    expect(await all(adapter)).toHaveLength(100);
  });
});

describe("a write that is given up", () => {
  it("rejects at once as ambiguous, and close waits until the thread is done with it", async () => {
    const { adapter, context, cells, release } = fixture();
    await adapter.open(context);
    const abort = new AbortController();
    const write = adapter.write([put("block")], { signal: abort.signal });
    const settled = write.then(
      () => undefined,
      (error: unknown) => error,
    );
    setTimeout(() => abort.abort(new Error("too long")), 20);
    expect(await settled).toMatchObject({ kind: "ambiguous", cause: { message: "too long" } });
    expect(cells[WRITES_DONE]).toBe(0);
    const closed = adapter.close();
    expect(
      await Promise.race([closed.then(() => "closed"), adapter.close().then(() => "closed"), turns(20)]),
    ).toBe("waiting");
    release();
    await closed;
    expect(cells[WRITES_DONE]).toBe(1);
    await adapter.open(context);
    await adapter.write([put("a")], { signal: never });
  });

  it("was not sent when it was given up before", async () => {
    const { adapter, context, cells } = fixture();
    await adapter.open(context);
    await expect(adapter.write([put("a")], { signal: AbortSignal.abort() })).rejects.toMatchObject({
      kind: "transient",
    });
    expect(cells[WRITES_DONE]).toBe(0);
  });
});

describe("the death of the thread", () => {
  for (const how of ["exit", "uncaught"]) {
    it(`rejects what is pending, is reported, and the next call starts it again (${how})`, async () => {
      const { adapter, context, cells, reports } = fixture();
      await adapter.open(context);
      const pending = [adapter.write([put(how)], { signal: never }), adapter.load(["a"])];
      const [write] = await Promise.allSettled(pending);
      expect(write).toMatchObject({ status: "rejected", reason: { kind: "ambiguous" } });
      expect(reports).toHaveLength(1);
      await Promise.all([adapter.write([put("a")], { signal: never }), adapter.load(["a"])]);
      expect(cells[OPENINGS]).toBe(2);
    });
  }

  it("while idle is reported and mended as well", async () => {
    const { adapter, context, reports } = fixture();
    await adapter.open(context);
    await adapter[killThread]();
    expect(reports).toHaveLength(1);
    await adapter.write([put("a")], { signal: never });
  });

  it("ends a scan with the error", async () => {
    const { adapter, context } = fixture();
    await adapter.open(context);
    await adapter.write(
      Array.from({ length: 50 }, (_, index) => put(`key ${index}`)),
      { signal: never },
    );
    const scan = (async () => {
      for await (const _page of adapter.scan({})) void adapter[killThread]();
    })();
    await expect(scan).rejects.toMatchObject({ kind: "transient" });
  });

  it("leaves no scan that looks complete when close cuts it short", async () => {
    const { adapter, context } = fixture();
    await adapter.open(context);
    await adapter.write(
      Array.from({ length: 50 }, (_, index) => put(`key ${index}`)),
      { signal: never },
    );
    let closed: Promise<void> | undefined;
    const scan = (async () => {
      for await (const _page of adapter.scan({})) closed ??= adapter.close();
    })();
    await expect(scan).rejects.toMatchObject({ kind: "transient" });
    await closed;
  });

  it("does not keep close from resolving", async () => {
    const { adapter, context } = fixture();
    await adapter.open(context);
    const killed = adapter[killThread]();
    await adapter.close();
    await killed;
  });

  it("is followed by the error of a failed reopening, and by another try at the next call", async () => {
    const { adapter, context, reports } = fixture({ failOpenAt: 2 });
    await adapter.open(context);
    await adapter[killThread]();
    expect(reports).toHaveLength(1);
    await expect(adapter.load(["a"])).rejects.toMatchObject({ kind: "transient", code: "LEAKDB_LOCKED" });
    await adapter.load(["a"]);
  });

  it("never leads to another store", async () => {
    const { adapter, context, reports } = fixture({ otherStoreAt: 2 });
    await adapter.open(context);
    await adapter[killThread]();
    expect(reports).toHaveLength(1);
    await expect(adapter.load(["a"])).rejects.toMatchObject({ code: "LEAKDB_CORRUPTION" });
  });

  it("never leads to an older state of the store, and goes on once the newer one is back", async () => {
    const { adapter, context } = fixture({ highVersions: [5, 7, 8] });
    await adapter.open(context);
    await adapter.write([put("a", 8), put("reject", 9)], { signal: never });
    await adapter[killThread]();
    const lost = { kind: "transient", code: "LEAKDB_CORRUPTION" };
    await expect(adapter.write([put("a", 10)], { signal: never })).rejects.toMatchObject(lost);
    await adapter.write([put("a", 10)], { signal: never });
  });

  it("in a write leads to the store with all of that write, or nothing", async () => {
    for (const found of [8, 9]) {
      const { adapter, context } = fixture({ highVersions: [5, found] });
      await adapter.open(context);
      await adapter.write([put("a", 8)], { signal: never });
      await expect(adapter.write([put("exit", 9)], { signal: never })).rejects.toMatchObject({
        kind: "ambiguous",
      });
      await adapter.load(["a"]);
    }
  });

  it("ends the adapter for good where another owner wrote meanwhile, until it is opened anew", async () => {
    const { adapter, context, cells } = fixture({ highVersions: [5, 9, 9] });
    await adapter.open(context);
    await adapter.write([put("a", 8)], { signal: never });
    await adapter[killThread]();
    const fenced = { kind: "permanent", code: "LEAKDB_FENCED" };
    await expect(adapter.load(["a"])).rejects.toMatchObject(fenced);
    await expect(adapter.write([put("a", 10)], { signal: never })).rejects.toMatchObject(fenced);
    await expect(adapter.sync()).rejects.toMatchObject(fenced);
    expect(cells[OPENINGS]).toBe(2);
    await adapter.close();
    expect(await adapter.open(context)).toMatchObject({ highVersion: 9 });
    await adapter.write([put("a", 10)], { signal: never });
  });
});

describe("opening", () => {
  it("rejects when the thread's file is missing", async () => {
    const { context } = fixture();
    const worker = new URL("./no-such-thread.mjs", import.meta.url);
    const adapter = threadAdapter({ name: "none", capabilities: CAPABILITIES, worker, workerData: {} });
    await expect(adapter.open(context)).rejects.toMatchObject({ kind: "transient" });
    await adapter.close();
  });

  it("rejects with the reason when it is given up, and can be tried again", async () => {
    const { adapter, context } = fixture();
    const abort = new AbortController();
    const opening = adapter.open({ ...context, signal: abort.signal });
    abort.abort(new Error("enough"));
    await expect(opening).rejects.toThrow("enough");
    await adapter.open(context);
  });

  it("that is given up holds close until the thread is done with it", async () => {
    const { adapter, context, cells, release } = fixture({ blockOpenAt: 1 });
    const abort = new AbortController();
    const opening = adapter.open({ ...context, signal: abort.signal }).catch((error: Error) => error.message);
    await until(() => cells[OPENINGS] === 1);
    abort.abort(new Error("enough"));
    const closed = adapter.close();
    expect(await Promise.race([closed.then(() => "closed"), turns(20)])).toBe("waiting");
    release();
    await closed;
    expect(await opening).toBe("enough");
    await adapter.open(context);
  });
});

describe("the process", () => {
  const script = (body: string): string => `
    import { threadAdapter } from "@leakdb/core/adapter-thread";
    import { systemClock } from "@leakdb/core/adapter";
    const shared = new SharedArrayBuffer(12);
    const worker = new URL(${JSON.stringify(new URL("./thread-fixture.mjs", import.meta.url).href)});
    const adapter = threadAdapter({ name: "f", capabilities: {}, worker, workerData: { shared } });
    const signal = new AbortController().signal;
    await adapter.open({ clock: systemClock, signal, limits: {}, report() {} });
    ${body}`;
  const run = (body: string) =>
    spawnSync(process.execPath, ["--input-type=module", "-e", script(body)], {
      cwd: new URL("../..", import.meta.url),
      encoding: "utf8",
      timeout: 20_000,
    });

  it("ends while the thread is idle", () => {
    const { status, stderr } = run('console.log("idle")');
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  it("ends while an idle timer of the adapter waits", () => {
    const { status, stderr } = run(`
      await adapter.write([{ type: "put", key: "timer idle", value: Buffer.of(1), version: 1, expiresAt: 0 }], { signal });`);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  it("lives until a call that is under way is answered", () => {
    const { stdout } = run(`
      setTimeout(() => { Atomics.store(new Int32Array(shared), 1, 1); Atomics.notify(new Int32Array(shared), 1); }, 100).unref();
      adapter.write([{ type: "put", key: "block", value: Buffer.of(1), version: 1, expiresAt: 0 }], { signal })
        .then(() => console.log("written"));`);
    expect(stdout).toBe("written\n");
  });
});

async function turns(count: number): Promise<string> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  return "waiting";
}
