/**
 * What survives what: every cell of the table in `docs/concepts/what-survives.md`, and that the document has that table.
 * Processes die for real, over SQLite; power cuts and full disks are simulated below the journal.
 */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { endMachine } from "../src/journal/ended-machine.js";
import { type EndedProcess, endProcess } from "../src/journal/ended-process.js";
import {
  EVENTS,
  type Event,
  PROCESS_EVENTS,
  PROMISES_OF_BACKENDS,
  ROWS,
  STORAGES,
  tableText,
} from "../src/journal/what-survives.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const DOCUMENT = "docs/concepts/what-survives.md";

const processes = new Map<Event, EndedProcess>();

beforeAll(async () => {
  // Two at a time: there are as many cores.
  const waiting = [...PROCESS_EVENTS];
  const runner = async (): Promise<void> => {
    for (let event = waiting.shift(); event !== undefined; event = waiting.shift())
      processes.set(event, await endProcess(event));
  };
  await Promise.all([runner(), runner()]);
});

function ended(event: Event): EndedProcess {
  const end = processes.get(event);
  if (end === undefined) throw new Error(`no process was ended by ${event}`);
  return end;
}

test("the document has the table that is tested here", () => {
  const text = readFileSync(`${ROOT}${DOCUMENT}`, "utf8");
  const lines = text.split("\n").filter((line) => line.startsWith("|"));
  expect(lines.slice(0, ROWS.length + 2).join("\n")).toBe(tableText());
});

test("the document explains every word of the table", () => {
  const text = readFileSync(`${ROOT}${DOCUMENT}`, "utf8");
  for (const outcome of new Set(ROWS.flatMap(({ outcomes }) => outcomes))) {
    expect(text, outcome).toContain(`- **${outcome}**`);
  }
});

test("the table has every storage, and every level that it has, once", () => {
  expect([...new Set(ROWS.map(({ storage }) => storage))]).toEqual([...STORAGES]);
  expect(new Set(ROWS.map(({ storage, level }) => `${storage} ${level}`)).size).toBe(ROWS.length);
  for (const { outcomes } of ROWS) expect(outcomes).toHaveLength(EVENTS.length);
});

test.each(PROCESS_EVENTS)("the process really ended by %s", (event) => {
  const { code, signal, errors } = ended(event).end;
  const expected: Partial<Record<Event, object>> = {
    "uncaught error": { code: 1, signal: null },
    "`process.exit`": { code: 0, signal: null },
    SIGKILL: { code: null, signal: "SIGKILL" },
  };
  expect({ code, signal }).toEqual(expected[event] ?? { code: null, signal: "SIGTERM" });
  if (event === "uncaught error") expect(errors).toContain("nobody catches this");
  else expect(errors).toBe("");
});

for (const { storage, level, outcomes } of ROWS) {
  describe(`${storage}, ${level}`, () => {
    for (const [index, event] of EVENTS.entries()) {
      const outcome = outcomes[index];
      test(`${event}: ${outcome}`, async () => {
        const isJournaled = storage.endsWith("+ journal");
        const isBackends = storage.startsWith("Persistent") && !isJournaled;
        if (PROCESS_EVENTS.includes(event)) {
          expect(ended(event).observed(storage, level)).toBe(outcome);
        } else if (event !== "power cut" || isJournaled) {
          expect(await endMachine(event, storage, level)).toBe(outcome);
        } else if (!isBackends || level === "memory") {
          // No more than what a process leaves that was killed.
          expect(ended("SIGKILL").observed(storage, level)).toBe(outcome);
        }
        if (!isBackends) return;
        for (const { file, title } of PROMISES_OF_BACKENDS[event]?.[level] ?? []) {
          expect(readFileSync(`${ROOT}${file}`, "utf8"), file).toContain(`"${title}"`);
        }
      });
    }
  });
}
