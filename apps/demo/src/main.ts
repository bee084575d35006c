/**
 * The demo, `npm start`: loads the places of the world into SQLite behind memory, serves a mixed load meanwhile, says
 * what it measured, then opens the file again and compares every entry with what was written.
 *
 *     load ─▶ serve ─▶ store ─▶ close ─▶ (tamper) ─▶ open again ─▶ compare
 *
 * Here are the order of the steps and the ways to end; each step has its file.
 */

import { availableParallelism } from "node:os";
import { type DemoOptions, HELP, parseArguments, UsageError } from "./arguments.js";
import { readCities } from "./cities.js";
import { type Comparison, compare } from "./compare-step.js";
import { Expectation } from "./expectation.js";
import { count, seconds } from "./figures.js";
import { load, type StepContext } from "./load-step.js";
import { LoopDelayMeter } from "./loop-delay.js";
import { type RunFigures, report } from "./report.js";
import { Screen } from "./screen.js";
import { serve } from "./serve-step.js";
import { type DemoStorage, openStorage } from "./store.js";
import { store } from "./store-step.js";
import { tamper } from "./tamper.js";
import { fileBytes, makeWorkplace, type Workplace } from "./workplace.js";

const EXIT = { alike: 0, different: 1, usage: 2, interrupted: 130 } as const;
const CALIBRATION_MS = 500;
const DIFFERENCES_SHOWN = 5;

async function main(args: readonly string[]): Promise<number> {
  const options = parseArguments(args);
  if (options === "help") {
    process.stdout.write(HELP);
    return EXIT.alike;
  }
  const screen = new Screen(process.stdout, process.env);
  const interruption = new AbortController();
  // Once each: a second Ctrl-C ends the process as it always does.
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interruption.abort());
  const workplace = await makeWorkplaceIn(options.directory);
  try {
    return await run(options, screen, workplace, interruption.signal);
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    screen.say();
    screen.say("Interrupted. What was accepted is stored, and the file is closed.");
    return EXIT.interrupted;
  } finally {
    if (options.isKept) screen.say(`The database stays: ${workplace.filename}`);
    else await workplace.remove();
    screen.say();
  }
}

async function makeWorkplaceIn(directory: string | undefined): Promise<Workplace> {
  try {
    return await makeWorkplace(directory);
  } catch (error) {
    if (directory === undefined) throw error;
    throw new UsageError(
      `--directory must be a directory that can be written to: ${(error as Error).message}`,
    );
  }
}

async function run(
  options: DemoOptions,
  screen: Screen,
  { filename }: Workplace,
  signal: AbortSignal,
): Promise<number> {
  screen.title("LeakDB demo");
  screen.aside("Memory answers at once. SQLite, on its own thread, keeps what memory was told.");
  screen.aside(
    `Node ${process.version}, ${availableParallelism()} processors. Reading the places, and watching an idle loop.`,
  );
  const expectation = new Expectation(await readCities(options.records));
  const meter = await LoopDelayMeter.calibrate(CALIBRATION_MS, signal);
  const figures = await fill(options, filename, { expectation, screen, meter, signal });
  report(screen, figures);
  const { wrongReads } = figures.serve;
  if (options.isTampered) {
    screen.step("Tamper", "one record of the closed file is changed, as a faulty disk would");
    screen.say(`city ${await tamper(filename)} has one inhabitant more now`);
  }
  signal.throwIfAborted();
  const comparison = await reopen(filename, { expectation, screen, signal });
  const isAlike = wrongReads === 0 && comparison.differences.length === 0;
  if (wrongReads > 0) screen.bad(`${count(wrongReads)} reads found a wrong record, or none`);
  showComparison(screen, comparison);
  if (!isAlike) return EXIT.different;
  showWhereNext(screen);
  return EXIT.alike;
}

/** Steps 1 to 3, on one storage that is closed at the end however they go. */
async function fill(
  { seconds: duration }: DemoOptions,
  filename: string,
  rest: Omit<StepContext, "storage">,
): Promise<RunFigures> {
  const { screen, expectation } = rest;
  const storage = await openStorage(filename);
  try {
    const context = { ...rest, storage };
    const startMs = performance.now();
    const total = count(expectation.cities.length);
    screen.step(
      `Load ${total} places`,
      "a set returns once memory has the record; SQLite follows in batches",
    );
    const loaded = await load(context);
    const waited =
      loaded.waitedMs > 0 ? `, ${seconds(loaded.waitedMs)} of it waiting for room in the queue` : "";
    screen.good(`all accepted after ${seconds(loaded.ms)}${waited}`);

    screen.step(
      `Serve ${seconds(duration * 1_000)} of requests`,
      "80 % reads, 10 % counters, 10 % updates, while the queue drains",
    );
    const served = await serve(context, duration * 1_000);
    screen.good(`${count(served.reads + served.counters + served.updates)} requests answered from memory`);

    screen.step("Store the rest", "flush: from here on, a crash of the machine takes nothing of this away");
    const stored = await store(context);
    const writingMs = performance.now() - startMs;
    screen.good(`the last ${count(stored.waiting)} entries stored and synced after ${seconds(stored.ms)}`);
    await storage.close();
    const bytes = await fileBytes(filename);
    return { load: loaded, serve: served, store: stored, writingMs, fileBytes: bytes, idle: rest.meter.idle };
  } finally {
    await storage.close();
  }
}

/** Step 4. */
async function reopen(
  filename: string,
  rest: { expectation: Expectation; screen: Screen; signal: AbortSignal },
): Promise<Comparison> {
  const { screen } = rest;
  screen.step("Open the file again and compare", "every record and counter, with what was written");
  const startMs = performance.now();
  const storage: DemoStorage = await openStorage(filename);
  try {
    screen.good(
      `open after ${seconds(performance.now() - startMs)}: ${count(storage.size)} entries in memory`,
    );
    return await compare({ ...rest, storage });
  } finally {
    await storage.close();
  }
}

function showComparison(screen: Screen, { records, counters, differences }: Comparison): void {
  if (differences.length === 0) {
    screen.good(`${count(records)} records and ${count(counters)} counters: each as it was written`);
    return;
  }
  const are = differences.length === 1 ? "entry is" : "entries are";
  screen.bad(`${count(differences.length)} ${are} not as written:`);
  for (const { key, what } of differences.slice(0, DIFFERENCES_SHOWN)) screen.say(`${key}  ${what}`);
  if (differences.length > DIFFERENCES_SHOWN) screen.say("…");
}

function showWhereNext(screen: Screen): void {
  screen.title("Where to go next");
  screen.list([
    ["README.md", "the first lines of a program of your own"],
    ["apps/examples", "sessions, a rate limiter, a crawl frontier, to copy from"],
    ["npm test", "what is promised, tried"],
    ["npm run bench", "the same kind of load beside other stores"],
    ["npm start -- --tamper", "does the comparison notice one wrong record?"],
    ["npm start -- --help", "more to turn"],
  ]);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = error instanceof UsageError ? EXIT.usage : EXIT.different;
  const words = error instanceof UsageError ? `${error.message}. --help lists the options` : error;
  console.error("leakdb demo:", words);
}
