/** Runs one program to its end and keeps what it said, for it is shown only when the program fails. */

import { spawn } from "node:child_process";

/** The longest any single step may take; an installation over a slow line is the slowest. */
const COMMAND_MS_MAX = 300_000;

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {string} cwd
 * @returns {Promise<string>} what it wrote to stdout
 */
export function runCommand(command, args, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: cleanEnvironment(),
      stdio: ["ignore", "pipe", "pipe"],
      timeout: COMMAND_MS_MAX,
      killSignal: "SIGKILL",
    });
    let stdout = "";
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (chunk) => {
      stdout += chunk;
      output += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk) => {
      output += chunk;
    });
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) resolve(stdout);
      else
        reject(new Error(`${[command, ...args].join(" ")} ended with ${code ?? signal}\n${output.trim()}`));
    });
  });
}

/**
 * `npm run` hands its scripts the root of this repository and its `package.json` as variables, by which an npm below
 * would install there instead of in the empty project.
 */
function cleanEnvironment() {
  const leads = /^(npm_(package|lifecycle)_|npm_config_local_prefix$|INIT_CWD$|NODE_PATH$)/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !leads.test(name)));
}
