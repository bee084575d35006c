/**
 * The arrows between packages point one way:
 *
 *     apps → packages;  sqlite, lmdb, redis, testkit → @leakdb/core/adapter (and its thread host);  core → none
 *
 * and nobody reaches into another package's files: a package is what its `exports` say. Tests may use the other
 * packages by name; what a library's sources import must stand in its own dependencies, so that a user has it.
 */

import { builtinModules } from "node:module";
import { imports, target } from "./imports.js";
import { type Finding, finding, type SourceFile } from "./source-file.js";

/** What a package's sources may import of this workspace. A package that is not named here follows the adapters. */
const CORE = "core";
const CONTRACT: ReadonlySet<string> = new Set(["@leakdb/core/adapter", "@leakdb/core/adapter-thread"]);

/** The part of a `package.json` that the check reads. */
export interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** `manifests` by the folder of the package, such as `packages/core`. */
export function checkPackageImports(file: SourceFile, manifests: ReadonlyMap<string, Manifest>): Finding[] {
  const [group, name] = file.path.split("/");
  if (group === undefined || name === undefined) return [];
  const home = `${group}/${name}`;
  const findings: Finding[] = [];
  for (const each of imports(file)) {
    const message = each.name.startsWith(".")
      ? relativeBreach(file, each.name, home)
      : group === "packages" && !file.isTest
        ? bareBreach(each.name, name, manifests.get(home) ?? {})
        : undefined;
    if (message !== undefined) findings.push(finding(file, each.position, message));
  }
  return findings;
}

function relativeBreach(file: SourceFile, name: string, home: string): string | undefined {
  const path = target(file, name);
  // The tooling is about the whole repository: it alone may read the files of the root.
  if (path.startsWith(`${home}/`) || (home.startsWith("tooling/") && !path.includes("/"))) return undefined;
  return `${name} leaves the package; import another package by its name`;
}

function bareBreach(name: string, home: string, manifest: Manifest): string | undefined {
  if (name.startsWith("@leakdb/")) {
    if (home === CORE) return `core imports no other package: ${name}`;
    if (!CONTRACT.has(name)) return `${home} may import only ${[...CONTRACT].join(" and ")}: ${name}`;
  }
  if (name.startsWith("node:") || builtinModules.includes(name)) return undefined;
  const dependency = name
    .split("/")
    .slice(0, name.startsWith("@") ? 2 : 1)
    .join("/");
  const declared = { ...manifest.dependencies, ...manifest.peerDependencies };
  return Object.hasOwn(declared, dependency) ? undefined : `${dependency} is not a dependency of ${home}`;
}
