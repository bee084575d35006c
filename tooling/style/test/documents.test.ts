/**
 * The documents hold what they say: links lead somewhere, TypeScript samples compile in strict mode, and samples run
 * as they stand, against what was built. A sample is one fenced block and a whole program; a block that others import
 * has its file name after the language. A server does not end, so it is not run; a
 * thread's file runs with the sample that starts it. Redis at its usual address is a server of our own.
 */

import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { startStandalone } from "@leakdb/redis-servers";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const FENCE = /^( *)```(ts|js)(?: (\S+))?\n([\s\S]*?)^\1```$/gm;
const LINK = /\]\(([^)#\s]+)(?:#[^)]*)?\)/g;
/** The conformance suite is among the samples; the others take half a second. */
const RUN_LIMIT_MS = 60_000;
/** What is shown here is tested there. */
const SHOWN = "apps/examples/src/files-adapter";
/** Cases of the conformance suite that samples run; `apps/examples` runs all of them on the same files. */
const CASES = "^(open and close|faults|ownership): |kill";

interface Sample {
  readonly place: string;
  readonly file: string;
  readonly code: string;
}

/** Decisions are left out: they record what was once true, and their scripts measure. */
const documents = [
  "README.md",
  "ARCHITECTURE.md",
  "CONTRIBUTING.md",
  "packages/core/README.md",
  ...markdownBelow("docs"),
];
const folder = mkdtempSync(join(tmpdir(), "leakdb-samples-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const samples = documents.flatMap(samplesOf);
const runnable = samples.filter(({ file }) => file !== "server.mjs" && !file.endsWith("-thread.ts"));
let diagnostics: readonly ts.Diagnostic[];
beforeAll(async () => {
  const server = await startStandalone();
  afterAll(() => server.stop());
  makeProject(server.url);
  diagnostics = compile();
}, 60_000);

describe("the documents", () => {
  test("have samples", () => {
    expect(runnable.length).toBeGreaterThan(10);
  });

  test("link to files that exist", () => {
    expect(documents.flatMap(brokenLinks)).toEqual([]);
  });

  test("have TypeScript samples that compile", () => {
    expect(diagnostics.map(diagnosticText)).toEqual([]);
  });

  test("show the files of the example adapter as they are", () => {
    const names = readdirSync(join(ROOT, SHOWN)).filter((name) => name !== "speed.ts");
    const shown = samples.filter(({ file }) => names.includes(file)).map(({ file, code }) => [file, code]);
    const there = names.map((name) => [name, readFileSync(join(ROOT, SHOWN, name), "utf8")]);
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(there));
  });

  test("quote the adapter contract by its lines", () => {
    const contract = readFileSync(join(ROOT, "packages/core/src/adapter.ts"), "utf8").split("\n");
    const quoted = samples.find(({ file }) => file === "contract.ts")?.code ?? "";
    const lines = quoted.split("\n").filter((line) => !line.startsWith("import "));
    expect(lines.length).toBeGreaterThan(50);
    expect(
      lines.map((line) => line.replace(/ \/\/ .*$/, "")).filter((line) => !contract.includes(line)),
    ).toEqual([]);
  });

  test.each(runnable.map(({ place, file }) => [place, file]))(
    "%s runs",
    (_place, file) => {
      const script = join(folder, file.replace(/\.ts$/, ".js"));
      const options = file.endsWith(".test.ts") ? [`--test-name-pattern=${CASES}`] : [];
      execFileSync(process.execPath, [...options, script], {
        cwd: folder,
        timeout: RUN_LIMIT_MS,
        stdio: "pipe",
      });
    },
    RUN_LIMIT_MS + 5_000,
  );
});

function markdownBelow(path: string): string[] {
  return readdirSync(join(ROOT, path), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md") && !name.startsWith("decisions"))
    .sort()
    .map((name) => join(path, name));
}

function samplesOf(document: string): Sample[] {
  const text = readFileSync(join(ROOT, document), "utf8");
  return [...text.matchAll(FENCE)].map((match, index) => {
    const [, indent = "", language, name, code = ""] = match;
    const line = text.slice(0, match.index).split("\n").length;
    const fallback = `${document.replace(/\W+/g, "-")}-${index}.${language === "ts" ? "ts" : "mjs"}`;
    return {
      place: `${document}:${line}`,
      file: name ?? fallback,
      code: code.replaceAll(`\n${indent}`, "\n"),
    };
  });
}

/** A folder as a user's: the packages in `node_modules`, each sample a file. */
function makeProject(redisUrl: string): void {
  mkdirSync(join(folder, "node_modules", "@leakdb"), { recursive: true });
  for (const name of ["core", "lmdb", "redis", "sqlite", "testkit"]) {
    symlinkSync(join(ROOT, "packages", name), join(folder, "node_modules", "@leakdb", name));
  }
  // The document about LMDB shows how to read a store without us.
  symlinkSync(join(ROOT, "packages", "lmdb", "node_modules", "lmdb"), join(folder, "node_modules", "lmdb"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  for (const { file, code } of samples) {
    writeFileSync(join(folder, file), code.replaceAll("redis://127.0.0.1:6379", redisUrl));
  }
}

/** Writes JavaScript beside each TypeScript sample. */
function compile(): readonly ts.Diagnostic[] {
  const { config } = ts.readConfigFile(join(ROOT, "tsconfig.base.json"), ts.sys.readFile);
  const typeRoots = [join(ROOT, "node_modules/@types")];
  const asked = {
    ...config.compilerOptions,
    typeRoots,
    outDir: folder,
    declaration: false,
    declarationMap: false,
  };
  const { options } = ts.convertCompilerOptionsFromJson(asked, folder);
  const files = samples.filter(({ file }) => file.endsWith(".ts")).map(({ file }) => join(folder, file));
  const program = ts.createProgram(files, options);
  program.emit();
  return ts.getPreEmitDiagnostics(program);
}

function diagnosticText({ file, start, messageText }: ts.Diagnostic): string {
  const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start ?? 0).line + 1;
  const name = file === undefined ? "" : relative(folder, file.fileName);
  return `${name}:${line} ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
}

function brokenLinks(document: string): string[] {
  const text = readFileSync(join(ROOT, document), "utf8").replace(FENCE, "");
  return [...text.matchAll(LINK)]
    .map(([, link = ""]) => link)
    .filter((link) => !/^[a-z]+:/.test(link) && !existsSync(join(ROOT, dirname(document), link)))
    .map((link) => `${document}: ${link}`);
}
