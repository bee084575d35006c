/**
 * A server out of Debian's or Ubuntu's packages, unpacked into a private cache and run from there by the C library
 * and the loader that were unpacked beside it, so that a server of another release runs too.
 *
 *     <cache>/valkey-amd64/                 is there: complete
 *       root/usr/bin/valkey-server          root/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 …
 *     <cache>/valkey-amd64.4711-1a2b3c/     of a process that downloads just now, or was killed while it did
 *
 * Each process works in a folder of its own and renames it at the end. One that finds another at work waits for it;
 * where two began at once, the second to end finds the place taken, and uses what is there.
 */

import { existsSync, realpathSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { DebianSource } from "./debian-source.js";
import type { ServerProgram } from "./found-server.js";
import { runCommand } from "./run-command.js";
import { isWanted, readVersionLine, type WantedVersion } from "./server-version.js";
import { until } from "./until.js";

/** The release of Debian that has a version. No release ever had Redis 6.2: it came and went between two of them. */
const RELEASES: Readonly<Record<WantedVersion, string | undefined>> = {
  "6.0": "bullseye",
  "6.2": undefined,
  "7": "bookworm",
  "8": "trixie",
  valkey: "trixie",
};
const OTHERS_DEADLINE_MS = 120_000;
const VERSION_DEADLINE_MS = 10_000;

/**
 * The server of that version, from the cache or else downloaded, which takes some seconds.
 *
 * @throws Error with what was tried, where it can't be had: not a Debian, no network, no such version.
 */
export async function debianServer(wanted: WantedVersion, cache: string): Promise<ServerProgram> {
  const release = RELEASES[wanted];
  if (release === undefined) {
    throw new Error(`no release of Debian has Redis ${wanted} (bullseye has 6.0, bookworm 7.0, trixie 8.0)`);
  }
  for (const tool of ["/usr/bin/apt-get", "/usr/bin/apt-cache", "/usr/bin/dpkg"]) {
    if (!existsSync(tool)) throw new Error(`this is not a Debian or Ubuntu: ${tool} is not there`);
  }
  const architecture = (
    await runCommand("dpkg", ["--print-architecture"], { deadlineMs: VERSION_DEADLINE_MS })
  ).trim();
  const home = join(cache, `${wanted === "valkey" ? wanted : `redis-${wanted}`}-${architecture}`);
  if (!existsSync(home)) await fill(home, wanted, release);
  return describe(home, wanted);
}

async function fill(home: string, wanted: WantedVersion, release: string): Promise<void> {
  await mkdir(dirname(home), { recursive: true });
  await waitForOthers(home);
  if (existsSync(home)) return;
  const work = await mkdtemp(`${home}.${process.pid}-`);
  try {
    await download(work, wanted, release);
    await rename(join(work, "done"), home);
  } catch (error) {
    // Another process was faster, and what it put there is as good.
    if (!existsSync(home)) throw error;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * Tries one source after the other, and fails with what each of them lacked. The machine's own are read anew last,
 * since they help only where Debian's keys are not there, as on Ubuntu.
 */
async function download(work: string, wanted: WantedVersion, release: string): Promise<void> {
  const product = wanted === "valkey" ? "valkey" : "redis";
  const sources: (() => Promise<DebianSource>)[] = [
    () => DebianSource.machine(join(work, "lists-as-they-are")),
    () => DebianSource.release(release, join(work, "release")),
    () => DebianSource.machineUpdated(join(work, "machine")),
  ];
  const failures: string[] = [];
  for (const [index, open] of sources.entries()) {
    try {
      const source = await open();
      const candidate = await source.candidate(`${product}-server`);
      if (candidate === undefined || !isCandidate(candidate, wanted)) {
        failures.push(`${source.name}: has ${candidate ?? `no ${product}-server`}`);
        continue;
      }
      const names = await source.withLibraries([`${product}-server`, `${product}-tools`]);
      const root = join(work, `unpacked-${index}`, "root");
      await source.unpack(names, join(work, `packages-${index}`), root);
      await rename(join(root, ".."), join(work, "done"));
      return;
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(`${product}-server could not be had from Debian's packages:\n- ${failures.join("\n- ")}`);
}

/** `5:7.0.15-1~deb12u7` is a 7: the epoch before the colon is Debian's own count. */
function isCandidate(candidate: string, wanted: WantedVersion): boolean {
  if (wanted === "valkey") return true;
  return isWanted({ flavour: "redis", version: candidate.replace(/^\d+:/, "") }, wanted);
}

async function describe(home: string, wanted: WantedVersion): Promise<ServerProgram> {
  const root = join(home, "root");
  const libraries = (await readdir(root, { recursive: true, withFileTypes: true }))
    .filter(({ name }) => /\.so(\.\d+)*$/.test(name))
    .map(({ name, parentPath }) => ({ name, folder: parentPath }));
  // Of two names that the loader has, one may be a link to an absolute path, which leads out of here.
  const loader = libraries.find(
    ({ name, folder }) => /^ld-linux.*\.so\.\d+$/.test(name) && leadsInto(root, join(folder, name)),
  );
  if (loader === undefined) throw new Error(`${root} has no loader; remove that folder and try again`);
  const folders = [...new Set(libraries.map(({ folder }) => folder))].join(":");
  const program = join(root, "usr/bin", wanted === "valkey" ? "valkey-server" : "redis-server");
  const command = [join(loader.folder, loader.name), "--library-path", folders, program];
  const line = await runCommand(command[0]!, [...command.slice(1), "--version"], {
    deadlineMs: VERSION_DEADLINE_MS,
  });
  const version = readVersionLine(line);
  if (version === undefined) throw new Error(`${program} --version answers what no server does: ${line}`);
  return { kind: "program", ...version, command, origin: `Debian's packages, unpacked in ${root}` };
}

function leadsInto(root: string, path: string): boolean {
  try {
    return realpathSync(path).startsWith(`${realpathSync(root)}/`);
  } catch {
    return false;
  }
}

/** Resolves when no other process is at work on `home`; removes what those left that were killed. */
async function waitForOthers(home: string): Promise<void> {
  const prefix = `${basename(home)}.`;
  const cache = dirname(home);
  const isAlone = async (): Promise<boolean> => {
    for (const name of await readdir(cache)) {
      if (!name.startsWith(prefix)) continue;
      if (isAlive(Number.parseInt(name.slice(prefix.length), 10))) return false;
      await rm(join(cache, name), { recursive: true, force: true });
    }
    return true;
  };
  // One that takes longer than that may hang: better to download twice.
  await until(isAlone, { what: "another process to download", deadlineMs: OTHERS_DEADLINE_MS }).catch(
    () => undefined,
  );
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // It is another user's, and so it is there.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
