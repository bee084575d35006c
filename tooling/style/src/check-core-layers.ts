/**
 * Inside core the folders form layers; each may import what stands below it and listed beside it, never upwards:
 *
 *     index.ts
 *       copy             storage (its options and events) · memory · worker
 *       storage          memory · queue · worker · journal · codec
 *         worker         queue · journal · codec
 *           queue        codec          memory   codec          (these two never import each other)
 *           journal      codec
 *             codec      –
 *               leaf files: clock, errors, adapter, adapter-error, directory-lock, backend-mark, key, next-turn, option-names, thrown, wait
 *
 * A worker drains what a queue holds, so it knows the queue's items, and the queue never knows who drains it.
 */

import { imports, target } from "./imports.js";
import { type Finding, finding, type SourceFile } from "./source-file.js";

const SOURCES = "packages/core/src/";

/** What each folder may import, besides itself and the leaf files. */
const BELOW: Readonly<Record<string, readonly string[]>> = {
  copy: ["storage", "memory", "worker"],
  storage: ["memory", "queue", "worker", "journal", "codec"],
  worker: ["queue", "journal", "codec"],
  memory: ["codec"],
  queue: ["codec"],
  journal: ["codec"],
  codec: [],
  "adapter-thread": [],
};

export function checkCoreLayers(file: SourceFile): Finding[] {
  if (!file.path.startsWith(SOURCES) || file.isTest || file.path === `${SOURCES}index.ts`) return [];
  const from = folder(file.path);
  const allowed = from === undefined ? [] : BELOW[from];
  if (allowed === undefined) return [finding(file, 0, `the folder ${from} has no place among core's layers`)];
  const findings: Finding[] = [];
  for (const { name, position } of imports(file)) {
    if (!name.startsWith(".")) continue;
    const path = target(file, name);
    const to = folder(path);
    if (path === `${SOURCES}index`) {
      findings.push(finding(file, position, "nothing in core imports index.ts"));
    } else if (to !== undefined && to !== from && !allowed.includes(to)) {
      findings.push(finding(file, position, `${from ?? "a leaf file"} may not import ${to}`));
    }
  }
  return findings;
}

/** The folder of core that a path is in; `undefined` for the leaf files directly in `src`. */
function folder(path: string): string | undefined {
  const inside = path.slice(SOURCES.length).split("/");
  return inside.length > 1 ? inside[0] : undefined;
}
