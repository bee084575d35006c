/**
 * Does to a store, step by step, what a script says, in a process of its own: one that a shim, or another process, may
 * disturb. The test's side is `playShimmed`.
 */

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Adapter } from "@leakdb/core/adapter";
import { never, openContext, puts } from "./opened-store.js";

/** What the shim can be told to fail; `disk-shim.cc` says what each does. */
export type Fault = "full" | "fail-syncs" | "fail-synced-writes" | "fail-writes";

export type Step =
  | { readonly do: "open" | "close" | "sync" | "versions" | "reports" }
  | { readonly do: "write"; readonly count?: number; readonly firstVersion: number }
  | { readonly do: "begin" | "end"; readonly fault: Fault }
  /** Removes the file whose path is that of the store with `suffix` behind it. */
  | { readonly do: "remove"; readonly suffix: string }
  /** A line `[name]` among the calls that the shim has seen. */
  | { readonly do: "mark"; readonly name: string };

type StepOf<Name extends Step["do"]> = Extract<Step, { do: Name }>;

/**
 * Plays the script of the command line, `<path> <control> <script as JSON> <more …>`, on the adapter that `make` makes
 * of the path and of what else is given, and prints the outcome of each step as JSON. A step that is refused gives
 * `{ error: { kind, code, message } }`, and the next one is done all the same.
 */
export async function playScript(make: (path: string, ...more: string[]) => Adapter): Promise<void> {
  const [path, control, script, ...more] = process.argv.slice(2) as [string, string, string, ...string[]];
  const play = player(make(path, ...more), path, control);
  const outcomes: unknown[] = [];
  for (const step of JSON.parse(script) as Step[]) {
    try {
      outcomes.push((await play(step)) ?? "done");
    } catch (error) {
      const { kind, code, message } = error as Error & { kind?: string; code?: string };
      outcomes.push({ error: { kind, code, message } });
    }
  }
  process.stdout.write(JSON.stringify(outcomes));
}

function player(adapter: Adapter, path: string, control: string): (step: Step) => unknown {
  const reports: string[] = [];
  const steps: { [Name in Step["do"]]: (step: StepOf<Name>) => unknown } = {
    open: () => adapter.open(openContext((error) => reports.push(error.message))),
    close: () => adapter.close(),
    sync: () => adapter.sync(),
    write: async ({ count = 1, firstVersion }) => {
      await adapter.write(puts(count, firstVersion), { signal: never });
    },
    versions: () => versionsIn(adapter),
    reports: () => [...reports],
    begin: ({ fault }) => writeFileSync(join(control, fault), ""),
    end: ({ fault }) => rmSync(join(control, fault)),
    remove: ({ suffix }) => rmSync(path + suffix),
    mark: ({ name }) => writeFileSync(join(control, "calls"), `[${name}]\n`, { flag: "a" }),
  };
  return (step) => (steps[step.do] as (step: Step) => unknown)(step);
}

async function versionsIn(adapter: Adapter): Promise<{ count: number; first?: number; last?: number }> {
  const versions: number[] = [];
  for await (const page of adapter.scan({})) versions.push(...page.map(({ version }) => version));
  const [first] = versions;
  const last = versions.at(-1);
  return {
    count: versions.length,
    ...(first !== undefined && { first }),
    ...(last !== undefined && { last }),
  };
}
