/**
 * Holds every publishable package to what a user will find: packs it, lets publint and attw read the tarball, and
 * installs the tarballs into empty projects where small programs use them in earnest. Run by `npm run check:packages`
 * after a build; ends with 1 when any check failed, and leaves nothing behind.
 */

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkContent, checkManifest } from "./check-tarball.mjs";
import { copyNativePart, installedNames, makeProject } from "./empty-project.mjs";
import { packPackages } from "./pack-packages.mjs";
import { runCommand } from "./run-command.mjs";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const HERE = fileURLToPath(new URL("../", import.meta.url));
const BIN = join(HERE, "node_modules", ".bin");
const CONSUMERS = join(HERE, "consumers");

/** All that `@leakdb/core` may bring: its one dependency with that one's own optional parts. No database's client. */
const BROUGHT_BY_CORE = [
  /^@leakdb\/core$/,
  /^msgpackr$/,
  /^msgpackr-extract$/,
  /^@msgpackr-extract\//,
  /^node-gyp-build-optional-packages$/,
  /^detect-libc$/,
];

let failed = 0;

/**
 * @param {string} name
 * @param {() => Promise<void>} run
 */
async function check(name, run) {
  const startMs = performance.now();
  try {
    await run();
    console.log(`ok    ${name} (${((performance.now() - startMs) / 1_000).toFixed(1)} s)`);
  } catch (error) {
    failed += 1;
    console.error(
      `FAIL  ${name}\n${String(error instanceof Error ? error.message : error).replace(/^/gm, "      ")}`,
    );
  }
}

/** @param {string} temporary */
async function checkAll(temporary) {
  const tarballs = join(temporary, "tarballs");
  mkdirSync(tarballs);
  const packed = await packPackages(ROOT, tarballs);
  for (const each of packed) {
    await check(`${each.name}: the tarball holds what it should`, () => checkContent(each));
    await check(`${each.name}: publint and attw`, () => checkManifest(each, BIN));
  }
  const core = packed.find(({ name }) => name === "@leakdb/core");
  const sqlite = packed.find(({ name }) => name === "@leakdb/sqlite");
  if (core === undefined || sqlite === undefined) throw new Error("core and sqlite must be publishable");
  await check("core alone brings no database and runs", () => coreAlone(temporary, core.tarball));
  await checkWithSqlite(temporary, core.tarball, sqlite);
}

/**
 * @param {string} temporary
 * @param {string} core
 */
async function coreAlone(temporary, core) {
  const folder = join(temporary, "core-alone");
  await makeProject(folder, [core]);
  const strangers = installedNames(folder).filter(
    (name) => !BROUGHT_BY_CORE.some((known) => known.test(name)),
  );
  if (strangers.length > 0) throw new Error(`installing core alone also brings ${strangers.join(", ")}`);
  cpSync(join(CONSUMERS, "core-alone.mjs"), join(folder, "core-alone.mjs"));
  await runCommand(process.execPath, ["core-alone.mjs"], folder);
}

/**
 * @param {string} temporary
 * @param {string} core
 * @param {import("./pack-packages.mjs").Packed} sqlite
 */
async function checkWithSqlite(temporary, core, sqlite) {
  const folder = join(temporary, "with-sqlite");
  await check("core and sqlite install together", async () => {
    await makeProject(folder, [core, sqlite.tarball, `@types/node@${nodeTypesVersion()}`]);
    copyNativePart(folder, sqlite.folder);
    cpSync(CONSUMERS, folder, { recursive: true });
  });
  await check("a strict TypeScript program compiles, our types checked too", async () => {
    const typescript = createRequire(import.meta.url).resolve("typescript/package.json");
    await runCommand(process.execPath, [join(typescript, "..", "bin", "tsc"), "-p", "."], folder);
  });
  await check("the TypeScript program runs", async () => {
    await runCommand(process.execPath, [join("built", "write-behind.mjs")], folder);
  });
  await check("a CommonJS program runs with require()", async () => {
    await runCommand(process.execPath, ["write-behind.cjs"], folder);
  });
}

/** The version this workspace pins, so that the check never changes by itself. */
function nodeTypesVersion() {
  return JSON.parse(readFileSync(join(ROOT, "node_modules", "@types", "node", "package.json"), "utf8"))
    .version;
}

const temporary = mkdtempSync(join(tmpdir(), "leakdb-packages-"));
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
  process.once(signal, () => {
    rmSync(temporary, { recursive: true, force: true });
    process.exit(1);
  });
}
try {
  await checkAll(temporary);
} catch (error) {
  failed += 1;
  console.error(error);
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
console.log(failed === 0 ? "every package is fit to be published" : `${failed} package checks failed`);
process.exitCode = failed === 0 ? 0 : 1;
