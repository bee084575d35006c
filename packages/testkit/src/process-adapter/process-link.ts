/**
 * One life of an adapter's process, seen from its parent: starts it, numbers the calls that cross, settles them, and
 * notices its end.
 *
 * Keeps:
 * - Every call settles: by its answer, or by an error once the process has ended.
 * - A write that the end of the process overtook is ambiguous; everything else it took down is transient.
 */

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type AdapterContext, AdapterError, type FailureKind } from "@leakdb/core/adapter";
import { type Call, type FromProcess, fromWire, type ToProcess, toWire } from "./messages.js";

const SCRIPT = fileURLToPath(new URL("./adapter-process.js", import.meta.url));

interface Pending {
  readonly call: Call["type"];
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** What a call is rejected with that the end of its process has taken down, or that came after it. */
export class ProcessEnded extends AdapterError {
  constructor(text: string, kind: FailureKind) {
    super(text, { kind });
  }
}

export class ProcessLink {
  /** Resolves when the process is gone, so that nothing of it can take effect any more. */
  readonly ended: Promise<void>;
  readonly #process: ChildProcess;
  readonly #context: AdapterContext;
  readonly #pending = new Map<number, Pending>();
  #lastCall = 0;
  /** How it has ended. */
  #end: string | undefined;
  #isEnding = false;

  constructor(execArgv: readonly string[], context: AdapterContext) {
    this.#context = context;
    this.#process = fork(SCRIPT, [], { serialization: "advanced", execArgv: [...execArgv] });
    this.#process.on("message", (message: FromProcess) => this.#take(message));
    this.ended = new Promise((resolve) => {
      const end = (text: string): void => {
        this.#hasEnded(text);
        resolve();
      };
      this.#process.once("exit", (code, signal) => end(signal ?? `code ${code}`));
      // It could not be started, when there is no exit; any other error leaves one to come.
      this.#process.on("error", (error) => this.#process.pid === undefined && end(error.message));
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  call(call: Call, signal?: AbortSignal): Promise<unknown> {
    if (this.#end !== undefined) {
      const text = `the process of the adapter has ended (${this.#end}): open it again`;
      return Promise.reject(new ProcessEnded(text, "transient"));
    }
    const id = ++this.#lastCall;
    const abort = (): void => this.#send({ type: "abort", id, reason: toWire(signal?.reason) });
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { call: call.type, resolve, reject });
      this.#send({ type: "call", id, call });
    });
    if (signal?.aborted === true) abort();
    signal?.addEventListener("abort", abort);
    return answer.finally(() => {
      this.#pending.delete(id);
      signal?.removeEventListener("abort", abort);
    });
  }

  /** `kill -9`. Resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#isEnding = true;
    this.#process.kill("SIGKILL");
    await this.ended;
  }

  #send(message: ToProcess): void {
    // What cannot be sent was for a process that is ending, which its exit tells of.
    if (this.#process.connected) this.#process.send(message, () => undefined);
  }

  #take(message: FromProcess): void {
    if (message.type === "report") return this.#context.report(fromWire(message.error));
    const pending = this.#pending.get(message.id);
    if (message.type === "answer") pending?.resolve(message.result);
    else pending?.reject(fromWire(message.error));
  }

  #hasEnded(how: string): void {
    this.#end = how;
    const text = `the process of the adapter has ended (${how})`;
    for (const { call, reject } of this.#pending.values()) {
      reject(new ProcessEnded(`${text} during a ${call}`, call === "write" ? "ambiguous" : "transient"));
    }
    if (!this.#isEnding && this.#pending.size === 0) this.#context.report(new Error(text));
    this.#pending.clear();
  }
}
