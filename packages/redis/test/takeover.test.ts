/**
 * The fence: once somebody else owns a store, nothing of its former owner lands, wherever it was lying; and what an owner
 * itself had sent before it was cut off does not either, once it has begun anew.
 */

import { setImmediate as turn } from "node:timers/promises";
import type { RedisAdapterOptions } from "@leakdb/redis";
import { type ProxySet, startProxies, startSentinels, startStandalone, until } from "@leakdb/redis-servers";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import {
  afterThisTest,
  type OpenedStore,
  openAdapter,
  proxyOfThisTest,
  put,
  puts,
  rejection,
  urlOf,
} from "./standalone-servers.js";

const server = await startStandalone();
afterAll(() => server.stop());
beforeEach(() => server.command("FLUSHALL"));

const fenced = { code: "LEAKDB_FENCED", kind: "permanent" };
const HOUR_MS = 3_600_000;

const takeOver = (options: RedisAdapterOptions = {}): Promise<OpenedStore> =>
  openAdapter({ url: server.url, takeover: true, ...options });

describe("a takeover", () => {
  it("fences the former owner: it is told, writes nothing, and its close leaves the new one alone", async () => {
    const first = await openAdapter({ url: server.url });
    await first.write(put("a", "1", 1));
    const second = await takeOver();
    expect(second.state).toEqual({ ...first.state, highVersion: 1 });
    expect(await rejection(first.write(put("b", "2", 2)))).toMatchObject(fenced);
    expect(await rejection(first.adapter.load(["a"]))).toMatchObject(fenced);
    expect(first.reports).toEqual([expect.objectContaining(fenced)]);
    await first.adapter.close();
    expect(await rejection(first.open())).toMatchObject(fenced);
    await second.write(put("c", "3", 3));
    expect(await second.keys()).toEqual(["a", "c"]);
  });

  it("tells an owner that only waits, by its heartbeat", async () => {
    const first = await openAdapter({ url: server.url, lease: 1_000 });
    await takeOver();
    await until(async () => first.reports.length > 0, { what: "a heartbeat" });
    expect(first.reports).toEqual([expect.objectContaining(fenced)]);
  });

  it("leaves nothing to land of what lies in a frozen network", async () => {
    const proxy = await proxyOfThisTest(server);
    const first = await openAdapter({ url: urlOf(proxy), commandTimeout: 60_000 });
    await first.write(...puts(10));
    proxy.freeze();
    const writing = rejection(first.write(...puts(5_000, 100, "late ")));
    const second = await takeOver();
    proxy.heal();
    expect(await writing).toMatchObject(fenced);
    expect(await second.keys()).toHaveLength(10);
    expect(second.state.highVersion).toBe(10);
  });

  it("leaves nothing to land of what lies in the buffers of a server that was held up", async () => {
    const first = await openAdapter({ url: server.url, commandTimeout: 60_000 });
    await first.write(put("a", "1", 1));
    await server.pause();
    const taking = takeOver({ commandTimeout: 60_000 });
    const writing = first.write(...puts(3_000, 100, "late ")).catch((error: unknown) => error);
    await server.resume();
    const second = await taking;
    // Some of it may have come before the takeover; what the new owner reads first is all there ever is.
    const late = (await second.keys()).length - 1;
    await writing;
    expect((await second.keys()).length - 1).toBe(late);
    expect(await rejection(first.write(put("b", "2", 9_999)))).toMatchObject(fenced);
  });

  it("is not answered by one of the former owner, though it was opened by a takeover itself", async () => {
    const proxy = await proxyOfThisTest(server);
    const first = await openAdapter({ url: urlOf(proxy), takeover: true });
    proxy.cut();
    await proxy.refuse();
    const second = await takeOver();
    await proxy.admit();
    expect(await rejection(first.write(put("a", "1", 1)))).toMatchObject(fenced);
    await second.write(put("b", "2", 2));
    expect(await second.keys()).toEqual(["b"]);
  });

  it("that has come and gone while an owner was away still fences it, over a close and a reopening too", async () => {
    const proxy = await proxyOfThisTest(server);
    const first = await openAdapter({ url: urlOf(proxy), takeover: true });
    await first.write(put("a", "1", 1));
    const lost = proxy.arm({ on: "replies", bytes: 0, effect: "reset" });
    expect(await rejection(first.write(put("a", "2", 2)))).toMatchObject({ kind: "ambiguous" });
    await lost;
    await proxy.refuse();
    const second = await takeOver();
    await second.write(put("a", "theirs", 3));
    await second.adapter.close();
    await proxy.admit();
    // As core does after an ambiguous failure. Its memory knows nothing of what the other one wrote.
    await first.adapter.close();
    expect(await rejection(first.open())).toMatchObject(fenced);
  });
});

