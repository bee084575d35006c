/**
 * The reference adapter against the suite: as it is, with the least that the contract asks of an adapter, and with a
 * second owner that takes over.
 */

import assert from "node:assert/strict";
import { type Adapter, AdapterError, type StoredRecord } from "@leakdb/core/adapter";
import { describe, test } from "vitest";
import {
  type ConformanceCase,
  type ConformanceHarness,
  conformanceCases,
  type FaultyAdapter,
  faultyAdapter,
  ReferenceBackend,
  referenceAdapter,
} from "../src/index.js";
import { Mishaps } from "./mishaps.js";

const whole: ConformanceHarness = {
  name: "reference",
  create: () => {
    const backend = new ReferenceBackend();
    const made: FaultyAdapter[] = [];
    let isAway = false;
    const mishaps = new Mishaps(backend);
    const make = (): Adapter => {
      const adapter = faultyAdapter(referenceAdapter({ backend }));
      if (isAway) adapter.goDown();
      made.push(adapter);
      return mishaps.around(adapter);
    };
    const kill = async (): Promise<void> => {
      backend.owner = undefined;
    };
    return {
      adapter: make,
      process: () => ({ ...around(make(), {}), kill }),
      kill,
      ...mishaps.fixture,
      outage: {
        begin: () => {
          isAway = true;
          for (const adapter of made) adapter.goDown();
        },
        end: () => {
          isAway = false;
          for (const adapter of made) adapter.goUp();
        },
      },
      dispose: () => undefined,
    };
  },
};

const least: ConformanceHarness = {
  name: "least",
  create: () => {
    const backend = new ReferenceBackend();
    const capabilities = {
      atomicBatch: false,
      ordered: false,
      lanesMax: 1,
      levels: ["stored"],
      maxKeyBytes: 200,
      maxValueBytes: 65_536,
    } as const;
    return {
      adapter: () => backwards(referenceAdapter({ backend, capabilities })),
      // Past its limit, where core would not send it.
      rejectedMutation: (version) => {
        const value = new Uint8Array(capabilities.maxValueBytes + 1);
        return { type: "put", key: "too large", value, version, expiresAt: 0 };
      },
      dispose: () => undefined,
    };
  },
};

const fencing: ConformanceHarness = {
  name: "fencing",
  ownership: "fences",
  create: () => {
    const backend = new ReferenceBackend();
    const kill = async (): Promise<void> => {
      backend.owner = undefined;
    };
    return {
      adapter: () => takingOver(backend),
      process: () => ({ ...takingOver(backend), kill }),
      dispose: () => undefined,
    };
  },
};

/** Scans in no order that anyone could rely on. */
function backwards(inner: Adapter): Adapter {
  return around(inner, {
    async *scan(range) {
      const pages: (readonly StoredRecord[])[] = [];
      for await (const page of inner.scan(range)) pages.push([...page].reverse());
      yield* pages.reverse();
    },
  });
}

/** Opens whoever has it open, who is then told so by his next write. */
function takingOver(backend: ReferenceBackend): Adapter {
  const inner = referenceAdapter({ backend });
  return around(inner, {
    open: (context) => {
      backend.owner = undefined;
      return inner.open(context);
    },
    write: async (batch, options) => {
      if (backend.owner !== undefined && backend.owner !== inner) {
        throw new AdapterError("taken over", { kind: "permanent", code: "LEAKDB_FENCED" });
      }
      return inner.write(batch, options);
    },
  });
}

function around(inner: Adapter, changes: Partial<Adapter>): Adapter {
  return {
    name: inner.name,
    capabilities: inner.capabilities,
    open: (context) => inner.open(context),
    write: (batch, options) => inner.write(batch, options),
    load: (keys) => inner.load(keys),
    scan: (range) => inner.scan(range),
    sync: () => inner.sync(),
    close: () => inner.close(),
    ...changes,
  };
}

/** The cases of the harness that don't apply to it. */
async function unmet(harness: ConformanceHarness): Promise<ConformanceCase[]> {
  const fixture = await harness.create();
  const { capabilities } = await fixture.adapter();
  return conformanceCases(harness).filter(
    ({ requires }) => requires?.met(capabilities, harness, fixture) === false,
  );
}

async function skipReason(one: ConformanceCase): Promise<string | undefined> {
  let reason: string | undefined;
  await one.run({
    skip: (given) => {
      reason = given;
    },
  });
  return reason;
}

for (const harness of [whole, least, fencing]) {
  const cases = conformanceCases(harness);
  describe.each([...new Set(cases.map(({ group }) => group))])(`${harness.name}: %s`, (group) => {
    for (const one of cases) if (one.group === group) test(one.name, one.run);
  });
}

describe("conformanceCases", () => {
  test("gives each case a name of its own", () => {
    const names = conformanceCases(whole).map(({ name }) => name);
    assert.deepEqual(
      names.filter((name, index) => names.indexOf(name) !== index),
      [],
    );
  });

  test("a case whose requirement is not met is skipped, with the reason", async () => {
    for (const harness of [whole, least, fencing]) {
      const skipped = await unmet(harness);
      assert.notEqual(skipped.length, 0, harness.name);
      for (const one of skipped) {
        assert.equal(await skipReason(one), `${harness.name}: ${one.requires?.reason}`, one.name);
      }
    }
  });

  test("a case that can't skip where it should rejects, and never seems to pass", async () => {
    const [one] = await unmet(whole);
    await assert.rejects(async () => one?.run(), /cannot skip: reference: /);
  });

  test("a context as mocha gives it, by `this` and without a place for the reason, gets it in the title", async () => {
    const [one] = await unmet(whole);
    const pending = new Error("pending");
    const context = {
      test: { title: "a case" },
      skip: () => {
        throw pending;
      },
    };
    await assert.rejects(async () => one?.run.call(context), pending);
    assert.match(context.test.title, /^a case \[reference: .+\]$/);
    assert.equal(one?.run.length, 0, "mocha passes a callback to functions that take an argument");
  });
});
