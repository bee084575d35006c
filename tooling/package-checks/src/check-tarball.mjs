/** What a tarball must be by itself, before anybody installs it. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "./run-command.mjs";

/** @typedef {import("./pack-packages.mjs").Packed} Packed */

/**
 * The files a user needs are there, and none that only we need. A file of `dist` whose source is gone is left over
 * from an older build: the compiler never deletes.
 *
 * @param {readonly string[]} files in the tarball
 * @param {(source: string) => boolean} hasSource whether the package has a source file of this path
 * @returns {string[]} what is wrong, in words
 */
export function contentFaults(files, hasSource) {
  const missing = ["README.md", "LICENSE", "package.json"].filter((file) => !files.includes(file));
  const tests = files.filter((file) => /\.test\.|(^|\/)test\//.test(file));
  const stale = files.filter((file) => {
    const stem = /^dist\/(.*)\.js$/.exec(file)?.[1];
    return stem !== undefined && !hasSource(`src/${stem}.ts`);
  });
  const built = files.some((file) => /^dist\/.*\.js$/.test(file));
  return [
    ...missing.map((file) => `${file} is missing`),
    ...tests.map((file) => `${file} belongs to our tests`),
    ...stale.map((file) => `${file} has no source any more: delete dist and build`),
    ...(built ? [] : ["nothing is built"]),
  ];
}

/**
 * @param {Packed} packed
 * @returns {Promise<void>}
 */
export async function checkContent(packed) {
  const faults = contentFaults(packed.files, (source) => existsSync(join(packed.folder, source)));
  if (faults.length > 0) throw new Error(faults.join("\n"));
}

/**
 * publint reads the manifest as Node and bundlers will; attw resolves the types as TypeScript will. Both look at
 * the tarball itself. `esm-only`: a CommonJS user of Node 20.19 and later requires ES modules.
 *
 * @param {Packed} packed
 * @param {string} bin the folder of the two programs
 */
export async function checkManifest(packed, bin) {
  await runCommand(join(bin, "publint"), ["run", packed.tarball, "--strict"], packed.folder);
  await runCommand(join(bin, "attw"), [packed.tarball, "--profile", "esm-only", "--no-emoji"], packed.folder);
}
