/** Finds and reads the source files of the repository: the one part of the style test that touches the disk. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type SourceFile, sourceFile } from "./source-file.js";

const GROUPS = ["packages", "apps", "tooling"];
const SOURCE = /\.[cm]?[jt]s$/;
/** Made by tools, never written by hand. */
const GENERATED = new Set(["node_modules", "dist", "coverage"]);

/** Every source file below `root` that people write, in the order of their paths. */
export function readSources(root: string): SourceFile[] {
  const paths = GROUPS.flatMap((group) => [...walk(root, group)]);
  const atRoot = readdirSync(root).filter((name) => SOURCE.test(name));
  return [...atRoot, ...paths].sort().map((path) => sourceFile(path, readFileSync(join(root, path), "utf8")));
}

function* walk(root: string, folder: string): Generator<string> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      if (!GENERATED.has(entry.name) && !entry.name.startsWith(".")) yield* walk(root, path);
    } else if (SOURCE.test(entry.name)) {
      yield path;
    }
  }
}
