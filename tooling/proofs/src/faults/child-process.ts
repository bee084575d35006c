/** Runs a script of this folder as a process of its own: how storages meet signals, and the end of the event loop. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly errors: string;
}

export class Child {
  readonly #process: ChildProcess;
  readonly #end: Promise<ChildEnd>;
  #output = "";
  #errors = "";

  /** @param script a file beside this one */
  constructor(script: string, args: readonly string[]) {
    const path = fileURLToPath(new URL(script, import.meta.url));
    this.#process = spawn(process.execPath, [path, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    this.#process.stdout?.on("data", (data: Buffer) => {
      this.#output += data.toString();
    });
    this.#process.stderr?.on("data", (data: Buffer) => {
      this.#errors += data.toString();
    });
    this.#end = once(this.#process, "close").then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
      output: this.#output,
      errors: this.#errors,
    }));
  }

  /** Resolves once the script has printed `word`; rejects when it ends without. */
  async printed(word: string): Promise<void> {
    while (!this.#output.includes(word)) {
      const end = await Promise.race([this.#end, once(this.#process.stdout ?? this.#process, "data")]);
      if ("errors" in end && !this.#output.includes(word)) {
        throw new Error(`the child ended before it printed ${word}: ${end.errors}`);
      }
    }
  }

  send(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  end(): Promise<ChildEnd> {
    return this.#end;
  }
}
