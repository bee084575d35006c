/**
 * A set of Debian or Ubuntu package lists, and what can be had from it: either the machine's own lists, or private
 * ones in a folder of ours. Only `apt-get` and `apt-cache` talk to the mirrors, under the machine's own settings, and
 * nothing is installed: packages are downloaded and unpacked.
 */

import { existsSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "./run-command.js";

const KEYRINGS = [
  "/usr/share/keyrings/debian-archive-keyring.pgp",
  "/usr/share/keyrings/debian-archive-keyring.gpg",
];
const MIRROR = "http://deb.debian.org/debian";

/** A mirror that does not answer fails within these; each command has {@link COMMAND_DEADLINE_MS} in all. */
const NETWORK = [
  ...["-o", "Acquire::http::Timeout=15", "-o", "Acquire::https::Timeout=15"],
  ...["-o", "Acquire::Retries=1", "-o", "Acquire::Languages=none"],
];
const COMMAND_DEADLINE_MS = 90_000;

/** Dependencies that no server needs to run: scripts of an installation, and what these need. */
const LIBRARY = /^(lib|zlib|lua-|openssl-provider)/;
const NO_DATA_OF_LIBRARY = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"];

export class DebianSource {
  readonly name: string;
  readonly #options: readonly string[];

  private constructor(name: string, options: readonly string[]) {
    this.name = name;
    this.#options = [...NETWORK, ...options];
  }

  /** The lists as this machine has them, which may be none, or old. What apt makes of them goes to `folder`. */
  static async machine(folder: string): Promise<DebianSource> {
    return new DebianSource("the package lists of this machine", await privateCache(folder));
  }

  /** The machine's own sources, read anew into `folder`. */
  static async machineUpdated(folder: string): Promise<DebianSource> {
    const source = new DebianSource("the package sources of this machine", await privateLists(folder));
    await source.#run("apt-get", ["update"]);
    return source;
  }

  /**
   * A release of Debian, whatever this machine runs.
   *
   * @throws Error where Debian's keys are not on this machine: nothing is taken on trust.
   */
  static async release(release: string, folder: string): Promise<DebianSource> {
    const keyring = KEYRINGS.find((path) => existsSync(path));
    if (keyring === undefined) {
      throw new Error(`the keys of Debian's archive are not here (${KEYRINGS.join(", ")})`);
    }
    const lists = await privateLists(folder);
    const file = join(folder, "sources.list");
    await writeFile(file, `deb [signed-by=${keyring}] ${MIRROR} ${release} main\n`);
    const only = ["-o", `Dir::Etc::sourcelist=${file}`, "-o", "Dir::Etc::sourceparts=-"];
    // What is installed would count as a candidate, though this release does not have it.
    const status = join(folder, "status");
    await writeFile(status, "");
    only.push("-o", `Dir::State::status=${status}`);
    const source = new DebianSource(`Debian ${release}`, [...lists, ...only]);
    // Else a mirror out of reach is but a warning, and what is missing later looks like a package that is not there.
    await source.#run("apt-get", ["update", "-o", "APT::Update::Error-Mode=any"]);
    return source;
  }

  /** The version of `name` that would be downloaded, such as `5:7.0.15-1~deb12u7`; `undefined` where there is none. */
  async candidate(name: string): Promise<string | undefined> {
    const policy = await this.#run("apt-cache", ["policy", name]);
    const version = /^ {2}Candidate: (\S+)$/m.exec(policy)?.[1];
    return version === "(none)" ? undefined : version;
  }

  /** `names` and every library that these need, however deep, the C library included. */
  async withLibraries(names: readonly string[]): Promise<string[]> {
    const direct = await this.#dependencies(names, []);
    const libraries = direct.filter((name) => LIBRARY.test(name));
    const all = await this.#dependencies(libraries, ["--recurse"]);
    return [...new Set([...names, ...libraries, ...all.filter((name) => LIBRARY.test(name))])];
  }

  /** Downloads `names` into `folder` and unpacks them below `root`. */
  async unpack(names: readonly string[], folder: string, root: string): Promise<void> {
    for (const each of [folder, root]) await mkdir(each, { recursive: true });
    await this.#run("apt-get", ["download", ...names], folder);
    for (const file of await readdir(folder)) {
      if (!file.endsWith(".deb")) continue;
      await runCommand("dpkg", ["-x", join(folder, file), root], { deadlineMs: COMMAND_DEADLINE_MS });
    }
  }

  /** Packages that are only virtual stand in angle brackets in apt's answer, and so are left out. */
  async #dependencies(names: readonly string[], options: readonly string[]): Promise<string[]> {
    const without = NO_DATA_OF_LIBRARY.map((kind) => `--no-${kind}`);
    const answer = await this.#run("apt-cache", ["depends", ...options, ...without, ...names]);
    const named = options.includes("--recurse")
      ? /^[a-z0-9][\w.+-]*$/gm
      : /(?<=^ {1,2}Depends: )[a-z0-9][\w.+-]*/gm;
    return answer.match(named) ?? [];
  }

  #run(program: string, args: readonly string[], folder?: string): Promise<string> {
    const place = folder === undefined ? {} : { folder };
    return runCommand(program, [...this.#options, ...args], { ...place, deadlineMs: COMMAND_DEADLINE_MS });
  }
}

/** Settings that keep all that apt writes below `folder`, so that it needs no rights and changes nothing. */
async function privateLists(folder: string): Promise<string[]> {
  const lists = join(folder, "lists");
  await mkdir(join(lists, "partial"), { recursive: true });
  return ["-o", `Dir::State::lists=${lists}`, ...(await privateCache(folder))];
}

async function privateCache(folder: string): Promise<string[]> {
  const cache = join(folder, "cache");
  await mkdir(join(cache, "archives", "partial"), { recursive: true });
  // Container images often turn these two off, and then each command reads all lists anew, for a second or more.
  const kept = ["-o", "Dir::Cache::pkgcache=pkgcache.bin", "-o", "Dir::Cache::srcpkgcache=srcpkgcache.bin"];
  // As root, apt would download as a user of its own, who can't write here.
  const user = process.getuid?.() === 0 ? ["-o", "APT::Sandbox::User=root"] : [];
  return ["-o", `Dir::Cache=${cache}`, ...kept, ...user];
}