describe("an owner's own commands", () => {
  it("do not land once it has closed, wherever they lay", async () => {
    const proxy = await proxyOfThisTest(server);
    const first = await openAdapter({ url: urlOf(proxy), commandTimeout: 60_000 });
    await first.write(put("a", "1", 1));
    proxy.freeze();
    const given = new AbortController();
    const writing = rejection(first.adapter.write(puts(2_000, 100, "late "), { signal: given.signal }));
    for (let turns = 0; turns < 20; turns += 1) await turn();
    given.abort(new Error("given up"));
    expect(await writing).toMatchObject({ kind: "ambiguous" });
    // It can't say that nothing lands while it reaches no server.
    await proxy.refuse();
    expect(await rejection(first.adapter.close())).toMatchObject({ kind: "ambiguous" });
    await proxy.admit();
    proxy.heal();
    await first.adapter.close();
    const second = await openAdapter({ url: server.url });
    const found = await second.keys();
    await server.command("PING");
    expect(await second.keys()).toEqual(found);
  });

  it("do not fence it when they come late, as a claim that the network held back", async () => {
    const proxy = await proxyOfThisTest(server);
    const options = { url: urlOf(proxy), commandTimeout: 1_000, lease: HOUR_MS };
    const first = await openAdapter(options);
    await first.write(put("a", "1", 1));
    // The end of a claim: the form of the store, its partitions, and the epoch that it is for.
    const held = proxy.arm({
      on: "requests",
      marker: "$1\r\n1\r\n".repeat(3),
      side: "before",
      effect: "freeze",
    });
    proxy.cut();
    let isHeld = false;
    void held.then(() => {
      isHeld = true;
    });
    while (!isHeld) await rejection(first.write(put("a", "2", 2)));
    // The claim after it succeeds.
    await first.write(put("a", "2", 2));
    const evals = async (): Promise<number> => {
      const stats = String(await server.command("INFO", "commandstats"));
      return Number(/cmdstat_eval:calls=(\d+)/.exec(stats)?.[1]);
    };
    const before = await evals();
    proxy.heal();
    await until(async () => (await evals()) > before, { what: "the late claim" });
    await first.write(put("a", "3", 3));
    expect(first.reports).toEqual([]);
    expect((await first.records())[0]?.version).toBe(3);
  });
});

describe("across a failover of Sentinels", () => {
  it("a takeover fences, and what the former owner had sent to the former primary never lands", async () => {
    const group = await startSentinels();
    afterThisTest(() => group.stop());
    const options = (proxies: ProxySet): RedisAdapterOptions => ({
      connection: { sentinels: group.sentinels.map(({ host, port }) => ({ host, port })), name: group.name },
      natMap: proxies.natMap,
    });
    const [own, others] = [await startProxies(group.servers), await startProxies(group.servers)];
    afterThisTest(() => Promise.all([own.stop(), others.stop()]));
    const first = await openAdapter({ ...options(own), commandTimeout: 60_000 });
    await first.write(...puts(10));
    const former = own.of(await group.primary());
    former.freeze();
    const writing = rejection(first.write(...puts(2_000, 100, "late ")));
    await group.failOver();
    const second = await openAdapter({ ...options(others), takeover: true });
    expect(second.state).toMatchObject({ storeId: first.state.storeId, highVersion: 10 });
    former.heal();
    await writing;
    expect(await rejection(first.write(put("late", "x", 5_000)))).toMatchObject(fenced);
    await second.write(put("b", "2", 3_000));
    expect(await second.keys()).toHaveLength(11);
  }, 60_000);
});
