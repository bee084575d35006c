/**
 * A process that can't outlive the one that started it, however that ends. A shell stands between the two:
 *
 *     node ──stdin (never written)──▶ sh ── server
 *                                     └── watch: reads stdin; at its end kills the server, removes the folder
 *
 * When node ends, even by SIGKILL, the system closes its end of the pipe. The shell is in a process group of its own,
 * so that what is sent to node's group, such as an interrupt of the terminal, does not end the watch before its work.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { until } from "./until.js";

/** The watch no longer heeds the shell's TERM once it has begun: it must not be stopped between kill and removal. */
const SCRIPT = `
log=$1; folder=$2; shift 2
exec 3<&0 </dev/null
"$@" >>"$log" 2>&1 3<&- &
server=$!
(
  read -r _ <&3
  trap '' TERM
  kill -KILL "$server"
  tries=0
  while kill -0 "$server" && [ "$tries" -lt 200 ]; do sleep 0.02; tries=$((tries + 1)); done
  rm -rf "$folder"
) >/dev/null 2>&1 &
watch=$!
exec 3<&-
echo "$server"
exec >&-
wait "$server"
status=$?
kill -TERM "$watch"
exit "$status"
`;

export interface Supervision {
  readonly command: readonly string[];
  /** The working directory, which is removed when this process dies without having stopped the server. */
  readonly folder: string;
  /** Where the server's output is added. */
  readonly log: string;
}

export class SupervisedProcess {
  readonly pid: number;
  readonly #shell: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(shell: ChildProcess, ended: Promise<unknown>, pid: number) {
    this.#shell = shell;
    this.#ended = ended;
    this.pid = pid;
  }

  /** @throws Error where there is no `/bin/sh`. A command that can't be run is only seen as a process that ended. */
  static async start({ command, folder, log }: Supervision): Promise<SupervisedProcess> {
    const shell = spawn("/bin/sh", ["-c", SCRIPT, "leakdb-redis-server", log, folder, ...command], {
      cwd: folder,
      detached: true,
      stdio: ["pipe", "pipe", "ignore"],
    });
    const ended = once(shell, "exit");
    // Both are awaited below or in `ended`; a failure to start comes first in the other.
    ended.catch(() => undefined);
    shell.stdin?.on("error", () => undefined);
    const [line] = (await Promise.race([once(shell.stdout!, "data"), ended])) as [unknown];
    const pid = Number(String(line));
    if (!Number.isInteger(pid) || pid <= 1)
      throw new Error(`the shell said ${String(line)} for a process id`);
    const started = new SupervisedProcess(shell, ended, pid);
    started.#holdProcess(false);
    return started;
  }

  get isRunning(): boolean {
    return this.#shell.exitCode === null && this.#shell.signalCode === null;
  }

  /** Sends `signal`, and resolves once the process is gone, or for `SIGSTOP` once it stands still. */
  async signal(signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): Promise<void> {
    if (!this.isRunning) return;
    this.#holdProcess(true);
    try {
      process.kill(this.pid, signal);
      if (signal === "SIGSTOP") await until(async () => !isMoving(this.pid), { what: "a process to stop" });
      if (signal === "SIGKILL" || signal === "SIGTERM") await this.#ended;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
      await this.#ended;
    } finally {
      this.#holdProcess(false);
    }
  }

  /** Whether this process has to stay for the sake of the other. It need not: its end is that of the other. */
  #holdProcess(isHeld: boolean): void {
    // Pipes of a child are sockets, which the types of Node do not say.
    const streams = [this.#shell.stdin, this.#shell.stdout] as unknown as Socket[];
    for (const each of [this.#shell, ...streams]) {
      if (isHeld) each.ref();
      else each.unref();
    }
  }
}

/** Where the system has no `/proc`, a process that was told to stop is believed to have done so. */
function isMoving(pid: number): boolean {
  try {
    const [state] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1] ?? "";
    return state !== "T";
  } catch {
    return false;
  }
}
