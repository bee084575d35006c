/** Runs a program to its end, with a deadline, and hands back what it wrote. Used by the search for a server only. */

import { execFile } from "node:child_process";

export interface CommandOptions {
  readonly folder?: string;
  /** The program is killed after this time. */
  readonly deadlineMs: number;
}

/**
 * The standard output of `program`.
 *
 * @throws Error with the command and the end of its standard error, where it failed, is not there, or took too long.
 */
export function runCommand(
  program: string,
  args: readonly string[],
  { folder, deadlineMs }: CommandOptions,
): Promise<string> {
  const options = {
    ...(folder === undefined ? {} : { cwd: folder }),
    encoding: "utf8" as const,
    env: { ...process.env, LC_ALL: "C" },
    killSignal: "SIGKILL" as const,
    maxBuffer: 64 * 1024 * 1024,
    timeout: deadlineMs,
  };
  return new Promise((resolve, reject) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const reason =
        error.killed === true ? `was not done within ${deadlineMs} ms` : `failed (${error.code})`;
      reject(new Error(`${title(program, args)} ${reason}\n${stderr.slice(-2_000)}`, { cause: error }));
    });
  });
}

/** The command without its `-o` settings, of which apt is given many, and not longer than a line or two. */
function title(program: string, args: readonly string[]): string {
  const words = args.filter((word, index) => word !== "-o" && args[index - 1] !== "-o");
  return [program, ...words].join(" ").slice(0, 200);
}
