/** Verification: a target that loses or alters anything is found out. And what a copy holds in memory is bounded. */

import { copy } from "@leakdb/core";
import type { Adapter, Mutation } from "@leakdb/core/adapter";
import { ReferenceBackend, referenceAdapter } from "@leakdb/testkit";
import { describe, expect, test } from "vitest";
import { type Backend, contents, fill, inMemory, numbered, type Put, put } from "../src/copy/backends.js";

const RECORDS = 2_000;
const BROKEN_KEY = "key 0001500";

/** An adapter that does what `inner` does, but for what is planted. */
function planted(inner: Adapter, plant: Partial<Adapter>): Adapter {
  return {
    name: inner.name,
    capabilities: inner.capabilities,
    open: (context) => inner.open(context),
    write: (batch, options) => inner.write(batch, options),
    load: (keys) => inner.load(keys),
    scan: (range) => inner.scan(range),
    sync: () => inner.sync(),
    close: () => inner.close(),
    ...plant,
  };
}

/** Rewrites what is put under the one key. */
function altering(inner: Adapter, alter: (record: Put) => readonly Mutation[]): Adapter {
  const rewritten = (mutation: Mutation): readonly Mutation[] =>
    mutation.type === "put" && mutation.key === BROKEN_KEY ? alter(mutation) : [mutation];
  return planted(inner, { write: (batch, options) => inner.write(batch.flatMap(rewritten), options) });
}

async function source(ordered: boolean): Promise<Adapter> {
  const backend = new ReferenceBackend();
  const make: Backend = () => referenceAdapter({ backend, capabilities: { ordered } });
  const expiresAt = Date.now() + 3_600_000;
  await fill(
    make,
    numbered(RECORDS).map((each) => ({ ...each, expiresAt })),
  );
  return make();
}

describe.each([true, false])("with order %s", (ordered) => {
  test.each<[string, string, (record: Put) => readonly Mutation[]]>([
    ["drops a record", "is missing", () => []],
    ["expires a record", "is missing", (record) => [{ ...record, expiresAt: 1 }]],
    ["alters a byte", "another value", (record) => [{ ...record, value: Buffer.from("valve 1500") }]],
    ["cuts a value off", "another value", (record) => [{ ...record, value: record.value.subarray(1) }]],
    ["alters a version", "another version", (record) => [{ ...record, version: record.version - 1 }]],
    ["rounds an expiry", "another expiry", (record) => [{ ...record, expiresAt: record.expiresAt - 1 }]],
    ["drops an expiry", "another expiry", (record) => [{ ...record, expiresAt: 0 }]],
    ["alters a key", "is missing", (record) => [{ ...record, key: `${record.key} ` }]],
    ["adds a record", "is one too many", (record) => [record, put(`${BROKEN_KEY} and more`, "x", RECORDS)]],
  ])("a target that %s", async (_, wrong, alter) => {
    const inner = referenceAdapter({ capabilities: { ordered } });
    const from = await source(ordered);
    await expect(copy(from, altering(inner, alter))).rejects.toMatchObject({
      code: "LEAKDB_CORRUPTION",
      message: expect.stringMatching(new RegExp(`^"${BROKEN_KEY}.*${wrong}`)),
    });
    const unverified = altering(referenceAdapter({ capabilities: { ordered } }), alter);
    expect(await copy(from, unverified, { verify: false })).toMatchObject({ verified: false });
  });
});

test("a target that forgets the high version", async () => {
  const inner = referenceAdapter();
  const to = planted(inner, {
    open: async (context) => ({ ...(await inner.open(context)), highVersion: 0 }),
  });
  await expect(copy(await source(true), to)).rejects.toMatchObject({ code: "LEAKDB_CORRUPTION" });
});

test("a target that keeps in memory what it acknowledged and synced", async () => {
  const backend = new ReferenceBackend();
  const inner = referenceAdapter({ backend });
  const to = planted(inner, {
    close: async () => {
      backend.records.delete(BROKEN_KEY);
      await inner.close();
    },
  });
  await expect(copy(await source(true), to)).rejects.toMatchObject({ code: "LEAKDB_CORRUPTION" });
});

describe("of a large store", () => {
  const BATCH = 500;
  const PAGE = 256;

  test("never more than two batches and a page are read and not yet written", async () => {
    const from = inMemory();
    await fill(from, numbered(50_000));
    const inner = from();
    let read = 0;
    let written = 0;
    let aheadMax = 0;
    const counted = planted(inner, {
      async *scan(range) {
        for await (const page of inner.scan(range)) {
          read += page.length;
          aheadMax = Math.max(aheadMax, read - written);
          yield page;
        }
      },
    });
    const target = referenceAdapter();
    const to = planted(target, {
      write: async (batch, options) => {
        // A slow one: the reading would run away if it could.
        for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        const result = await target.write(batch, options);
        written += batch.filter(({ type }) => type === "put").length;
        return result;
      },
    });
    await copy(counted, to, { batchMax: BATCH, verify: false });
    expect(written).toBe(50_000);
    expect(aheadMax).toBeLessThanOrEqual(2 * BATCH + 2 * PAGE);
  });

  test("the two scans of the verification go side by side", async () => {
    const backends = [inMemory(), inMemory()] as const;
    await fill(backends[0], numbered(50_000));
    await copy(backends[0](), backends[1]());
    const read: [number, number] = [0, 0];
    let apartMax = 0;
    const sides = backends.map((backend, index) => {
      const inner = backend();
      return planted(inner, {
        async *scan(range) {
          for await (const page of inner.scan(range)) {
            read[index as 0 | 1] += page.length;
            // The copying reads the source alone, once, before the verification.
            if (read[1] > 50_000) apartMax = Math.max(apartMax, Math.abs(read[0] - 50_000 - read[1]));
            yield page;
          }
        },
      });
    }) as [Adapter, Adapter];
    await copy(...sides);
    expect(read).toEqual([150_000, 100_000]);
    expect(apartMax).toBeLessThanOrEqual(2 * PAGE);
    expect(await contents(backends[1])).toEqual(await contents(backends[0]));
  });
});
