/**
 * Conformance: what a closed adapter leaves behind in the process, which must be nothing. Rounds of opening and closing
 * make a leak of one handle a round stand out; a series that shows it is repeated, because other cases may run beside
 * this one in the same process.
 */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import type { CaseDefinition } from "./conformance-case.js";
import type { ConformanceRun } from "./conformance-run.js";
import { put } from "./mutations.js";
import { needsLock } from "./requirements.js";

const ROUNDS = 8;
/** A little fewer than the rounds: whatever else goes on in the process may have closed some of its own. */
const LEAKED_MIN = 6;
const SERIES_MAX = 3;
/** How long a handle that was closed may take to be gone. */
const GONE_MS = 300;
/** Lists this process's open files, where the system has it. */
const OPEN_FILES = "/dev/fd";

/** How many handles of each kind are open: files and sockets by number, and what keeps the process alive by its kind. */
function countHandles(): Map<string, number> {
  const counts = new Map<string, number>();
  // Experimental in Node: where it is gone, files and sockets are still counted.
  for (const kind of process.getActiveResourcesInfo?.() ?? []) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  try {
    counts.set("open file", readdirSync(OPEN_FILES).length);
  } catch {
    // A system without the list has its resources counted by kind alone.
  }
  return counts;
}

/** The kinds that `round` has left more of nearly each time it ran, with how many. */
async function grown(run: ConformanceRun, round: () => Promise<void>): Promise<string[]> {
  const before = countHandles();
  for (let count = 0; count < ROUNDS; count += 1) await round();
  const startMs = performance.now();
  for (;;) {
    const more = [...countHandles()]
      .map(([kind, count]) => ({ kind, count: count - (before.get(kind) ?? 0) }))
      .filter(({ count }) => count >= LEAKED_MIN);
    if (more.length === 0 || performance.now() - startMs > GONE_MS) {
      return more.map(({ kind, count }) => `${kind}: ${count} more`);
    }
    await run.turns();
  }
}

async function mustLeaveNothing(run: ConformanceRun, round: () => Promise<void>): Promise<void> {
  await round();
  let left: string[] = [];
  for (let series = 0; series < SERIES_MAX; series += 1) {
    left = await grown(run, round);
    if (left.length === 0) return;
  }
  assert.fail(`after ${ROUNDS} rounds of opening and closing handles are left open, ${left.join(", ")}`);
}

export const leaks: readonly CaseDefinition[] = [
  {
    name: "openings and closings leave no file, socket or timer behind",
    body: async (run) => {
      let version = 0;
      await mustLeaveNothing(run, async () => {
        const store = await run.open();
        await store.write(put("a", "one", ++version));
        for await (const page of store.adapter.scan({})) if (page.length > 0) break;
        await run.close(store);
      });
    },
  },
  {
    name: "openings that are aborted leave no file, socket or timer behind",
    body: (run) =>
      mustLeaveNothing(run, async () => {
        const adapter = await run.fixture.adapter();
        const aborted = AbortSignal.abort(new Error("given up"));
        const opening = await run.outcome(() => run.openAdapter(adapter, aborted), "an aborted opening");
        if (opening.ok) await run.close(opening.value);
        else await run.settles(adapter.close(), "a close after an aborted opening");
      }),
  },
  {
    name: "openings that are refused leave no file, socket or timer behind",
    requires: needsLock,
    body: async (run) => {
      const owner = await run.open();
      await mustLeaveNothing(run, async () => {
        const adapter = await run.fixture.adapter();
        const refused = await run.outcome(() => run.openAdapter(adapter), "an opening beside an owner");
        assert.equal(refused.ok, false, "an opening beside an owner was expected to reject");
        await run.settles(adapter.close(), "the close of a refused adapter");
      });
      await owner.write(put("a", "one", 1));
    },
  },
];
