/**
 * Conformance: damage. Data that were damaged at rest are refused with `LEAKDB_CORRUPTION`, or what is served of them is
 * right; and they are left as they are, for whoever repairs them.
 */

import assert from "node:assert/strict";
import type { StoredRecord } from "@leakdb/core/adapter";
import type { CaseGroup, Repair } from "./conformance-case.js";
import type { ConformanceRun } from "./conformance-run.js";
import { onFreshStorage } from "./for-all.js";
import { numberedPuts, type Put } from "./mutations.js";
import type { OpenStore } from "./open-store.js";
import { assertLines, describeKey, describeRecord } from "./records.js";
import { needsDamage } from "./requirements.js";

/** How many damages a case tries, each on a storage of its own. */
const DAMAGES = 4;
const RECORDS = 200;

/** What an adapter over damaged data has said, up to where it refused. */
interface Served {
  readonly records: readonly StoredRecord[];
  /** Keys that it has answered for and found nothing of. */
  readonly missing: readonly string[];
}

async function damaged(run: ConformanceRun, index: number, puts: readonly Put[]): Promise<Repair> {
  const store = await run.open();
  await store.write(...puts);
  await run.settles(store.adapter.sync(), "a sync");
  await run.close(store);
  const repair = await run.fixture.damage?.(index);
  assert.equal(typeof repair, "function", "fixture.damage must answer a function that undoes the damage");
  return repair as Repair;
}

/** Opens damaged data and reads all of them. `undefined`: they were refused. */
async function readDamaged(run: ConformanceRun, puts: readonly Put[]): Promise<Served | undefined> {
  const adapter = await run.fixture.adapter();
  const opening = await run.outcome(() => run.openAdapter(adapter), "an opening of damaged data");
  if (!opening.ok) {
    const { code } = opening.error as { code?: unknown };
    assert.equal(
      code,
      "LEAKDB_CORRUPTION",
      `the code of what refused damaged data: ${opening.error.message}`,
    );
    await run.settles(adapter.close(), "a close after a refused opening");
    return undefined;
  }
  const store = opening.value;
  const scanned = await scanDamaged(run, store);
  const records = [...scanned.records];
  const missing = scanned.isWhole ? keysWithout(puts, scanned.records) : [];
  for (const { key } of puts) {
    const loading = await run.outcome(() => store.load(key), "a load of damaged data");
    const [record] = loading.ok ? loading.value : [];
    if (record !== undefined) records.push(record);
    else if (loading.ok) missing.push(key);
  }
  await run.outcome(() => run.close(store), "a close of damaged data");
  return { records, missing };
}

/** What a scan has yielded, to its end or until it rejected. */
async function scanDamaged(
  run: ConformanceRun,
  store: OpenStore,
): Promise<{ readonly records: readonly StoredRecord[]; readonly isWhole: boolean }> {
  const records: StoredRecord[] = [];
  const pages = store.adapter.scan({})[Symbol.asyncIterator]();
  for (;;) {
    const page = await run.outcome(() => pages.next(), "a page of damaged data");
    if (!page.ok || page.value.done === true) return { records, isWhole: page.ok };
    records.push(...page.value.value);
    assert.ok(records.length <= 2 * RECORDS, "a scan of damaged data yields more than there ever was");
  }
}

function keysWithout(puts: readonly Put[], records: readonly StoredRecord[]): string[] {
  const keys = new Set(records.map(({ key }) => key));
  return puts.map(({ key }) => key).filter((key) => !keys.has(key));
}

async function eachDamage(
  run: ConformanceRun,
  judge: (served: Served | undefined, puts: readonly Put[]) => void,
): Promise<void> {
  const puts = numberedPuts(RECORDS);
  for (let index = 0; index < DAMAGES; index += 1) {
    await onFreshStorage(run, async (fresh) => {
      await damaged(fresh, index, puts);
      judge(await readDamaged(fresh, puts), puts);
    });
  }
}

export const damage: CaseGroup = {
  group: "damage",
  cases: [
    {
      name: "damaged data are refused with LEAKDB_CORRUPTION, or nothing that is served of them is invented",
      requires: needsDamage,
      body: (run) =>
        eachDamage(run, (served, puts) => {
          const stored = new Set(puts.map(describeRecord));
          const odd = (served?.records ?? []).map(describeRecord).filter((line) => !stored.has(line));
          assertLines(odd, [], "records of damaged data that were never stored");
        }),
    },
    {
      name: "damaged data are refused with LEAKDB_CORRUPTION, or none of them are missing without a word",
      requires: needsDamage,
      body: (run) =>
        eachDamage(run, (served) => {
          const missing = [...new Set(served?.missing)].map(describeKey);
          assertLines(missing, [], "stored keys that an adapter over damaged data has no record of");
        }),
    },
    {
      name: "damaged data are left as they are: once repaired, everything is there",
      requires: needsDamage,
      body: async (run) => {
        const puts = numberedPuts(RECORDS);
        for (let index = 0; index < DAMAGES; index += 1) {
          await onFreshStorage(run, async (fresh) => {
            const repair = await damaged(fresh, index, puts);
            await readDamaged(fresh, puts);
            await repair();
            const store = await fresh.open();
            await store.mustHold(puts, "after the damage was undone");
          });
        }
      },
    },
  ],
};
