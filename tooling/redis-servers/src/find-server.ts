/**
 * Finds a real server for tests, in this order: the one that `LEAKDB_TEST_REDIS_URL` names; a program on `PATH`;
 * Debian's packages, in a private cache. What was found is remembered for the life of the process.
 */

import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { debianServer } from "./debian-server.js";
import type { FoundServer, ServerProgram } from "./found-server.js";
import { runCommand } from "./run-command.js";
import { runningServer } from "./running-server.js";
import { isWanted, readVersionLine, type WantedVersion } from "./server-version.js";

/** The environment variable with the URL of a standalone server to use instead of one of our own. */
export const URL_VARIABLE = "LEAKDB_TEST_REDIS_URL";

/** What is taken from Debian's packages when no version was asked for, in this order. */
const ANY: readonly WantedVersion[] = ["7", "8", "valkey"];
const VERSION_DEADLINE_MS = 10_000;

export interface FindOptions {
  /** Default: the server that is nearest: any Valkey, or a Redis from 6.2 on. */
  readonly version?: WantedVersion;
}

const found = new Map<WantedVersion | undefined, Promise<FoundServer>>();

/**
 * A server to run tests against. The first call on a machine may download one, which takes some seconds: call it at
 * the top level of a test file, where no time limit of a hook runs.
 *
 * @throws Error with what was tried and what to install, where there is none.
 */
export function findServer({ version }: FindOptions = {}): Promise<FoundServer> {
  const before = found.get(version);
  if (before !== undefined) return before;
  const search = lookFor(version);
  found.set(version, search);
  return search;
}

/** Why {@link findServer} would fail, on one line and more; `undefined` where it finds one. For `test.skipIf`. */
export function whyNoServer(options: FindOptions = {}): Promise<string | undefined> {
  return findServer(options).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}

async function lookFor(version: WantedVersion | undefined): Promise<FoundServer> {
  const url = process.env[URL_VARIABLE];
  if (url !== undefined && url !== "") return runningServer(url, URL_VARIABLE, version);
  const onPath = await serverOnPath(version);
  if (onPath !== undefined) return onPath;
  const reasons: string[] = [];
  for (const each of version === undefined ? ANY : [version]) {
    try {
      return await debianServer(each, cacheFolder());
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  const name = version === undefined ? "" : ` ${version === "valkey" ? "Valkey" : `Redis ${version}`}`;
  throw new Error(
    `No${name} server to test with. Install redis-server or valkey-server and put its folder on PATH, or set ` +
      `${URL_VARIABLE} to the URL of a standalone server (see compose.yaml).\n${reasons.join("\n")}`,
  );
}

/** Looks through the whole of `PATH`, since several versions may be there. */
async function serverOnPath(version: WantedVersion | undefined): Promise<ServerProgram | undefined> {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    for (const name of ["redis-server", "valkey-server"]) {
      const path = join(folder, name);
      if (folder === "" || !existsSync(path)) continue;
      const line = await runCommand(path, ["--version"], { deadlineMs: VERSION_DEADLINE_MS }).catch(() => "");
      const description = readVersionLine(line);
      if (description === undefined || !isWanted(description, version)) continue;
      return { kind: "program", ...description, command: [path], origin: path };
    }
  }
  return undefined;
}

/** Below the repository's `node_modules`, where other tools keep theirs; where there is none, the user's own cache. */
function cacheFolder(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== dirname(folder); ) {
    if (existsSync(join(folder, "pnpm-workspace.yaml"))) {
      return made(join(folder, "node_modules", ".cache", "leakdb-redis-servers"));
    }
    folder = dirname(folder);
  }
  return made(join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "leakdb-redis-servers"));
}

function made(folder: string): string {
  mkdirSync(folder, { recursive: true });
  return folder;
}
