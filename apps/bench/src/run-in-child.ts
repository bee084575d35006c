/**
 * Runs one measurement in a process and a directory of its own. A measurement that fails, that never answers, or that
 * leaves its process alive after its answer is an error.
 */

import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

interface ChildJob {
  readonly workload: string;
  readonly params: unknown;
  /** Where the process gets its own directory. */
  readonly directory: string;
  readonly heapMb: number;
  /** Leaves the directory, and what is in it, to the main process. */
  readonly keepsFiles: boolean;
}

type Message = { readonly result: unknown } | { readonly error: string };

const CHILD = fileURLToPath(new URL("./child.js", import.meta.url));
const ANSWER_MS_MAX = 30 * 60_000;
const EXIT_MS_MAX = 10_000;

/** What the measurement returned. @throws Error */
export async function runInChild(job: ChildJob): Promise<unknown> {
  const directory = mkdtempSync(join(job.directory, `${job.workload}-`));
  try {
    return await answerOf(job, directory);
  } finally {
    if (!job.keepsFiles) rmSync(directory, { recursive: true, force: true });
  }
}

function answerOf({ workload, params, heapMb }: ChildJob, directory: string): Promise<unknown> {
  const child = fork(CHILD, [workload, JSON.stringify(params), directory], {
    execArgv: ["--expose-gc", `--max-old-space-size=${heapMb}`],
  });
  return new Promise((resolve, reject) => {
    let message: Message | undefined;
    let lateBy = "answer";
    const giveUp = (): void => {
      child.kill("SIGKILL");
      reject(new Error(`${workload} ${JSON.stringify(params)}: its process did not ${lateBy}`));
    };
    let timer = setTimeout(giveUp, ANSWER_MS_MAX);
    child.once("message", (received: Message) => {
      message = received;
      lateBy = "end after its answer";
      clearTimeout(timer);
      timer = setTimeout(giveUp, EXIT_MS_MAX);
    });
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      if (message === undefined)
        reject(new Error(`${workload}: its process ended early (${signal ?? `code ${code}`})`));
      else if ("error" in message)
        reject(new Error(`${workload} ${JSON.stringify(params)}: ${message.error}`));
      else resolve(message.result);
    });
  });
}
