/** Packs every package that is meant for the registry, as it would be published. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "./run-command.mjs";

/**
 * @typedef {object} Packed
 * @property {string} name such as `@leakdb/core`
 * @property {string} folder where its sources are
 * @property {string} tarball
 * @property {readonly string[]} files the paths in the tarball, without its leading `package/`
 */

/**
 * @param {string} root of the repository
 * @param {string} destination an existing folder for the tarballs
 * @returns {Promise<Packed[]>}
 */
export async function packPackages(root, destination) {
  const packed = [];
  for (const entry of readdirSync(join(root, "packages")).sort()) {
    const folder = join(root, "packages", entry);
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    if (manifest.private === true) continue;
    const pnpm = join(root, "node_modules", ".bin", "pnpm");
    const answer = await runCommand(pnpm, ["pack", "--json", "--pack-destination", destination], folder);
    const { filename } = JSON.parse(answer);
    const listing = await runCommand("tar", ["-tzf", filename], destination);
    const files = listing.trim().split("\n");
    packed.push({
      name: manifest.name,
      folder,
      tarball: filename,
      files: files.map((file) => file.replace(/^package\//, "")),
    });
  }
  return packed;
}
