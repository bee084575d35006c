/**
 * A project that holds nothing but the tarballs under test, as a user's would: whatever only works inside this
 * workspace fails here.
 */

import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { runCommand } from "./run-command.mjs";

/** Where better-sqlite3 keeps its native part, which its install script downloads or compiles. */
const NATIVE_PART = join("build", "Release", "better_sqlite3.node");

/**
 * @param {string} folder to be made
 * @param {readonly string[]} installed tarballs and `name@version`
 */
export async function makeProject(folder, installed) {
  mkdirSync(folder);
  const manifest = { name: "empty-project", version: "1.0.0", private: true };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  // Install scripts stay off: see copyNativePart.
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"];
  await runCommand("npm", ["install", ...options, ...installed], folder);
}

/**
 * @param {string} folder of the project
 * @returns {string[]} the names of all installed packages, each once, in order
 */
export function installedNames(folder) {
  const lock = JSON.parse(readFileSync(join(folder, "node_modules", ".package-lock.json"), "utf8"));
  const paths = Object.keys(lock.packages);
  return [...new Set(paths.map((path) => path.slice(path.lastIndexOf("node_modules/") + 13)))].sort();
}

/**
 * Gives the project's better-sqlite3 the native part that this workspace has built from the same version. Without a
 * prebuilt binary for the platform it compiles for more than a minute, and compiling SQLite once more proves nothing
 * about our packages: which version npm picks for a user, and that our code runs with it, is still tested.
 *
 * @param {string} folder of the project
 * @param {string} sqlite the folder of the workspace's `@leakdb/sqlite`
 */
export function copyNativePart(folder, sqlite) {
  const built = dirname(createRequire(join(sqlite, "package.json")).resolve("better-sqlite3/package.json"));
  const installed = join(folder, "node_modules", "better-sqlite3");
  const [builtVersion, installedVersion] = [built, installed].map(versionOf);
  if (builtVersion !== installedVersion) {
    throw new Error(`npm installed better-sqlite3 ${installedVersion}, the workspace pins ${builtVersion}`);
  }
  if (!existsSync(join(built, NATIVE_PART))) {
    throw new Error("better-sqlite3 is not built in this workspace: run npm run setup:all");
  }
  mkdirSync(dirname(join(installed, NATIVE_PART)), { recursive: true });
  copyFileSync(join(built, NATIVE_PART), join(installed, NATIVE_PART));
}

/** @param {string} folder of an installed package */
function versionOf(folder) {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).version;
}
