/**
 * What a conformance case is, and what an adapter's author supplies to run it. Free of any test runner: a case is a
 * name and a function, which `test(name, run)` of vitest and of `node:test`, and `it(name, run)` of mocha take as they
 * are.
 *
 * Invariants:
 * - Each case has a storage of its own, made before it and disposed of after it, also when it fails.
 * - A case that passes has closed what it opened.
 * - A case is skipped only by a {@link Requirement} with a written reason, and says so to the runner.
 */

import type { Adapter, Capabilities, Clock, Mutation } from "@leakdb/core/adapter";
import { ConformanceRun } from "./conformance-run.js";

/** What an adapter's author supplies. */
export interface ConformanceHarness {
  /** Stands in the reasons of skipped cases. */
  readonly name: string;
  /** Makes a new, empty storage for one case. */
  create(): Promise<Fixture> | Fixture;
  /**
   * What a second owner meets while the first is open: it is refused with `LEAKDB_LOCKED` ("locks", the default), or
   * it takes over and the first gets `LEAKDB_FENCED` ("fences").
   */
  readonly ownership?: "locks" | "fences" | undefined;
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
  /** Real milliseconds after which a call that must settle counts as hung. Default 10,000. */
  readonly deadlineMs?: number | undefined;
  /**
   * What random histories are drawn from: equal seeds draw the same. Default 1. `LEAKDB_SEED` in the environment goes
   * before it; a failure says what to set.
   */
  readonly seed?: number | undefined;
}

/** A storage that outlives the adapters over it: a file, a directory, a key prefix of a server. */
export interface Fixture {
  /** A fresh adapter over this storage, not opened. Each call stands for a new process. */
  adapter(): Promise<Adapter> | Adapter;
  /**
   * Ends an open adapter as `kill -9` ends a process: no close, no flush, its locks gone. Resolves when nothing of it
   * can take effect any more. Left out, the crash cases are skipped.
   */
  kill?(adapter: Adapter): Promise<void> | void;
  /**
   * As `adapter`, but with a process of its own, which `kill` ends by `kill -9`: what `processAdapter` makes. Left out,
   * the cases about owners in other processes are skipped.
   */
  process?(): Promise<OtherProcess> | OtherProcess;
  /** Takes the backend away below open adapters, and brings it back. Left out, the outage cases are skipped. */
  readonly outage?: Outage | undefined;
  /**
   * Damages the data at rest, while nothing has them open, and answers what undoes that damage alone. `index` counts
   * the damages of a case from 0: choose another place for each, or the same. What undoes it must put back what was
   * changed and nothing else, or an adapter that has overwritten the data is not found. Left out, the cases about
   * damage are skipped.
   */
  damage?(index: number): Promise<Repair> | Repair;
  /**
   * Makes the backend fail at writing, as a full disk does, until its end; reading may go on. A batch of some mebibytes
   * must fail for certain, a smaller one may. Left out, the cases about failing writes are skipped.
   */
  readonly failWrites?: Outage | undefined;
  /**
   * A mutation that keeps all limits of the capabilities and that the backend refuses for good all the same, by a
   * constraint of its own. Left out, the cases about rejections are skipped.
   */
  rejectedMutation?(version: number): Mutation;
  /**
   * Makes something of an open adapter fail that no call is waiting for: a connection at rest, a sweep. It has to be
   * reported; the adapter is closed then. Left out, the case about reports is skipped.
   */
  failInBackground?(adapter: Adapter): Promise<void> | void;
  /** Removes the storage. Every adapter over it is closed or killed by then. */
  dispose(): Promise<void> | void;
}

/** An adapter with a process of its own. */
export interface OtherProcess extends Adapter {
  /** `kill -9`: resolves when the process is gone, and nothing of it can take effect any more. */
  kill(): Promise<void>;
}

export type Repair = () => Promise<void> | void;

export interface Outage {
  begin(): Promise<void> | void;
  end(): Promise<void> | void;
}

/** What a case needs beyond the contract's minimum, and why an adapter without it may skip the case. */
export interface Requirement {
  readonly reason: string;
  met(capabilities: Capabilities, harness: ConformanceHarness, fixture: Fixture): boolean;
}

/** The part of a runner's test context that a case uses; those of vitest, `node:test` and mocha fit. */
export interface CaseContext {
  skip?(reason: string): void;
}

/** One executable sentence of the contract. */
export interface ConformanceCase {
  readonly group: string;
  /** States the behaviour; unique in its group. */
  readonly name: string;
  readonly requires: Requirement | undefined;
  /**
   * Rejects with an `AssertionError` that says what was expected. The context is the argument, or else `this`, as
   * mocha gives it; a case that has to be skipped rejects where neither can skip, so that it never seems to pass.
   */
  readonly run: (this: unknown, context?: CaseContext) => Promise<void>;
}

/** A case before it is bound to a harness. */
export interface CaseDefinition {
  readonly name: string;
  readonly requires?: Requirement;
  readonly body: (run: ConformanceRun) => Promise<void>;
}

export interface CaseGroup {
  readonly group: string;
  readonly cases: readonly CaseDefinition[];
}

/** Binds a definition to an adapter. */
export function bindCase(
  group: string,
  definition: CaseDefinition,
  harness: ConformanceHarness,
): ConformanceCase {
  const { name, requires, body } = definition;
  return {
    group,
    name,
    requires,
    // The default gives the function the length 0: mocha would pass a callback otherwise, and wait for it.
    run: async function (this: unknown, context: CaseContext = this as CaseContext) {
      const run = await ConformanceRun.begin(harness);
      if (requires !== undefined && !requires.met(await run.capabilities(), harness, run.fixture)) {
        await run.dispose();
        skip(context, `${harness.name}: ${requires.reason}`);
        return;
      }
      await runAndDispose(run, body);
    },
  };
}

function skip(context: CaseContext | undefined, reason: string): void {
  if (typeof context?.skip !== "function")
    throw new Error(`the case does not apply, and cannot skip: ${reason}`);
  // Mocha's skip takes no reason, so that it stands in the title, which every reporter shows.
  const { test } = context as { test?: { title?: unknown } };
  if (test !== undefined && typeof test.title === "string") test.title += ` [${reason}]`;
  context.skip(reason);
}

async function runAndDispose(run: ConformanceRun, body: CaseDefinition["body"]): Promise<void> {
  try {
    await body(run);
  } catch (error) {
    // What the case found matters more than what its cleaning up stumbles on because of it.
    await run.dispose().catch(() => undefined);
    throw error;
  }
  await run.dispose();
}
