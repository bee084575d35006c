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
import { startStandalone } from "@leakdb/redis-servers";
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

/** And the kit: fast-check with its own random numbers; the types of Node are the project's. */
const BROUGHT_BY_TESTKIT = [
  /^@leakdb\/testkit$/,
  /^fast-check$/,
  /^pure-rand$/,
  /^@types\/node$/,
  /^undici-types$/,
];

/** All that `@leakdb/lmdb` may bring beyond that: its client, with the client's own parts. */
const BROUGHT_BY_LMDB = [
  /^@leakdb\/lmdb$/,
  /^lmdb$/,
  /^@lmdb\/lmdb-/,
  /^@harperfast\/extended-iterable$/,
  /^node-addon-api$/,
  /^ordered-binary$/,
  /^weak-lru-cache$/,
];

/** And `@leakdb/redis`: the client that its user brings, with the client's own parts. */
const BROUGHT_BY_REDIS = [
  /^@leakdb\/redis$/,
  /^ioredis$/,
  /^@ioredis\/commands$/,
  /^cluster-key-slot$/,
  /^debug$/,
  /^denque$/,
  /^ms$/,
  /^redis-errors$/,
  /^standard-as-callback$/,
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
  const testkit = packed.find(({ name }) => name === "@leakdb/testkit");
  const lmdb = packed.find(({ name }) => name === "@leakdb/lmdb");
  const redis = packed.find(({ name }) => name === "@leakdb/redis");
  if (!core || !sqlite || !testkit || !lmdb || !redis) {
    throw new Error("core, sqlite, lmdb, redis and testkit must be publishable");
  }
  await check("core alone brings no database and runs", () => coreAlone(temporary, core.tarball));
  await checkWithSqlite(temporary, core.tarball, sqlite);
  await check("core and lmdb bring no other database and run", () =>
    withLmdb(temporary, core.tarball, lmdb.tarball),
  );
  await check("core, redis and ioredis bring no other database and run", () =>
    withRedis(temporary, core.tarball, redis),
  );
  await checkWithTestkit(temporary, core.tarball, testkit.tarball);
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
 * The native part comes as a package of its own, so that it runs with install scripts off.
 *
 * @param {string} temporary
 * @param {string} core
 * @param {string} lmdb
 */
async function withLmdb(temporary, core, lmdb) {
  const folder = join(temporary, "with-lmdb");
  await makeProject(folder, [core, lmdb]);
  const known = [...BROUGHT_BY_CORE, ...BROUGHT_BY_LMDB];
  const strangers = installedNames(folder).filter((name) => !known.some((each) => each.test(name)));
  if (strangers.length > 0) throw new Error(`installing core and lmdb also brings ${strangers.join(", ")}`);
  cpSync(join(CONSUMERS, "with-lmdb.mjs"), join(folder, "with-lmdb.mjs"));
  await runCommand(process.execPath, ["with-lmdb.mjs"], folder);
}

/**
 * @param {string} temporary
 * @param {string} core
 * @param {import("./pack-packages.mjs").Packed} redis
 */
async function withRedis(temporary, core, redis) {
  const folder = join(temporary, "with-redis");
  const { version } = JSON.parse(
    readFileSync(join(redis.folder, "node_modules", "ioredis", "package.json"), "utf8"),
  );
  await makeProject(folder, [core, redis.tarball, `ioredis@${version}`]);
  const known = [...BROUGHT_BY_CORE, ...BROUGHT_BY_REDIS];
  const strangers = installedNames(folder).filter((name) => !known.some((each) => each.test(name)));
  if (strangers.length > 0) throw new Error(`installing core and redis also brings ${strangers.join(", ")}`);
  cpSync(join(CONSUMERS, "with-redis.mjs"), join(folder, "with-redis.mjs"));
  const server = await startStandalone();
  try {
    await runCommand(process.execPath, ["with-redis.mjs", server.url], folder);
  } finally {
    await server.stop();
  }
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
    copyConsumers(folder, ["write-behind.mts", "write-behind.cjs"]);
  });
  await check("a strict TypeScript program compiles, our types checked too", () => compile(folder));
  await check("the TypeScript program runs", async () => {
    await runCommand(process.execPath, [join("built", "write-behind.mjs")], folder);
  });
  await check("a CommonJS program runs with require()", async () => {
    await runCommand(process.execPath, ["write-behind.cjs"], folder);
  });
}

/**
 * Without a test runner, a database or its client: what the kit needs, it brings.
 *
 * @param {string} temporary
 * @param {string} core
 * @param {string} testkit
 */
async function checkWithTestkit(temporary, core, testkit) {
  const folder = join(temporary, "with-testkit");
  await check("core and testkit install together, and bring no test runner", async () => {
    await makeProject(folder, [core, testkit, `@types/node@${nodeTypesVersion()}`]);
    const strangers = installedNames(folder).filter(
      (name) => ![...BROUGHT_BY_CORE, ...BROUGHT_BY_TESTKIT].some((known) => known.test(name)),
    );
    if (strangers.length > 0) throw new Error(`installing the testkit also brings ${strangers.join(", ")}`);
    copyConsumers(folder, ["conformance.test.mjs", "conformance-cases.cjs", "custom-adapter.mts"]);
  });
  await check("the whole kit passes by node --test", async () => {
    await runCommand(process.execPath, ["--test", "conformance.test.mjs"], folder);
  });
  await check("an adapter's tests compile in strict TypeScript, the kit's types checked too", async () => {
    await compile(folder);
    await runCommand(process.execPath, ["--test", join("built", "custom-adapter.mjs")], folder);
  });
  await check("the kit works with require()", async () => {
    await runCommand(process.execPath, ["conformance-cases.cjs"], folder);
  });
}

/**
 * @param {string} folder of the project
 * @param {readonly string[]} files
 */
function copyConsumers(folder, files) {
  for (const file of [...files, "tsconfig.json"]) cpSync(join(CONSUMERS, file), join(folder, file));
}

/** @param {string} folder of the project */
async function compile(folder) {
  const typescript = createRequire(import.meta.url).resolve("typescript/package.json");
  await runCommand(process.execPath, [join(typescript, "..", "bin", "tsc"), "-p", "."], folder);
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
