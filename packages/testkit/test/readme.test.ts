/**
 * The README against the kit: its counts, its groups and its table of planted bugs are what they say. With
 * `LEAKDB_UPDATE_README=1` they are written anew instead. And the page of the contract's sentences against both.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { conformanceCases, ReferenceBackend, referenceAdapter } from "../src/index.js";
import { brokenAdapters } from "./broken-adapters.js";

const README = fileURLToPath(new URL("../README.md", import.meta.url));

const cases = conformanceCases({
  name: "reference",
  create: () => ({
    adapter: () => referenceAdapter({ backend: new ReferenceBackend() }),
    dispose: () => undefined,
  }),
});

const CONTRACT = fileURLToPath(new URL("../../core/src/adapter.ts", import.meta.url));
const SENTENCES = fileURLToPath(new URL("../../../docs/reference/conformance.md", import.meta.url));

/** What each group is about, as its file says in its first sentence. */
const ABOUT: Readonly<Record<string, string>> = {
  "open and close":
    "what an opening answers, that it can be repeated and given up, that nothing is left open",
  write: "batches of every size, in their order; the caller's bytes stay the caller's",
  load: "each key asked for answered in its place",
  scan: "each record of a range once, whatever the page",
  order: "keys by their UTF-8 bytes",
  "versions and idempotence": "the newest wins; sent twice is sent once; the high version never falls",
  clear: "the older keys of a prefix, and no others, at its place in the batch",
  expiry: "the moment is kept exactly, and nothing is dropped before it",
  "sizes and limits": "the longest keys, the largest values, the heaviest batch",
  "hostile keys and values": "`__proto__`, NUL, what normalises or looks alike, wildcards, any bytes",
  abort: "an aborted write settles, tells the truth, and does not land later",
  concurrency: "as many writes as lanes, with reads, syncs and a close beside them",
  faults: "nothing hangs or lies while the backend is away, and all is there when it is back",
  "crash and reopen": "what was acknowledged survives a reopening and a kill",
  damage: "data damaged at rest are refused, or what is served of them is right; they are left as they are",
  histories: "random histories against a model",
  ownership: "one owner at a time",
  statistics: "names and sizes",
};

function groupsTable(): string {
  const groups = [...new Set(cases.map(({ group }) => group))];
  const rows = groups.map((group) => {
    const all = cases.filter((one) => one.group === group);
    const needs = all.filter(({ requires }) => requires !== undefined).length;
    return `| ${group} | ${all.length} | ${needs === 0 ? "" : needs} | ${ABOUT[group] ?? ""} |`;
  });
  const conditional = cases.filter(({ requires }) => requires !== undefined).length;
  return [
    "| group | cases | of which conditional | about |",
    "|---|---|---|---|",
    ...rows,
    `| **all** | **${cases.length}** | **${conditional}** | |`,
  ].join("\n");
}

function bugsTable(): string {
  const rows = brokenAdapters.map(({ bug, caughtBy }) => `| ${bug} | ${caughtBy.join("; ")} |`);
  return ["| an adapter that | is caught by |", "|---|---|", ...rows].join("\n");
}

/** The part of `text` between two marks, replaced. */
function withPart(text: string, name: string, part: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [start, end] = [text.indexOf(open) + open.length, text.indexOf(close)];
  expect(end, `the README must have the mark ${close}`).toBeGreaterThan(start - 1);
  return text.slice(0, start) + part + text.slice(end);
}

test("the README tells the groups, their cases and the planted bugs as they are", () => {
  const text = readFileSync(README, "utf8");
  const parts = [
    ["count", `${cases.length} cases`],
    ["groups", `\n\n${groupsTable()}\n\n`],
    ["bugs", `\n\n${bugsTable()}\n\n`],
  ] as const;
  const expected = parts.reduce((whole, [name, part]) => withPart(whole, name, part), text);
  if (process.env["LEAKDB_UPDATE_README"] === "1") writeFileSync(README, expected);
  else expect(text, "run this test with LEAKDB_UPDATE_README=1").toBe(expected);
});

test("the page of sentences quotes the contract and names cases that there are", () => {
  const lines = readFileSync(CONTRACT, "utf8").replace(/^\s*\* ?/gm, "");
  const contract = lines.replace(/\s+/g, " ");
  const names = new Set(cases.map(({ name }) => name));
  const [, section = ""] = readFileSync(SENTENCES, "utf8").split(/^## .+$/m);
  const rows = section.matchAll(/^\| (.+) \| (.+) \|$/gm);
  const [, ...sentences] = [...rows].map(([, sentence = "", tried = ""]) => ({
    sentence,
    tried: tried.split("; "),
  }));
  expect(sentences.length).toBeGreaterThan(30);
  expect(sentences.filter(({ sentence }) => !contract.includes(sentence))).toEqual([]);
  expect(sentences.flatMap(({ tried }) => tried).filter((name) => !names.has(name))).toEqual([]);
});

test("each group is told in a sentence, and there are at least 150 cases", () => {
  expect([...new Set(cases.map(({ group }) => group))]).toEqual(Object.keys(ABOUT));
  expect(cases.length).toBeGreaterThanOrEqual(150);
});
