/**
 * Does to a store, step by step, what its last argument says, and prints the outcome of each step as JSON. A step that
 * is refused gives `{ error: { kind, code, message } }`, and the next one is done all the same.
 */

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "@leakdb/core/adapter";
import { sqlite } from "@leakdb/sqlite";

const [filename, synchronous, control, script] = process.argv.slice(2);
const { signal } = new AbortController();
const limits = { batchMax: 10_000, batchBytesMax: 8 << 20 };
const adapter = sqlite({ filename, synchronous });
const reports = [];

const steps = {
  open: () =>
    adapter.open({ clock: systemClock, signal, limits, report: (error) => reports.push(error.message) }),
  close: () => adapter.close(),
  sync: () => adapter.sync(),
  async write({ count = 1, firstVersion }) {
    const batch = Array.from({ length: count }, (_, index) => ({
      type: "put",
      key: `key ${String(index).padStart(6, "0")}`,
      value: Buffer.alloc(100, index),
      version: firstVersion + index,
      expiresAt: 0,
    }));
    await adapter.write(batch, { signal });
  },
  async versions() {
    const versions = [];
    for await (const page of adapter.scan({})) versions.push(...page.map(({ version }) => version));
    return { count: versions.length, first: versions[0], last: versions.at(-1) };
  },
  reports: () => [...reports],
  begin: ({ fault }) => writeFileSync(join(control, fault), ""),
  end: ({ fault }) => rmSync(join(control, fault)),
  remove: ({ suffix }) => rmSync(filename + suffix),
  mark: ({ name }) => writeFileSync(join(control, "calls"), `[${name}]\n`, { flag: "a" }),
};

const outcomes = [];
for (const step of JSON.parse(script)) {
  try {
    outcomes.push((await steps[step.do](step)) ?? "done");
  } catch ({ kind, code, message }) {
    outcomes.push({ error: { kind, code, message } });
  }
}
process.stdout.write(JSON.stringify(outcomes));
