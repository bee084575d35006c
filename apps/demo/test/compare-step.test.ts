import { afterEach, beforeEach, expect, test } from "vitest";
import { type City, cityKey, readCities } from "../src/cities.js";
import { type Comparison, compare } from "../src/compare-step.js";
import { Expectation } from "../src/expectation.js";
import { load } from "../src/load-step.js";
import { LoopDelayMeter } from "../src/loop-delay.js";
import { Screen } from "../src/screen.js";
import { serve } from "../src/serve-step.js";
import { citiesOf, type DemoStorage, openStorage, visitsOf } from "../src/store.js";
import { store } from "../src/store-step.js";
import { tamper } from "../src/tamper.js";
import { makeWorkplace, type Workplace } from "../src/workplace.js";

const RECORDS = 300;
const screen = new Screen({ write: () => undefined });
const { signal } = new AbortController();

let workplace: Workplace;
let expectation: Expectation;

/** A closed file with some records, updated and counted. */
beforeEach(async () => {
  workplace = await makeWorkplace();
  expectation = new Expectation(await readCities(RECORDS));
  const storage = await openStorage(workplace.filename);
  const meter = await LoopDelayMeter.calibrate(5);
  const context = { storage, expectation, screen, meter, signal };
  await load(context);
  const served = await serve(context, 50);
  expect(served.wrongReads).toBe(0);
  const stored = await store(context);
  expect(stored.stored + stored.coalesced).toBe(RECORDS + served.counters + served.updates);
  await storage.close();
});

afterEach(() => workplace.remove());

/** What is found after `change` was made to the closed file. */
async function comparisonAfter(change: (storage: DemoStorage) => void): Promise<Comparison> {
  const changing = await openStorage(workplace.filename);
  change(changing);
  await changing.close();
  return comparison();
}

async function comparison(): Promise<Comparison> {
  const storage = await openStorage(workplace.filename);
  try {
    return await compare({ storage, expectation, screen, signal });
  } finally {
    await storage.close();
  }
}

const someKey = (): string => cityKey(expectation.cities[17] as City);

test("an untouched file is as it was written", async () => {
  const { records, counters, differences } = await comparison();
  expect(differences).toEqual([]);
  expect(records).toBe(RECORDS);
  expect(counters).toBeGreaterThan(0);
});

test("a record changed in one field differs", async () => {
  const key = await tamper(workplace.filename);
  expect((await comparison()).differences).toEqual([{ key: `city:${key}`, what: "differs" }]);
});

test("an update that was lost differs", async () => {
  const key = someKey();
  expectation.updated(17);
  expect((await comparison()).differences).toEqual([{ key: `city:${key}`, what: "differs" }]);
});

test("a record that is gone is missing", async () => {
  const key = someKey();
  const { differences } = await comparisonAfter((storage) => citiesOf(storage).delete(key));
  expect(differences).toEqual([{ key: `city:${key}`, what: "missing" }]);
});

test("a counter one too high differs", async () => {
  const [country] = expectation.visits().keys();
  const { differences } = await comparisonAfter((storage) => visitsOf(storage).incr(country as string));
  expect(differences).toEqual([{ key: `visits:${country}`, what: "differs" }]);
});

test("a record nobody wrote is unexpected", async () => {
  const { differences } = await comparisonAfter((storage) => storage.set("city:0", 0));
  expect(differences).toEqual([{ key: "city:0", what: "unexpected" }]);
});
