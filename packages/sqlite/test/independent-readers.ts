/**
 * Builds of SQLite that are not ours, to read a store's file as other programs do: the one inside of Python, which
 * every machine with this repository's prerequisites has, and the `sqlite3` command where there is one.
 */

import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface IndependentReader {
  readonly name: string;
  /** Why it cannot be asked on this machine; `undefined` when it can. */
  readonly missing: string | undefined;
  /** The rows, one a line, columns parted by `|`. */
  ask(filename: string, ...statements: string[]): string;
}

const run = (command: string, args: readonly string[]): string =>
  execFileSync(command, args, { encoding: "utf8" }).trim();

const runs = (command: string, args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: "ignore" }).status === 0;

function pythonReader(): IndependentReader {
  const found = ["python3", "/usr/bin/python3", "python"].find((each) =>
    runs(each, ["-c", "import sqlite3"]),
  );
  return {
    name: "Python",
    missing: found === undefined ? "there is no python3 with its sqlite3 module" : undefined,
    ask: (filename, ...statements) =>
      run(found ?? "python3", [
        fileURLToPath(new URL("./query.py", import.meta.url)),
        filename,
        ...statements,
      ]),
  };
}

function commandReader(): IndependentReader {
  return {
    name: "the sqlite3 command",
    missing: runs("sqlite3", ["-version"]) ? undefined : "there is no sqlite3 command",
    ask: (filename, ...statements) => run("sqlite3", ["-readonly", filename, statements.join("; ")]),
  };
}

export const independentReaders: readonly IndependentReader[] = [pythonReader(), commandReader()];
